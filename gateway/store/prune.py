"""Deletes by age what nobody needs any more. The figures of days stay."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from gateway.ids import least_id
from gateway.store import chunks
from gateway.store.chunks import Chunk, Wait, at_ease, delete_range, delete_together
from gateway.store.engine import Store
from gateway.store.tables import (
    checks,
    deliveries,
    heartbeat_runs,
    incident_events,
    incidents,
    seen_events,
)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each kind is kept, by the time of receipt; incidents by their end."""

    webhook_log: timedelta
    checks: timedelta
    seen_events: timedelta
    heartbeat_runs: timedelta
    resolved_incidents: timedelta


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of a kind were deleted, and what stopped it, if something did."""

    kind: str
    rows: int
    error: Exception | None = None


def prune(store: Store, retention: Retention, now: datetime, wait: Wait) -> list[Pruned]:
    """Delete what is older than ``retention`` allows, in chunks with rests between them.

    ``wait`` can end it early; the next run goes on. A chunk that fails ends its kind and
    no other. Many may run at once.
    """
    kinds = {
        "webhook_log": delete_range(
            store,
            deliveries,
            deliveries.c.id,
            deliveries.c.id < least_id(now - retention.webhook_log),
        ),
        "checks": delete_range(
            store, checks, checks.c.id, checks.c.id < least_id(now - retention.checks)
        ),
        "seen_events": delete_range(
            store,
            seen_events,
            seen_events.c.seen_at,
            seen_events.c.seen_at < now - retention.seen_events,
        ),
        "heartbeat_runs": delete_range(
            store,
            heartbeat_runs,
            heartbeat_runs.c.id,
            heartbeat_runs.c.id < least_id(now - retention.heartbeat_runs),
            heartbeat_runs.c.deadline.is_(None),  # the open ones are counted on their monitor
        ),
        "resolved_incidents": _delete_incidents(store, now - retention.resolved_incidents),
    }
    return [_run(kind, at_ease(each, wait)) for kind, each in kinds.items()]


def _run(kind: str, deleted: Iterator[int]) -> Pruned:
    rows = 0
    try:
        for chunk in deleted:
            rows += chunk
    except Exception as error:  # noqa: BLE001 - one bad chunk must not keep all else for ever
        return Pruned(kind, rows, error)
    return Pruned(kind, rows)


def _delete_incidents(store: Store, end: datetime) -> Iterator[Chunk]:
    """Delete the incidents that were resolved before ``end``, each with its timeline."""
    after = ""
    while True:
        # By id, which tells when an incident was opened: that needs no index of its own.
        query = (
            select(incidents.c.id)
            .where(incidents.c.id > after, incidents.c.id < least_id(end))
            .where(incidents.c.resolved_at < end)
            .order_by(incidents.c.id)
            .limit(chunks.ROWS)
        )
        with store.read() as connection:
            ids = connection.scalars(query).all()
        if not ids:
            return
        yield delete_together(
            store,
            delete(incident_events).where(incident_events.c.incident_id.in_(ids)),
            delete(incidents).where(incidents.c.id.in_(ids)),
        )
        after = ids[-1]
