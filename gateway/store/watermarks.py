"""When the gateway last received and swept, and when it did not.

A mark is one small row for each duty, moved every moment or two by every process that
does it. Whoever moves it over a gap stores the gap, in the same transaction: so it is
stored and announced once, by whichever process is back first.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from gateway.core.blindness import Blindness, Duty, blindness
from gateway.store.dialect import insert_new
from gateway.store.engine import Store
from gateway.store.tables import blind_intervals, monitors, watermarks


def mark(store: Store, duty: Duty, now: datetime, patience: timedelta) -> Blindness | None:
    """Leave a mark for ``duty``; returns the gap since the last one if it passed ``patience``.

    A clock that runs backwards moves no mark.
    """
    with store.write() as connection:
        first = insert_new(connection.dialect.name, watermarks)
        if connection.execute(first, [{"duty": duty, "seen_at": now}]).first() is not None:
            return None
        query = select(watermarks.c.seen_at).where(watermarks.c.duty == duty)
        seen_at = connection.scalars(query.with_for_update()).one()
        gap = blindness(seen_at, now, patience)
        if gap is not None:
            connection.execute(
                insert(blind_intervals).values(duty=duty, started_at=gap.start, ended_at=gap.end)
            )
        if now > seen_at:
            connection.execute(
                update(watermarks).where(watermarks.c.duty == duty).values(seen_at=now)
            )
    return gap


def last_mark(connection: Connection, duty: Duty) -> datetime | None:
    """When ``duty`` was last done; None if it never was."""
    return connection.scalar(select(watermarks.c.seen_at).where(watermarks.c.duty == duty))


def blind_since(connection: Connection, since: datetime) -> list[Blindness]:
    """The intervals that ended after ``since`` in which nothing was received, in order."""
    query = (
        select(blind_intervals.c.started_at, blind_intervals.c.ended_at)
        .where(
            blind_intervals.c.duty == Duty.RECEIVING,
            blind_intervals.c.ended_at > since,
        )
        .order_by(blind_intervals.c.ended_at)
    )
    return [Blindness(row.started_at, row.ended_at) for row in connection.execute(query)]


def list_blind(store: Store, limit: int) -> Sequence[tuple[Duty, Blindness]]:
    """The latest gaps of both duties, newest first."""
    query = select(blind_intervals).order_by(blind_intervals.c.started_at.desc()).limit(limit)
    with store.read() as connection:
        return [
            (Duty(row.duty), Blindness(row.started_at, row.ended_at))
            for row in connection.execute(query)
        ]


def marks(store: Store) -> dict[Duty, datetime]:
    """When each duty was last done."""
    with store.read() as connection:
        rows = connection.execute(select(watermarks)).all()
    return {Duty(row.duty): row.seen_at for row in rows}


def lag(store: Store, now: datetime) -> timedelta:
    """How long the oldest passed deadline has been waiting for a sweep."""
    query = (
        select(monitors.c.deadline)
        .where(monitors.c.deadline <= now)
        .order_by(monitors.c.deadline)
        .limit(1)
    )
    with store.read() as connection:
        oldest = connection.scalar(query)
    return now - oldest if oldest is not None else timedelta(0)
