"""The clocks of heartbeats, as monitors are made and changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from gateway.core.heartbeat import switched_off
from gateway.core.model import HEARTBEAT_KEY, Status
from gateway.store.expectations import Expecting, expectation_of
from gateway.store.ledger import Ledger, Observation

_RHYTHM = ("heartbeat_interval", "heartbeat_schedule", "heartbeat_zone")
EXPECTED = (*_RHYTHM, "heartbeat_grace", "heartbeat_late_after")
"""What says when signs of life are due, by column."""


@dataclass(frozen=True, slots=True)
class _Expecting:
    """What a monitor will expect once a change is made."""

    heartbeat_interval: int | None
    heartbeat_schedule: str | None
    heartbeat_zone: str
    heartbeat_grace: int
    heartbeat_late_after: int | None


def clock_from(expecting: Expecting, now: datetime) -> dict[str, Any]:
    """The columns of a clock that starts now; none where nothing is expected."""
    expectation = expectation_of(expecting)
    if expectation is None:
        return {}
    return {"clock_started": now, "deadline": expectation.deadline(now)}


def clock_after_change(
    connection: Connection, row: Row[Any], values: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The columns of the clock of a locked monitor whose columns become ``values``.

    Deadlines rest while a monitor is paused and start afresh when it goes on.
    """
    expecting = _Expecting(**{name: values.get(name, getattr(row, name)) for name in EXPECTED})
    expectation = expectation_of(expecting)
    if expectation is None and any(getattr(row, name) is not None for name in _RHYTHM[:2]):
        _end_silence(connection, row.id, now)
    if expectation is None or not values.get("active", row.active):
        return {"clock_started": None, "deadline": None}
    named = any(values.get(name) is not None for name in _RHYTHM)
    resumed = not row.active and row.last_heartbeat is not None
    if named or resumed:
        return clock_from(expecting, now)
    if row.deadline is not None and row.clock_started is not None:
        return {"deadline": expectation.deadline(row.clock_started)}
    return {}


def _end_silence(connection: Connection, monitor_id: str, now: datetime) -> None:
    """Let a missed or late heartbeat be over: none will come any more to end it."""
    ledger = Ledger(connection, [monitor_id])
    ledger.load_signals([(monitor_id, HEARTBEAT_KEY)])
    if ledger.status_of(monitor_id, HEARTBEAT_KEY).severity > Status.UP.severity:
        ledger.observe(Observation(ledger.monitors[monitor_id], switched_off(now), now))
        ledger.flush()
