"""``taco status``: whether the gateway itself does its work."""

from typing import Any

import click

from gateway.app import utc_now
from gateway.cli.context import Settings, open_workplace, print_json, print_rows, reporting
from gateway.core.blindness import Duty
from gateway.core.times import format_time
from gateway.store import watermarks

_SHOWN = 10


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
@reporting
def status(settings: Settings, *, as_json: bool) -> None:
    """Show when the gateway last received and swept, how far it is behind, and its gaps."""
    store = open_workplace(settings).store
    now = utc_now()
    marks = watermarks.marks(store)
    view: dict[str, Any] = {
        **{duty.value: format_time(marks[duty]) if duty in marks else None for duty in Duty},
        "lagSeconds": round(watermarks.lag(store, now).total_seconds(), 3),
        "gaps": [
            {
                "duty": duty,
                "from": format_time(gap.start),
                "to": format_time(gap.end),
                "seconds": round(gap.length.total_seconds(), 3),
            }
            for duty, gap in watermarks.list_blind(store, _SHOWN)
        ],
    }
    if as_json:
        print_json(view)
        return
    for duty in Duty:
        click.echo(f"last {duty.value:<11}{view[duty.value] or 'never'}")
    click.echo(f"{'behind by':<16}{view['lagSeconds']} s")
    if view["gaps"]:
        click.echo("\ngaps")
        print_rows(view["gaps"], ("from", "to", "seconds", "duty"))
