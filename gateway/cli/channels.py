"""``taco channels``: where alerts go, and whether they get there."""

from typing import Any

import click

from gateway.alerts.dispatch import Dispatcher
from gateway.app import build_dispatcher, utc_now
from gateway.channel_requests import channel_draft_of
from gateway.cli.context import (
    Settings,
    Workplace,
    fail,
    json_option,
    only_one,
    open_workplace,
    print_json,
    print_table,
    reporting,
)
from gateway.cli.monitors import find_monitor
from gateway.core.nodes import Node, NodeError
from gateway.store import channels as store_channels
from gateway.store.channels import Channel
from gateway.web.channel_views import channel_view, health_of

_PAGE = 200


@click.group()
def channels() -> None:
    """Say where alerts go, and try it."""


@channels.command("add")
@click.argument("name")
@click.argument("kind")
@click.option(
    "--set", "settings_given", multiple=True, metavar="NAME=VALUE", help="May be repeated."
)
@click.option(
    "--minimum",
    type=click.Choice(["degraded", "down"]),
    default="degraded",
    show_default=True,
    help="The least that it hears of.",
)
@click.option("--monitor", "monitor_names", multiple=True, help="Only this one (id or name).")
@click.option("--tag", "tags", multiple=True, help="Only monitors with this tag.")
@click.option("--language", type=click.Choice(["pt-BR", "en"]), help="Another than config.yaml's.")
@click.option(
    "--remind", "reminders", multiple=True, metavar="DURATION", help="As in 30m; may be repeated."
)
@json_option
@click.pass_obj
@reporting
def add(
    settings: Settings,
    *,
    name: str,
    kind: str,
    settings_given: tuple[str, ...],
    minimum: str,
    monitor_names: tuple[str, ...],
    tags: tuple[str, ...],
    language: str | None,
    reminders: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a channel called NAME of a KIND: webhook, email, apprise, or one of a plugin.

    Reminders come that long after the alert before; the last distance repeats.
    """
    workplace = open_workplace(settings)
    chosen = [find_monitor(workplace, each).id for each in monitor_names]
    fields: dict[str, object] = {
        "name": name,
        "kind": kind,
        "settings": _pairs(settings_given),
        "minimumStatus": minimum,
        "tags": tags,
        "language": language,
        "reminders": [_seconds(each) for each in reminders],
    }
    if chosen:
        fields["monitors"] = chosen
    dispatcher = _dispatcher(workplace)
    draft, made = channel_draft_of(fields, dispatcher.kinds)
    channel = store_channels.create(workplace.store, workplace.team, draft, utc_now())
    if as_json:
        print_json({**_view(workplace, dispatcher, channel), "generated": made})
        return
    click.echo(f"id  {channel.id}")
    for setting, value in made.items():
        click.echo(f"{setting}  {click.style(value, bold=True)}  (shown only this once)")
    click.echo(f"Try it: taco channels test {channel.id}")


@channels.command("list")
@json_option
@click.pass_obj
@reporting
def list_(settings: Settings, *, as_json: bool) -> None:
    """List the channels, and whether they work."""
    workplace = open_workplace(settings)
    found = _all(workplace)
    if as_json:
        dispatcher = _dispatcher(workplace)
        print_json([_view(workplace, dispatcher, each) for each in found])
        return
    print_table(
        ["ID", "NAME", "KIND", "MINIMUM", "HEALTH", "LAST ERROR"],
        [
            (
                each.id,
                each.name,
                each.kind,
                str(each.minimum),
                health_of(each, utc_now()) if each.active else "off",
                each.last_error or "-",
            )
            for each in found
        ],
    )


@channels.command("test")
@click.argument("channel")
@json_option
@click.pass_obj
@reporting
def test(settings: Settings, *, channel: str, as_json: bool) -> None:
    """Send a test to a channel (by id or name). Exit code 1 if it does not get there."""
    workplace = open_workplace(settings)
    error = _dispatcher(workplace).test(_find(workplace, channel))
    if as_json:
        print_json({"sent": not error, "error": error or None})
    elif not error:
        click.secho("it got there", fg="green")
    if error and not as_json:
        fail(error)
    if error:
        raise SystemExit(1)


@channels.command("remove")
@click.argument("channel")
@click.pass_obj
@reporting
def remove(settings: Settings, *, channel: str) -> None:
    """Remove a channel (by id or name) and what waits for it."""
    workplace = open_workplace(settings)
    found = _find(workplace, channel)
    store_channels.remove(workplace.store, workplace.team, found.id)
    click.echo(f"{found.name} is removed")


def _dispatcher(workplace: Workplace) -> Dispatcher:
    kinds = workplace.providers.channel_kinds
    return build_dispatcher(workplace.config, workplace.store, kinds)


def _view(workplace: Workplace, dispatcher: Dispatcher, channel: Channel) -> dict[str, Any]:
    settings = store_channels.open_settings(workplace.store, channel)
    return channel_view(channel, dispatcher.kinds.shown(channel.kind, settings), utc_now())


def _all(workplace: Workplace) -> list[Channel]:
    found: list[Channel] = []
    while True:
        after = found[-1].id if found else None
        page = store_channels.list_page(workplace.store, workplace.team, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found


def _find(workplace: Workplace, wanted: str) -> Channel:
    by_id = store_channels.find(workplace.store, workplace.team, wanted)
    if by_id is not None:
        return by_id
    return only_one(_all(workplace), wanted, "channels")


def _pairs(texts: tuple[str, ...]) -> dict[str, list[str]]:
    pairs: dict[str, list[str]] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise click.UsageError(f"--set {name!r} is not NAME=VALUE")
        pairs.setdefault(name.strip(), []).append(value)
    return pairs


def _seconds(text: str) -> int:
    try:
        return int(Node(text).duration().total_seconds())
    except NodeError as error:
        raise click.UsageError(f"--remind {text}: {error.message} ({error.hint})") from None
