"""The figures of a monitor's days: to rows and back, and reading them.

The monitor's row holds its latest day, ``monitor_days`` those that have ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, select

from gateway.core.model import Status
from gateway.core.uptime import KEPT_DAYS, Day, Tally, complete, day_of
from gateway.store.bulk import Insert, Row
from gateway.store.engine import Store
from gateway.store.tables import FIGURES, monitor_days, monitors

_DAY_NAMES = ("day", "opening", *FIGURES)
TALLY_NAMES = tuple(f"tally_{name}" for name in _DAY_NAMES)
"""The columns of the latest day on the row of a monitor."""

WRITE_DAYS = Insert(monitor_days, ("monitor_id", *_DAY_NAMES), replace=("monitor_id", "day"))
FORGET_DAYS = delete(monitor_days).where(
    monitor_days.c.monitor_id == bindparam("_id"), monitor_days.c.day < bindparam("_first")
)
"""What bounds the rows of a monitor: run when a day ends, so nobody has to look for old ones."""

_TALLY_COLUMNS = tuple(monitors.c[name] for name in TALLY_NAMES)
_DAY_COLUMNS = tuple(monitor_days.c[name] for name in _DAY_NAMES)


def day_of_row(values: Sequence[Any]) -> Day:
    """A day from the values of number, opening and `FIGURES`, in this order."""
    return Day(values[0], values[1], list(values[2:]))


def day_values(day: Day) -> Row:
    """The values that `day_of_row` takes."""
    return day.number, day.opening, *day.figures


def ended_rows(monitor_id: str, tally: Tally) -> list[Row]:
    """A row of ``monitor_days`` for each day that has ended."""
    return [(monitor_id, *day_values(day)) for day in tally.ended]


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
        select(monitors.c.status, monitors.c.active, *_TALLY_COLUMNS, *_DAY_COLUMNS)
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
