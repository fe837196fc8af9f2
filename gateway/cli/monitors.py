"""``taco monitors``: make, list and look into monitors."""

from collections.abc import Mapping

import click
from pydantic.alias_generators import to_camel

from gateway.app import utc_now
from gateway.cli.context import (
    Settings,
    Workplace,
    json_option,
    only_one,
    open_workplace,
    plain,
    print_json,
    print_rows,
    print_table,
    reporting,
    styled_status,
)
from gateway.cli.secrets import FORMS, read_credentials
from gateway.core.uptime import Day, total
from gateway.credentials import described
from gateway.intake import AUTO
from gateway.management import draft_of
from gateway.providers import Providers
from gateway.store import history
from gateway.store import monitors as store_monitors
from gateway.store.days import read_days
from gateway.store.monitors import Monitor
from gateway.web.views import (
    check_view,
    delivery_view,
    incident_view,
    monitor_view,
    run_view,
    signal_view,
)

_PAGE = 200
_SHOWN = 10
_SPANS = {"today": 1, "7d": 7, "30d": 30, "90d": 90}


@click.group()
def monitors() -> None:
    """Make, list and look into monitors."""


@monitors.command("add")
@click.argument("name")
@click.option("--provider", default="auto", show_default=True, help="Who posts to it.")
@click.option(
    "--credential",
    "credentials",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="What verifies deliveries; 'taco providers show PROVIDER' names it. "
    f"Twice for one NAME during a rotation. {FORMS}",
)
@click.option(
    "--secret", multiple=True, metavar="VALUE", help="Short for --credential secret=VALUE."
)
@click.option("--url", help="A link to what is watched, for people.")
@click.option("--heartbeat-interval", type=int, help="Seconds between two signs of life.")
@click.option("--no-heartbeat", is_flag=True, help="Expect no heartbeats at all.")
@click.option("--tag", "tags", multiple=True, help="A word by which channels choose monitors.")
@click.option("--heartbeat-schedule", help="When they are due instead, as five cron fields.")
@click.option("--heartbeat-timezone", help="The time zone of the schedule; UTC when left out.")
@click.option("--heartbeat-grace", type=int, help="Seconds until a late heartbeat means down.")
@click.option("--heartbeat-late-after", type=int, help="Seconds until it means degraded.")
@click.option("--heartbeat-max-run", type=int, help="Seconds that a run of the job may take.")
@click.option("--heartbeat-post-only", is_flag=True, help="Let GET and HEAD not count.")
@click.option("--webhook-is-heartbeat", is_flag=True, help="Let accepted webhooks count too.")
@click.option("--stale-after", help="Seconds of silence, or auto, until it is marked stale.")
@json_option
@click.pass_obj
@reporting
def add(
    settings: Settings,
    /,
    *,
    name: str,
    provider: str,
    credentials: tuple[str, ...],
    secret: tuple[str, ...],
    no_heartbeat: bool,
    tags: tuple[str, ...],
    as_json: bool,
    **options: str | int | None,
) -> None:
    """Make a monitor called NAME and print its addresses."""
    rhythms = (no_heartbeat, options["heartbeat_interval"], options["heartbeat_schedule"])
    if sum(map(bool, rhythms)) > 1:
        raise click.UsageError(
            "give --heartbeat-interval, --heartbeat-schedule or --no-heartbeat, not both"
        )
    workplace = open_workplace(settings)
    texts = (*credentials, *(f"secret={value}" for value in secret))
    fields = {"name": name, "provider": provider, "tags": tags, **_fields_of(options)}
    if given := read_credentials(texts):
        fields["credentials"] = given
    if no_heartbeat:
        fields["heartbeatInterval"] = None
    heartbeat = workplace.config.heartbeat
    draft = draft_of(
        fields,
        workplace.providers,
        default_interval=int(heartbeat.default_interval.total_seconds()),
        default_grace=int(heartbeat.grace.total_seconds()),
    )
    monitor = store_monitors.create(workplace.store, workplace.team, draft, utc_now())
    view = monitor_view(monitor, workplace.config.web.address)
    if as_json:
        print_json(view)
        return
    click.echo(f"id             {view['id']}")
    click.echo(f"webhook URL    {view['webhookUrl']}")
    click.echo(f"heartbeat URL  {view['heartbeatUrl']}")
    if not view["signed"]:
        click.secho(_unsigned(provider, workplace.providers), fg="yellow")


def _unsigned(provider: str, providers: Providers) -> str:
    """What nobody should find out too late, and what can be done about it."""
    warning = "unsigned: whoever knows the URL can post"
    if provider == AUTO:
        return f"{warning}; add --credential secret=..."
    known = providers.get(provider).provider
    if not known.credentials:
        return f"{warning}; {known.title} cannot sign"
    can = " or ".join(described(each) for each in known.credentials)
    return f"{warning}; add --credential with {can}"


def _fields_of(options: Mapping[str, str | int | None]) -> dict[str, object]:
    """Options as the API's fields; a flag that is not given leaves its field out."""
    given = {key: each for key, each in options.items() if each is not None and each is not False}
    if (stale_after := str(options["stale_after"])).isdecimal():
        given["stale_after"] = int(stale_after)
    return {to_camel(key): each for key, each in given.items()}


@monitors.command("list")
@json_option
@click.pass_obj
@reporting
def list_(settings: Settings, *, as_json: bool) -> None:
    """List the monitors with their status."""
    workplace = open_workplace(settings)
    found = _all(workplace)
    if as_json:
        print_json([monitor_view(each, workplace.config.web.address) for each in found])
        return
    stale = any(each.stale_since for each in found)
    print_table(
        ["ID", "NAME", "PROVIDER", "STATUS", "SINCE", *(["STALE SINCE"] if stale else [])],
        [_line(each, with_stale=stale) for each in found],
    )


def _line(monitor: Monitor, *, with_stale: bool) -> list[str]:
    since = monitor.stale_since
    line = [monitor.id, monitor.name, monitor.provider, monitor.status]
    line.append(f"{monitor.status_since:%F %T}")
    return [*line, f"{since:%F %T}" if since else "-"] if with_stale else line


@monitors.command("show")
@click.argument("monitor")
@json_option
@click.pass_obj
@reporting
def show(settings: Settings, *, monitor: str, as_json: bool) -> None:
    """Show a monitor (by id or name): uptime, signals, incidents, what decided each delivery."""
    workplace = open_workplace(settings)
    found = find_monitor(workplace, monitor)
    store = workplace.store
    view = {
        **monitor_view(found, workplace.config.web.address),
        "uptime": _uptime(read_days(store, found.id, max(_SPANS.values()), utc_now())),
        "signals": [signal_view(row) for row in history.list_signals(store, found.id, _PAGE)],
        "incidents": [
            incident_view(each)
            for each in history.list_incidents(store, found.id, before=None, limit=_SHOWN)
        ],
        "checks": [
            check_view(row)
            for row in history.list_checks(store, found.id, before=None, limit=_SHOWN)
        ],
        "deliveries": [
            delivery_view(row)
            for row in history.list_deliveries(store, found.id, before=None, limit=_SHOWN)
        ],
    }
    if as_json:
        print_json(view)
        return
    _print_monitor(view)


@monitors.command("runs")
@click.argument("monitor")
@click.option("--log", "with_log", is_flag=True, help="Print the log of the newest run.")
@json_option
@click.pass_obj
@reporting
def runs(settings: Settings, *, monitor: str, with_log: bool, as_json: bool) -> None:
    """Show the latest runs of a monitor's job (by id or name)."""
    workplace = open_workplace(settings)
    found = find_monitor(workplace, monitor)
    rows = history.list_runs(workplace.store, found.id, before=None, limit=_SHOWN)
    views = [run_view(row) for row in rows]
    if as_json:
        print_json(views)
    elif not views:
        click.echo("no runs: its job never called .../heartbeat/start, /fail or an exit code")
    elif with_log:
        click.echo("\n".join(plain(line) for line in views[0]["log"].splitlines()))
    else:
        print_rows(views, ("startedAt", "endedAt", "duration", "state", "exitCode", "rid"))


def _all(workplace: Workplace) -> list[Monitor]:
    found: list[Monitor] = []
    while True:
        page = store_monitors.list_page(
            workplace.store,
            workplace.team,
            after=found[-1].id if found else None,
            limit=_PAGE,
        )
        found += page
        if len(page) < _PAGE:
            return found


def find_monitor(workplace: Workplace, wanted: str) -> Monitor:
    """The team's monitor of this id or name; ends the command when there is none."""
    by_id = store_monitors.find(workplace.store, workplace.team, wanted)
    if by_id is not None:
        return by_id
    return only_one(_all(workplace), wanted, "monitors")


def _uptime(days: list[Day]) -> dict[str, float | None]:
    """The uptime of the last days in several spans; today is a day of each."""
    return {name: total(days[-span:]).uptime for name, span in _SPANS.items() if days}


def _spoken(uptime: object) -> str:
    shares = uptime.items() if isinstance(uptime, dict) else ()
    # Cut and not rounded: 100 % means never down.
    return ", ".join(
        f"{name} {'-' if share is None else f'{int(share * 10_000) / 100:g} %'}"
        for name, share in shares
    )


def _print_monitor(view: dict[str, object]) -> None:
    name = click.style(plain(str(view["name"])), bold=True)
    click.echo(f"{name}  {styled_status(str(view['status']))}")
    for label, key in (
        ("id", "id"),
        ("provider", "provider"),
        ("webhook URL", "webhookUrl"),
        ("heartbeat URL", "heartbeatUrl"),
        ("last heartbeat", "lastHeartbeat"),
        ("next deadline", "deadline"),
        ("stale since", "staleSince"),
    ):
        click.echo(f"  {label:<15}{view[key] if view[key] is not None else '-'}")
    click.echo(f"  {'uptime':<15}{_spoken(view['uptime'])}")
    _section(view, "signals", ("key", "status", "since", "message"))
    _section(view, "incidents", ("openedAt", "resolvedAt", "key", "worst", "rule", "message"))
    _section(view, "deliveries", ("receivedAt", "provider", "outcome", "rule", "reason"))


def _section(view: dict[str, object], name: str, columns: tuple[str, ...]) -> None:
    rows = view[name]
    if not isinstance(rows, list) or not rows:
        return
    click.echo(f"\n{name}")
    print_rows(rows, columns)
