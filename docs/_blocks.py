"""What the generated blocks of the pages hold, taken from the code."""  # noqa: INP001 - see there

import ast
import contextlib
import inspect
import shlex
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from pydantic import BaseModel

from docs._generate import ROOT, Page
from gateway import hookspecs, payloads
from gateway.cli import main as taco
from gateway.config import ENVIRONMENT, Config, Section
from gateway.core import bounds, expressions, rules, syntax, written_rules
from gateway.core.errors import GatewayError
from gateway.core.functions import ARITIES
from gateway.core.rules import Lookup, Rule
from gateway.descriptions import verified_by
from gateway.documents import MAX_DEPTH, MAX_SIZE, load_document
from gateway.providers import Providers, load_providers
from gateway.web.errors import HTTP_STATUS
from gateway.web.texts import TEXTS, text_of

OWN_FUNCTIONS = ("header", "query", "root", "lower", "upper", "matches", "from_json")
_WITHOUT_CLASS = {
    "method_not_allowed": "The address exists, but not with this method.",
    "internal": "Something unforeseen; the log of the gateway has the details.",
}


@cache
def providers() -> Providers:
    """The providers that come with the gateway."""
    return load_providers(entry_points=False)


def render(name: str, page: Page) -> str:
    """The text of the block ``name`` on ``page``."""
    if name.startswith("taco "):
        return _output_of(name, page)
    kind, _, argument = name.partition(" ")
    return _BLOCKS[kind](page, argument)


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(headings)
    lines = [titles, ["---"] * len(titles), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return f"`{text}`" if text else ""


def _prose(text: str) -> str:
    # The code's documentation marks names with one or two backticks.
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


# ---- providers


def _providers(page: Page, _: str) -> str:
    return _table(
        ("Provider", "Name", "Verified by", "What it tells of"),
        (
            (
                f"[{each.provider.title}]({page.link(f'docs/providers/{name}.md')})",
                f"`{name}`",
                verified_by(each.provider.signature),
                ", ".join(rule.name for rule in each.rules.rules),
            )
            for name in providers().names
            for each in [providers().get(name)]
        ),
    )


def _events(_: Page, name: str) -> str:
    return _table(
        ("Rule", "When", "Status", "Key"),
        (
            (
                rule.name,
                _code(rule.when.text) if rule.when else "always",
                _statuses(rule),
                _code(rule.key.text) or "the empty key",
            )
            for rule in providers().get(name).rules.rules
        ),
    )


def _statuses(rule: Rule) -> str:
    status = rule.status
    if not isinstance(status, Lookup):
        return status or "ignored"
    by_status: dict[str, list[str]] = {}
    for word, meaning in status.values.items():
        by_status.setdefault(meaning or "ignored", []).append(f"`{word}`")
    by_status.setdefault(status.otherwise or "ignored", []).append("everything else")
    found = (f"{meaning}: {', '.join(words)}" for meaning, words in by_status.items())
    return f"by {_code(status.source.text)}; " + "; ".join(found)


# ---- HTTP


def _errors(_: Page, __: str) -> str:
    meanings = {each.code: inspect.getdoc(each) or "" for each in _subclasses(GatewayError)}
    return _table(
        ("Code", "HTTP", "Text in Portuguese", "Text in English", "Meaning"),
        (
            (
                f"`{code}`",
                str(status),
                text_of(code, "pt-BR"),
                text_of(code, "en"),
                _WITHOUT_CLASS.get(code) or _sentence(meanings[code]),
            )
            for code, status in {**HTTP_STATUS, "internal": 500}.items()
            if code in TEXTS or code.startswith("signature_")
        ),
    )


def _sentence(text: str) -> str:
    # What stands behind a semicolon is for the programmers among the readers.
    return _prose(text).partition(";")[0].rstrip(".") + "."


def _subclasses(root: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for each in root.__subclasses__():
        yield each
        yield from _subclasses(each)


# ---- configuration


def config_keys(section: type[BaseModel] = Config, path: tuple[str, ...] = ()) -> Iterator[Any]:
    """Path and field of every setting."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from config_keys(inner, (*path, name))
        else:
            yield (*path, name), field


def _config(_: Page, __: str) -> str:
    file = load_document((ROOT / "config.yaml").read_text("utf-8"), "config.yaml").data
    variables = {path: name for name, path in ENVIRONMENT.items()}
    rows: dict[str, list[list[str]]] = {}
    for path, field in config_keys():
        default = file
        for key in path:
            default = default[key]
        row = [
            f"`{'.'.join(path)}`",
            _code(_shown_default(default)),
            _code(variables.get(path, "")),
            _prose(field.description),
        ]
        rows.setdefault(path[0] if len(path) > 1 else "", []).append(row)
    parts = []
    for section, lines in rows.items():
        if section:
            model: Any = Config.model_fields[section].annotation
            parts.append(f"### {section}\n\n{inspect.getdoc(model)}")
        parts.append(_table(("Key", "Default", "Environment", "Meaning"), lines))
    return "\n\n".join(parts)


def _shown_default(value: Any) -> str:
    return "null" if value is None else str(value)


# ---- the command


def commands(group: click.Group = taco, path: str = "taco") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before what is in them."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _commands(_: Page, __: str) -> str:
    return "\n\n".join(
        f"### {path}\n\n```text\n{_help(path, command)}\n```" for path, command in commands()
    )


def _help(path: str, command: click.Command) -> str:
    names = taco.context_settings["help_option_names"]
    context = click.Context(command, info_name=path, terminal_width=88, help_option_names=names)
    return command.get_help(context)


def _output_of(line: str, page: Page) -> str:
    runner = CliRunner(env=dict.fromkeys((*ENVIRONMENT, "TACO_CONFIG"), None))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, text in page.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text, "utf-8")
        result = runner.invoke(taco, shlex.split(line)[1:])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    lines = "\n".join(each.rstrip() for each in result.output.rstrip().splitlines())
    return f"```console\n$ {line}\n{lines}\n```"


# ---- rules and plugins


def _functions(_: Page, __: str) -> str:
    return ", ".join(f"`{name}`" for name in sorted(ARITIES) if name not in OWN_FUNCTIONS) + "."


def _bounds(_: Page, __: str) -> str:
    limits: Mapping[str, object] = {
        "Rule file": f"{MAX_SIZE // 1024} KiB, {MAX_DEPTH} levels",
        "Rules of a file": written_rules.MAX_RULES,
        "Expression": f"{syntax.MAX_LENGTH} characters, {syntax.MAX_NODES} parts, "
        f"{syntax.MAX_DEPTH} levels",
        "What an expression can make of a payload": f"{syntax.MAX_GROWTH} times its size",
        "Template": f"{expressions.MAX_TEMPLATE_LENGTH} characters",
        "Items of `for_each`": f"{rules.MAX_ITEMS}; the others are passed over",
        "Key, event id": f"{bounds.LONGEST_IDENTIFIER} characters; of longer ones the start "
        "stays, with a hash",
        "Message": f"{bounds.LONGEST_MESSAGE} characters; longer ones are cut",
        "Metadata": f"{bounds.LARGEST_METADATA // 1024} KiB as JSON; values that do not fit are "
        f"left out and counted in `{bounds.LEFT_OUT}`",
        "Payload": f"{payloads.DEEPEST} levels, {payloads.MOST_FIELDS} fields of a form",
        "A sender's clock": f"{int(rules.CLOCK_TOLERANCE.total_seconds()) // 60} minutes ahead "
        "of ours",
    }
    return _table(("What", "At most"), ((what, str(most)) for what, most in limits.items()))


def hooks() -> Iterator[tuple[str, str]]:
    """Each hook with its signature and its documentation."""
    for name, hook in vars(hookspecs).items():
        if hasattr(hook, f"{hookspecs.PROJECT}_spec"):
            arguments = ", ".join(
                f"{each.name}: {_annotation(each.annotation)}"
                for each in inspect.signature(hook).parameters.values()
            )
            yield f"{name}({arguments})", inspect.getdoc(hook) or ""


def _annotation(annotation: Any) -> str:
    for name in ("Register", "RegisterChannel"):
        if annotation is getattr(hookspecs, name):
            return name
    return inspect.formatannotation(annotation)


def _hooks(_: Page, __: str) -> str:
    return "\n\n".join(f"### `{signature}`\n\n{_paragraphs(text)}" for signature, text in hooks())


def _paragraphs(text: str) -> str:
    return "\n\n".join(_prose(part) for part in text.split("\n\n"))


# ---- the code


def _tree(_: Page, __: str) -> str:
    lines = []
    folder = ""
    for path in sorted((ROOT / "gateway").rglob("*.py"), key=_place):
        inside = path.relative_to(ROOT).parent.as_posix()
        summary = _summary(path)
        if "migrations" in inside or (path.name == "__init__.py" and not summary):
            continue
        if inside != folder:
            folder = inside
            lines.append(f"{folder}/")
        lines.append(f"  {path.name:<22}{summary}")
    return "```text\n" + "\n".join(lines) + "\n```"


def _place(path: Path) -> tuple[str, str]:
    return path.parent.as_posix(), path.name


def _summary(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "").rstrip(".")


def _contracts(_: Page, __: str) -> str:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    linted = [
        (contract["name"], _contract(contract))
        for contract in settings["importlinter"]["contracts"]
    ]
    banned = settings["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    linted.append(
        ("the clock is read in one place", f"Nothing but `app.py` calls {_codes(sorted(banned))}.")
    )
    return _table(("Check of `make lint`", "What it forbids"), linted)


def _contract(contract: Mapping[str, Any]) -> str:
    if contract["type"] == "layers":
        return f"Importing upwards in: {_codes(contract['layers'])}."
    sources = _codes(contract["source_modules"])
    return f"{sources} may not import {_codes(contract['forbidden_modules'])}."


def _codes(words: Iterable[str]) -> str:
    return ", ".join(_code(word) for word in words)


def _decisions(_: Page, __: str) -> str:
    lines = []
    for path in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        number, title = path.read_text("utf-8").splitlines()[0].removeprefix("# ").split(". ", 1)
        lines.append(f"- {number}: [{title}]({path.name})")
    return "\n".join(lines)


_BLOCKS: Mapping[str, Callable[[Page, str], str]] = {
    "bounds": _bounds,
    "commands": _commands,
    "config": _config,
    "contracts": _contracts,
    "decisions": _decisions,
    "errors": _errors,
    "events": _events,
    "functions": _functions,
    "hooks": _hooks,
    "providers": _providers,
    "tree": _tree,
}
