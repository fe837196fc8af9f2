"""The figures of a monitor's days: to rows and back, and reading them.

The monitor's row holds its latest day, ``monitor_days`` those that have ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, select

from gateway.core.model import Status
from gateway.core.uptime import KEPT_DAYS, Day, Tally, complete, day_of
from gateway.store.engine import Store
from gateway.store.tables import FIGURES, monitor_days, monitors

TALLY_COLUMNS = tuple(monitors.c[f"tally_{name}"] for name in ("day", "opening", *FIGURES))
FORGET_DAYS = delete(monitor_days).where(
    monitor_days.c.monitor_id == bindparam("_id"), monitor_days.c.day < bindparam("_first")
)
"""What bounds the rows of a monitor: run when a day ends, so nobody has to look for old ones."""

_DAY_COLUMNS = tuple(monitor_days.c[name] for name in ("day", "opening", *FIGURES))
_TALLY_NAMES = tuple(column.name for column in TALLY_COLUMNS)
_DAY_NAMES = ("monitor_id", *(column.name for column in _DAY_COLUMNS))
_OPENINGS: dict[str | None, Status | None] = {None: None, **{str(each): each for each in Status}}


def day_of_row(values: Sequence[Any]) -> Day:
    """A day from the values of number, opening and `FIGURES`, in this order."""
    return Day(values[0], _OPENINGS[values[1]], list(values[2:]))


def tally_row(tally: Tally) -> dict[str, Any]:
    """The values of the `TALLY_COLUMNS`."""
    day = tally.day
    return dict(zip(_TALLY_NAMES, (day.number, day.opening, *day.figures), strict=True))


def ended_rows(monitor_id: str, tally: Tally) -> list[dict[str, Any]]:
    """A row of ``monitor_days`` for each day that has ended."""
    return [
        dict(zip(_DAY_NAMES, (monitor_id, day.number, day.opening, *day.figures), strict=True))
        for day in tally.ended
    ]


def forgotten_row(monitor_id: str, tally: Tally) -> dict[str, Any]:
    """The parameters of `FORGET_DAYS`."""
    return {"_id": monitor_id, "_first": tally.day.number - KEPT_DAYS}


def read_days(store: Store, monitor_id: str, count: int, now: datetime) -> list[Day]:
    """The last ``count`` days of a monitor (up to a year), oldest first, the last up to ``now``.

    Empty when there is no such monitor. Costs at most ``count`` rows by primary key.
    """
    # One statement, because a day moves from the one table to the other when it ends.
    first = day_of(now) - count + 1
    query = (
        select(monitors.c.status, monitors.c.active, *TALLY_COLUMNS, *_DAY_COLUMNS)
        .join_from(
            monitors,
            monitor_days,
            and_(monitor_days.c.monitor_id == monitors.c.id, monitor_days.c.day >= first),
            isouter=True,
        )
        .where(monitors.c.id == monitor_id)
    )
    with store.read() as connection:
        rows = connection.execute(query).all()
    if not rows:
        return []
    width = len(_DAY_COLUMNS)
    ended = [day_of_row(row[-width:]) for row in rows if row[-width] is not None]
    latest = day_of_row(rows[0][2 : 2 + width])
    status = Status(rows[0].status) if rows[0].active else Status.PENDING
    return complete({day.number: day for day in (*ended, latest)}, status, now, count)
