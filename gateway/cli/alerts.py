"""``taco alerts``: what was sent, what waits, and what was given up."""

import click

from gateway.app import utc_now
from gateway.cli.context import (
    Settings,
    fail,
    json_option,
    open_workplace,
    print_json,
    print_table,
    reporting,
)
from gateway.store import alert_log
from gateway.web.channel_views import alert_view

_SHOWN = 50


@click.group()
def alerts() -> None:
    """Look into the outbox, and send again what was given up."""


@alerts.command("list")
@click.option("--state", type=click.Choice(alert_log.STATES), help="Only these.")
@json_option
@click.pass_obj
@reporting
def list_(settings: Settings, *, state: str | None, as_json: bool) -> None:
    """List the newest alerts."""
    workplace = open_workplace(settings)
    rows = alert_log.list_alerts(
        workplace.store, workplace.team, state=state, before=None, limit=_SHOWN
    )
    views = [alert_view(row) for row in rows]
    if as_json:
        print_json(views)
        return
    print_table(
        ["ID", "STATE", "KIND", "CHANNEL", "MONITOR", "ATTEMPTS", "LAST ERROR"],
        [
            (
                view["id"],
                view["state"],
                view["kind"],
                view["channel"]["name"],
                view["monitor"]["name"],
                str(view["attempts"]),
                view["lastError"] or "-",
            )
            for view in views
        ],
    )


@alerts.command("resend")
@click.argument("alert")
@click.pass_obj
@reporting
def resend(settings: Settings, *, alert: str) -> None:
    """Try a dead ALERT (by id) again; the worker sends it within seconds."""
    workplace = open_workplace(settings)
    if not alert_log.resend(workplace.store, workplace.team, alert, utc_now()):
        fail(f"no dead alert {alert!r}: 'taco alerts list --state dead' shows them")
    click.echo("it is due now")
