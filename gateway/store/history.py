"""What was recorded for a monitor: signals, checks, incidents, the webhook log.

Pages run from the newest backwards; ``before`` is the last id of the page before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, select

from gateway.store.engine import Store
from gateway.store.tables import (
    checks,
    deliveries,
    heartbeat_runs,
    incident_events,
    incidents,
    signals,
)

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident row with its timeline, oldest first."""

    row: Row[Any]
    timeline: Rows


def list_signals(store: Store, monitor_id: str, limit: int) -> Rows:
    """The signals of a monitor by key."""
    query = select(signals).where(signals.c.monitor_id == monitor_id)
    with store.read() as connection:
        return connection.execute(query.order_by(signals.c.key).limit(limit)).all()


def list_checks(store: Store, monitor_id: str, *, before: str | None, limit: int) -> Rows:
    """The newest checks by time of arrival."""
    return _page(store, checks, monitor_id, before, limit)


def list_deliveries(store: Store, monitor_id: str, *, before: str | None, limit: int) -> Rows:
    """The newest lines of the webhook log, bodies still compressed."""
    return _page(store, deliveries, monitor_id, before, limit)


def list_runs(store: Store, monitor_id: str, *, before: str | None, limit: int) -> Rows:
    """The newest runs of a monitor's job, logs still compressed."""
    return _page(store, heartbeat_runs, monitor_id, before, limit)


def list_incidents(
    store: Store, monitor_id: str, *, before: str | None, limit: int
) -> list[Incident]:
    """The newest incidents, each with its timeline."""
    rows = _page(store, incidents, monitor_id, before, limit)
    timelines: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    query = select(incident_events).where(incident_events.c.incident_id.in_(timelines))
    with store.read() as connection:
        for entry in connection.execute(query.order_by(incident_events.c.id)):
            timelines[entry.incident_id].append(entry)
    return [Incident(row, timelines[row.id]) for row in rows]


def _page(store: Store, table: Table, monitor_id: str, before: str | None, limit: int) -> Rows:
    query = select(table).where(table.c.monitor_id == monitor_id)
    if before is not None:
        query = query.where(table.c.id < before)
    with store.read() as connection:
        return connection.execute(query.order_by(table.c.id.desc()).limit(limit)).all()
