"""Builders for entries of the record transaction."""

from datetime import UTC, datetime, timedelta
from itertools import count

from gateway.core.model import Event, Outcome, Status
from gateway.core.ratelimit import Limit
from gateway.ids import new_id
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Monitor
from gateway.store.record import DeliveryEntry, LogLine

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
NO_LIMIT = Limit(1_000_000, timedelta(seconds=1), burst=1_000_000)
_numbers = count()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(status: str, seconds: float = 0, event_id: str | None = None, key: str = "") -> Event:
    return Event(
        Status(status), at(seconds), key=key, event_id=event_id, message=f"it is {status}", rule="r"
    )


def delivery(
    monitor: Monitor,
    *events: Event,
    received: float = 100,
    outcome: Outcome | None = None,
    authentic: bool = True,
    revision: int | None = None,
) -> DeliveryEntry:
    return DeliveryEntry(
        monitor_id=monitor.id,
        revision=monitor.revision if revision is None else revision,
        received_at=at(received),
        log=LogLine(
            id=new_id(at(received)),
            provider="native",
            method="POST",
            headers={"user-agent": "test"},
            remote_address="127.0.0.1",
            body_size=2,
            body_sha256="0" * 64,
            body=b"{}",
        ),
        outcome=outcome or (Outcome.RECORDED if events else Outcome.IGNORED),
        authentic=authentic,
        rule="r",
        events=events,
    )


def beat(monitor: Monitor, received: float, revision: int | None = None) -> HeartbeatEntry:
    return HeartbeatEntry(
        monitor.id, monitor.revision if revision is None else revision, at(received)
    )
