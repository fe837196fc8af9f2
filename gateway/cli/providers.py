"""``taco providers``: who can post, and how each is verified."""

from collections.abc import Iterator
from typing import Any

import click

from gateway.app import open_providers
from gateway.cli.context import Settings, fail, print_json, print_table, reporting
from gateway.core.nodes import suggest
from gateway.descriptions import provider_view
from gateway.providers import LoadedProvider


@click.group()
def providers() -> None:
    """Show the providers that are loaded."""


@providers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all providers."""
    loaded = open_providers(settings.load())
    views = [_view(loaded.get(name)) for name in loaded.names]
    if as_json:
        print_json(views)
        return
    print_table(
        ["NAME", "TITLE", "CREDENTIALS", "ORIGIN"],
        [[view["name"], view["title"], _names(view), view["origin"]] for view in views],
    )


@providers.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def show(settings: Settings, *, name: str, as_json: bool) -> None:
    """Show one provider: what it needs, how it is answered, its rules and its examples."""
    loaded = open_providers(settings.load())
    if name not in loaded:
        fail(f"no provider {name!r} ({suggest(name, loaded.names)})")
    view = _view(loaded.get(name))
    if as_json:
        print_json(view)
        return
    click.echo(f"{click.style(view['title'], bold=True)} ({name})")
    for label, text in _facts(view):
        click.echo(f"  {label:<15}{text}")
    _section("credentials for 'taco monitors add --credential'", _credentials(view))
    _section("never stored", view["redact"])
    _section("rules, the first match decides", view["rules"])
    _section("examples for 'taco send'", view["examples"])


def _view(loaded: LoadedProvider) -> dict[str, Any]:
    return {**provider_view(loaded), "origin": loaded.origin}


def _names(view: dict[str, Any]) -> str:
    return ", ".join(each["name"] for each in view["credentials"]) or "-"


def _facts(view: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "documentation", view["docs"] or "-"
    yield "verified by", view["verifiedBy"].replace("`", "")
    yield "sends with", ", ".join(view["methods"]) + (", and a handshake" * view["handshake"])
    yield "is answered", f"{_answer(view['answer'])} within {view['answerWithin']:g} s"
    yield "defined in", view["origin"]


def _answer(answer: dict[str, Any] | None) -> str:
    if answer is None:
        return "200 and JSON that says what was recorded,"
    return f"{answer['status']} {answer['body']}".rstrip()


def _credentials(view: dict[str, Any]) -> Iterator[str]:
    for each in view["credentials"]:
        needs = f", only with {' and '.join(each['needs'])}" if each["needs"] else ""
        yield f"{each['name']} ({'required' if each['required'] else 'optional'}{needs})"
        yield f"  {each['label']}: {each['help']}".rstrip(": ")


def _section(heading: str, lines: Iterator[str] | list[str]) -> None:
    lines = list(lines)
    if lines:
        click.echo(f"\n{heading}")
        for line in lines:
            click.echo(f"  {line}")
