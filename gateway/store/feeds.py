"""Keeps the rhythm of event feeds, and finds those that fell silent.

Only for monitors that ask for it, so that the others pay nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.core.blindness import Blindness
from gateway.core.feed import Feed
from gateway.store.bulk import Row, Update, write_rows
from gateway.store.chores import Place, Sight, Swept
from gateway.store.tables import monitors
from gateway.store.watermarks import blind_since

_COLUMNS = (
    monitors.c.id,
    monitors.c.active,
    monitors.c.stale_after,
    monitors.c.stale_at,
    monitors.c.feed_first_at,
    monitors.c.feed_last_at,
    monitors.c.feed_longest_gap,
)
_HEARD = ("feed_first_at", "feed_last_at", "feed_longest_gap", "stale_at", "stale_since")
_UPDATE_HEARD = Update(monitors, ("id", *_HEARD))
_UPDATE_SILENT = Update(monitors, ("id", "stale_at", "stale_since"))


def feed_of(row: Any) -> Feed | None:
    """The feed of a monitor's row; None where its silence does not matter."""
    if row.stale_after is None:
        return None
    return Feed(
        row.stale_after,
        row.feed_first_at,
        row.feed_last_at,
        timedelta(seconds=row.feed_longest_gap),
    )


def hear(connection: Connection, heard: dict[str, list[datetime]]) -> None:
    """Take note of accepted deliveries, by locked monitor and in order of arrival."""
    if not heard:
        return
    query = select(*_COLUMNS).where(monitors.c.id.in_(heard))
    rows = [_heard(row, heard[row.id]) for row in connection.execute(query)]
    write_rows(connection, _UPDATE_HEARD, [row for row in rows if row is not None])


def _heard(row: Any, times: Sequence[datetime]) -> Row | None:
    feed = feed_of(row)
    if feed is None:
        return None
    for at in times:
        feed = feed.heard(at)
    gap = feed.longest_gap.total_seconds()
    return row.id, feed.first_at, feed.last_at, gap, feed.stale_at(), None


class SilentFeeds:
    """The times at which feeds become stale."""

    name = "feed"

    def claim(self, connection: Connection, sight: Sight, limit: int) -> list[Place]:
        """Find and lock monitors, the most overdue first."""
        query = (
            select(monitors.c.id)
            .where(monitors.c.stale_at <= sight.due)
            .order_by(monitors.c.stale_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [(monitor_id,) for monitor_id in connection.scalars(query)]

    def settle(self, connection: Connection, places: Sequence[Place], sight: Sight) -> Swept:
        """Mark them stale, unless the silence was the gateway's own."""
        query = (
            select(*_COLUMNS)
            .where(
                monitors.c.id.in_([place[0] for place in places]),
                monitors.c.stale_at <= sight.due,
            )
            .with_for_update()
        )
        rows = connection.execute(query).all()
        starts = [row.feed_last_at for row in rows if row.feed_last_at is not None]
        blind = blind_since(connection, min(starts)) if starts else []
        changes = [_silent(row, sight, blind) for row in rows]
        write_rows(connection, _UPDATE_SILENT, changes)
        found = [since for _, _, since in changes if since is not None]
        lag = max((sight.now - since for since in found), default=timedelta(0))
        return Swept(stale=len(found), lag=lag)

    def put_off(self, connection: Connection, place: Place, until: datetime) -> None:
        """Look again later."""
        connection.execute(update(monitors).where(monitors.c.id == place[0]).values(stale_at=until))


def _silent(row: Any, sight: Sight, blind: Sequence[Blindness]) -> Row:
    feed = feed_of(row)
    stale_at = feed.stale_at(blind) if feed is not None and row.active else None
    stale = stale_at is not None and stale_at <= sight.due
    return (row.id, None, stale_at) if stale else (row.id, stale_at, None)
