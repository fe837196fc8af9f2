"""Every claim of the documentation that a program can check."""

import ast
import dataclasses
import hashlib
import hmac
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import gateway
from docs import _blocks
from docs._generate import ROOT, Fence, Page, pages
from gateway.alerts.templates import load_templates
from gateway.cli import main as taco
from gateway.config import load_config
from gateway.core.errors import SourceError, SourceErrors
from gateway.core.functions import ARITIES
from gateway.core.rule_documents import RULE_KEYS, RULES_OF
from gateway.documents import load_document
from gateway.hookspecs import PROJECT
from gateway.plugin_loading import load_plugin_folder
from gateway.rulefiles import KEYS, check_examples, load_rule_file
from gateway.scheme_types import read_scheme
from gateway.testing import NOW, delivery
from gateway.web.errors import HTTP_STATUS

PAGES = pages()
BY_NAME = {page.name: page for page in PAGES}
FENCES = [fence for page in PAGES for fence in page.fences]
HEADINGS = {
    "providers": [
        "What it sends",
        "Set it up",
        "How it is verified",
        "Events and statuses",
        "Known limits",
    ],
    "decisions": [
        "Context",
        "Decision",
        "Why not the others",
        "Consequences",
        "How it is enforced",
    ],
}


def fenced(language: str) -> pytest.MarkDecorator:
    """The fenced blocks of a language; each test is named for its file and line."""
    found = [fence for fence in FENCES if fence.language == language]
    return pytest.mark.parametrize("fence", found, ids=lambda fence: fence.place)


def every(kind: str = "") -> pytest.MarkDecorator:
    """The pages of a folder of ``docs``, or all of them."""
    folder = f"docs/{kind}/" if kind else ""
    found = [page for page in PAGES if page.name.startswith(folder)]
    named = [page for page in found if not kind or Path(page.name).name != "README.md"]
    return pytest.mark.parametrize("page", named, ids=lambda page: page.name)


def headings(page: Page) -> list[str]:
    without_fences = re.sub(r"^```.*?^```$", "", page.text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", without_fences, re.MULTILINE)


def first_column(name: str, pattern: str = r"[\w.]+") -> set[str]:
    """The code words with which the rows of a page's tables begin."""
    return set(re.findall(rf"^\| `({pattern})`", BY_NAME[name].text, re.MULTILINE))


def coded(name: str) -> set[str]:
    """Every word that stands in code on a page."""
    spans = re.findall(r"`+([^`]+)`+", BY_NAME[name].text)
    return {word for span in spans for word in re.findall(r"\w+", span)}


@every()
def test_generated_blocks_are_current(page: Page) -> None:
    assert page.current() == page.text, "run 'make docs'"


class TestFences:
    @fenced("yaml")
    def test_yaml(self, fence: Fence, tmp_path: Path) -> None:
        match fence.label:
            case label if label.startswith("texts/"):
                (tmp_path / Path(label).name).write_text(fence.text, "utf-8")
                assert load_templates(tmp_path).by_place
            case "wrong":
                with pytest.raises((SourceError, SourceErrors)):
                    load_rule_file(as_rule_file(fence.text), fence.place)
            case "kubernetes":  # run by tests/process/test_recipes.py
                assert load_document(fence.text, fence.place).data["apiVersion"]
            case "signature":
                read_scheme(load_document(fence.text, fence.place).node)
            case "rules":
                load_rule_file(as_rule_file(fence.text), fence.place)
            case label if label in {"", "config.yaml"} and "provider:" not in fence.text:
                load_config(fence.text, fence.place, {})
            case _:
                file = load_rule_file(fence.text, fence.place)
                bundled = _blocks.providers().written
                # Without a signature it is for a plugin, which alone can read its examples.
                if file.signature is not None:
                    assert check_examples(file, bundled) == []
                    assert not any(each.problem(file.signature) for each in file.known_answers)

    @fenced("python")
    def test_python(self, fence: Fence, tmp_path: Path) -> None:
        code = compile(fence.text, fence.place, "exec")
        if fence.label == "usage":
            return
        if not fence.label:
            exec(code, {})
            return
        (tmp_path / Path(fence.label).name).write_text(fence.text, "utf-8")
        errors: list[Any] = []

        assert load_plugin_folder(tmp_path, errors)
        assert errors == []

    @fenced("json")
    def test_json(self, fence: Fence) -> None:
        json.loads(fence.text)

    @fenced("console")
    def test_commands_exist(self, fence: Fence) -> None:
        for line in commands_of(fence.text):
            command, rest = resolve(line)
            known = {option for each in command.params for option in each.opts} | {"--help"}
            given = {word.partition("=")[0] for word in rest if word.startswith("--")}

            assert given <= known, line

    def test_every_fence_has_a_language(self) -> None:
        assert [fence.place for fence in FENCES if not fence.language] == []


def as_rule_file(rules: str) -> str:
    indented = "".join(f"  {line}\n" for line in rules.splitlines())
    return f"provider: sample\nsignature: {{type: unsigned, reason: a sample}}\nrules:\n{indented}"


def commands_of(text: str) -> Iterator[str]:
    joined = text.replace("\\\n", " ")
    for line in re.findall(r"^\$ (.*)$", joined, re.MULTILINE):
        for part in re.split(r"[;|]|&&", line):
            if part.strip().startswith("taco "):
                yield part.partition("#")[0].replace("$(", "").strip()


def resolve(line: str) -> tuple[click.Command, list[str]]:
    """The command that a line calls, and what stands behind its name."""
    words = shlex.split(line)[1:]
    command: click.Command = taco
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        assert name in command.commands, f"{line}: no command {name}"
        command = command.commands[name]
    return command, words


class TestLinks:
    @every()
    def test_links_lead_somewhere(self, page: Page) -> None:
        for target in re.findall(r"\]\((?!https?://)([^)]+)\)", page.text):
            path, _, anchor = target.partition("#")
            name = os.path.normpath(Path(page.name).parent / path) if path else page.name

            assert (ROOT / name).exists(), target
            if anchor:
                assert anchor in {slug(each) for each in headings(BY_NAME[name])}, target

    @every()
    def test_files_that_are_named_exist(self, page: Page) -> None:
        for name in re.findall(r"`((?:gateway|tests|plugins|bin|\.ci)/[\w./]+)`", page.text):
            if name not in page.files and "NAME" not in name:
                assert (ROOT / name).exists(), name

    @every()
    def test_targets_of_make_exist(self, page: Page) -> None:
        known = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

        assert set(re.findall(r"`make (\w+)|^\$ make (\w+)", page.text)) <= {
            pair for name in known for pair in ((name, ""), ("", name))
        }

    @every()
    def test_no_page_knows_this_machine(self, page: Page) -> None:
        assert re.findall(r"/(?:home|root|Users|work|tmp|mnt)/[^\s`]*", page.text) == []

    def test_every_page_is_linked(self) -> None:
        linked = {
            os.path.normpath(Path(page.name).parent / target)
            for page in PAGES
            for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.text)
        }

        assert {page.name for page in PAGES} - linked - {"README.md"} == set()


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class TestCompleteness:
    def test_config_keys(self) -> None:
        documented = first_column("docs/operating/configuration.md", r"[a-z_.]+")
        file = load_document((ROOT / "config.yaml").read_text("utf-8"), "config.yaml")

        assert documented == {".".join(path) for path, _ in _blocks.config_keys()}
        assert documented == set(leaves(file.data))

    def test_error_codes(self) -> None:
        assert first_column("docs/senders/errors.md") == {*HTTP_STATUS, "internal"}

    def test_outcomes(self) -> None:
        assert first_column("docs/senders/webhooks.md") >= set(gateway.Outcome)

    def test_commands(self) -> None:
        page = BY_NAME["docs/operating/commands.md"]

        assert [each for each in headings(page) if each.startswith("taco")] == [
            name for name, _ in _blocks.commands()
        ]

    def test_hooks(self) -> None:
        named = [each.strip("`") for each in headings(BY_NAME["docs/plugins/reference.md"])]
        implemented = {name for name, _ in _blocks.hooks()}

        assert implemented <= set(named)
        assert hasattr(gateway.hookspecs.register_providers, f"{PROJECT}_spec")
        assert hasattr(gateway.hookspecs.register_channels, f"{PROJECT}_spec")

    def test_public_names(self) -> None:
        assert coded("docs/plugins/reference.md") >= set(gateway.__all__)

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            (gateway.Provider, "docs/plugins/reference.md"),
            (gateway.Credential, "docs/plugins/reference.md"),
            (gateway.Reply, "docs/plugins/reference.md"),
            (gateway.Delivery, "docs/plugins/reference.md"),
            (gateway.Hmac, "docs/plugins/signatures.md"),
            (gateway.Pairs, "docs/plugins/signatures.md"),
            (gateway.Timestamp, "docs/plugins/signatures.md"),
            (gateway.Ed25519, "docs/plugins/signatures.md"),
            (gateway.Jwt, "docs/plugins/signatures.md"),
            (gateway.Fetch, "docs/plugins/reference.md"),
            (gateway.ChannelKind, "docs/plugins/channels.md"),
            (gateway.Setting, "docs/plugins/channels.md"),
            (gateway.Message, "docs/plugins/channels.md"),
            (gateway.TransitionTold, "docs/plugins/channels.md"),
            (gateway.Answer, "docs/plugins/channels.md"),
        ],
    )
    def test_fields(self, value: Any, name: str) -> None:
        assert coded(name) >= {each.name for each in dataclasses.fields(value) if each.init}

    def test_keys_of_rule_files(self) -> None:
        assert first_column("docs/rules/reference.md") >= {
            *KEYS,
            *RULE_KEYS,
            RULES_OF,
            "defaults",
            "rules",
        }

    def test_functions(self) -> None:
        assert coded("docs/rules/expressions.md") >= set(ARITIES)
        assert set(_blocks.OWN_FUNCTIONS) <= set(ARITIES)

    def test_the_kit(self) -> None:
        tree = ast.parse((ROOT / "gateway/testing.py").read_text("utf-8"))
        functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}

        assert coded("docs/plugins/testing.md") >= {n for n in functions if n[0] != "_"}

    def test_providers_have_a_page(self) -> None:
        named = {Path(name).stem for name in BY_NAME if name.startswith("docs/providers/")}

        assert named - {"README"} == set(_blocks.providers().names)

    def test_decisions_are_numbered_without_a_gap(self) -> None:
        numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/decisions").glob("0*.md"))]

        assert numbers == list(range(1, len(numbers) + 1))


def leaves(data: Any, path: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


@every("providers")
def test_a_provider_has_its_five_headings(page: Page) -> None:
    assert headings(page)[1:] == HEADINGS["providers"]


@every("decisions")
def test_a_decision_has_its_five_headings(page: Page) -> None:
    assert headings(page)[1:] == HEADINGS["decisions"]


class TestNativeSamples:
    PAGE = BY_NAME["docs/senders/native.md"]
    SECRET = "s3cret"

    def test_the_known_answer(self) -> None:
        body = b'{"status":"up"}'
        digest = hmac.new(self.SECRET.encode(), body, hashlib.sha256).hexdigest()

        assert f"`{digest}`" in self.PAGE.text

    def test_what_the_sample_signs_is_verified(self) -> None:
        sample = next(fence for fence in self.PAGE.fences if fence.language == "python")
        names: dict[str, Any] = {}
        exec(sample.text, names)
        made = names["request"]("https://status.example.com/x", self.SECRET, "down", "olá")
        headers = {name.lower(): value for name, value in made.header_items()}
        sent = delivery(made.data, headers=headers)
        native = _blocks.providers().get("native")
        native.verify(sent, {"secret": (self.SECRET,)}, NOW)

        assert native.parse(sent)["status"] == "down"
