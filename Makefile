# `make` alone lists what there is.

ARGS ?=
# These run without coverage's tracer. With it, even a bare asyncio.timeout() stays cancelled on
# CPython 3.11.7, and nothing is as fast as it is.
UNTRACED = tests/web/test_bad_input.py::test_a_body_that_comes_too_slowly \
	tests/web/test_bad_input.py::test_a_slow_body_keeps_nobody_else_waiting \
	tests/test_large_bodies.py
LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help run test lint format docs lock bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: ## Start the gateway: web and worker on SQLite, in ./data
	@bin/venv run
	@exec .venv/bin/taco up $(ARGS)

test: ## Run all tests; the core must be covered to the last branch
	@bin/venv test
	@.venv/bin/python -m pytest --cov=gateway.core --cov=gateway.intake --cov-branch \
		--cov-fail-under=100 $(UNTRACED:%=--deselect=%) $(ARGS)
	@.venv/bin/python -m pytest -q $(UNTRACED)

lint: ## Check style, types and the rings of the architecture
	@bin/venv test
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: ## Put all files in the one format
	@bin/venv test
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

docs: ## Renew the generated parts of the documentation
	@bin/venv test
	@.venv/bin/python -m docs._generate $(ARGS)

lock: ## Renew requirements/*.txt from pyproject.toml (needs uv; ARGS=--upgrade for newer versions)
	@command -v uv > /dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/" >&2; exit 1; }
	@uv pip compile $(LOCK) $(ARGS) pyproject.toml --output-file requirements/run.txt
	@uv pip compile $(LOCK) $(ARGS) --group test --group lint pyproject.toml \
		--constraints requirements/run.txt --output-file requirements/test.txt

bench: ## Compare requests per second with and without storing (about a minute)
	@bin/venv run
	@.venv/bin/python -m benchmarks.run $(ARGS)

clean: ## Remove everything made from the sources; ./data stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		.coverage dist build benchmarks/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
