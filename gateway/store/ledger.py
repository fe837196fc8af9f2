"""Monitors and signals that a transaction has locked, and what it will write to them.

Both the record transaction and the sweep load a ledger, fold events into it through the
pure ``decide``, and flush it before they commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    Connection,
    TextualSelect,
    bindparam,
    insert,
    select,
    text,
    update,
)

from gateway.core.model import Change, Event, Signal, Status, Transition, roll_up
from gateway.core.status import decide
from gateway.ids import new_id
from gateway.store.bulk import run_many
from gateway.store.dialect import upsert
from gateway.store.tables import checks, incident_events, incidents, monitors, signals

_LOCKED_COLUMNS = (
    monitors.c.id,
    monitors.c.revision,
    monitors.c.active,
    monitors.c.status,
    monitors.c.status_since,
    monitors.c.signals_up,
    monitors.c.signals_degraded,
    monitors.c.signals_down,
    monitors.c.heartbeat_interval,
    monitors.c.heartbeat_grace,
    monitors.c.heartbeat_schedule,
    monitors.c.heartbeat_zone,
    monitors.c.heartbeat_late_after,
    monitors.c.heartbeat_max_run,
    monitors.c.webhook_is_heartbeat,
    monitors.c.last_heartbeat,
    monitors.c.clock_started,
    monitors.c.deadline,
    monitors.c.open_runs,
    monitors.c.stale_after,
    monitors.c.rate_state,
)
_KEPT_COLUMNS = (
    "status",
    "status_since",
    "signals_up",
    "signals_degraded",
    "signals_down",
    "last_heartbeat",
    "clock_started",
    "deadline",
    "open_runs",
    "rate_state",
)
_INSERT_CHECK = insert(checks)
_INSERT_INCIDENT = insert(incidents)
_INSERT_INCIDENT_EVENT = insert(incident_events)
_UPDATE_MONITOR = (
    update(monitors)
    .where(monitors.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in _KEPT_COLUMNS})
)
_UPDATE_INCIDENT = (
    update(incidents)
    .where(incidents.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in ("status", "resolved_at")})
)


@dataclass(slots=True)
class LockedMonitor:
    """The part of a monitor row that folding events reads and writes."""

    id: str
    revision: int
    active: bool
    status: Status
    status_since: datetime
    counts: dict[Status, int]
    heartbeat_interval: int | None
    heartbeat_grace: int
    heartbeat_schedule: str | None
    heartbeat_zone: str
    heartbeat_late_after: int | None
    heartbeat_max_run: int | None
    webhook_is_heartbeat: bool
    last_heartbeat: datetime | None
    clock_started: datetime | None
    deadline: datetime | None
    open_runs: int
    stale_after: int | None
    rate_state: datetime | None

    def move(self, before: Status, after: Status, at: datetime) -> None:
        """Count one signal under its new status and roll the monitor up."""
        if before is after:
            return
        if before is not Status.PENDING:
            self.counts[before] -= 1
        self.counts[after] += 1
        status = roll_up(status for status, count in self.counts.items() if count)
        if status is not self.status:
            self.status, self.status_since = status, at

    def row(self) -> dict[str, Any]:
        """The values to write back."""
        return {
            "_id": self.id,
            "status": self.status,
            "status_since": self.status_since,
            "signals_up": self.counts[Status.UP],
            "signals_degraded": self.counts[Status.DEGRADED],
            "signals_down": self.counts[Status.DOWN],
            "last_heartbeat": self.last_heartbeat,
            "clock_started": self.clock_started,
            "deadline": self.deadline,
            "open_runs": self.open_runs,
            "rate_state": self.rate_state,
        }


@dataclass(slots=True)
class _KnownSignal:
    signal: Signal
    incident_id: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Observation:
    """An event with the place it belongs to and the delivery that carried it, if any."""

    monitor: LockedMonitor
    event: Event
    received_at: datetime
    delivery_id: str | None = None


class Ledger:
    """What one transaction knows and will write. Lives as long as its transaction."""

    def __init__(self, connection: Connection, monitor_ids: Iterable[str]) -> None:
        self._connection = connection
        self.monitors = _lock(connection, monitor_ids)
        self._signals: dict[tuple[str, str], _KnownSignal] = {}
        self._touched: dict[tuple[str, str], None] = {}
        self._checks: list[dict[str, Any]] = []
        self._opened: dict[str, dict[str, Any]] = {}
        self._moved: dict[str, dict[str, Any]] = {}
        self._timeline: list[dict[str, Any]] = []

    def load_signals(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read the signals of these (monitor id, key) pairs; absent ones stay absent."""
        pairs = sorted(set(wanted))
        if not pairs:
            return
        names = {f"m{n}": pair[0] for n, pair in enumerate(pairs)}
        names |= {f"k{n}": pair[1] for n, pair in enumerate(pairs)}
        for row in self._connection.execute(_select_signals(len(pairs)), names):
            self._signals[row.monitor_id, row.key] = _KnownSignal(
                Signal(
                    status=Status(row.status),
                    since=row.since,
                    occurred_at=row.occurred_at,
                    event_id=row.event_id,
                    resolve_at=row.resolve_at,
                ),
                row.incident_id,
                row.message,
            )

    def status_of(self, monitor_id: str, key: str) -> Status:
        """The status of a loaded signal, pending when there is none."""
        known = self._signals.get((monitor_id, key))
        return known.signal.status if known else Status.PENDING

    def told_until(self, monitor_id: str, key: str) -> datetime | None:
        """The time of the newest event of a loaded signal."""
        known = self._signals.get((monitor_id, key))
        return known.signal.occurred_at if known else None

    def resolve_at(self, monitor_id: str, key: str) -> datetime | None:
        """When a loaded signal ends by itself."""
        known = self._signals.get((monitor_id, key))
        return known.signal.resolve_at if known else None

    def observe(self, observation: Observation) -> bool:
        """Store the event as a check and fold it into its signal.

        Returns False when the event is late: kept as a check, without effect.
        """
        monitor, event = observation.monitor, observation.event
        place = (monitor.id, event.key)
        known = self._signals.get(place)
        decision = decide(known.signal if known else None, event)
        check_id = self._add_check(observation, late=decision.late)
        if decision.late:
            return False
        before = known.signal.status if known else Status.PENDING
        incident_id = known.incident_id if known else None
        if decision.transition is not None:
            incident_id = self._move_incident(
                incident_id, observation, decision.transition, check_id
            )
        self._signals[place] = _KnownSignal(decision.signal, incident_id, event.message)
        self._touched[place] = None
        monitor.move(before, event.status, event.occurred_at)
        return True

    def _add_check(self, observation: Observation, *, late: bool) -> str:
        event = observation.event
        check_id = new_id(observation.received_at)
        self._checks.append(
            {
                "id": check_id,
                "monitor_id": observation.monitor.id,
                "key": event.key,
                "status": event.status,
                "message": event.message,
                "metadata": event.metadata,
                "event_id": event.event_id,
                "occurred_at": event.occurred_at,
                "received_at": observation.received_at,
                "late": late,
                "rule": event.rule,
                "delivery_id": observation.delivery_id,
            }
        )
        return check_id

    def _move_incident(
        self,
        incident_id: str | None,
        observation: Observation,
        transition: Transition,
        check_id: str,
    ) -> str | None:
        event = observation.event
        if transition.change is Change.OPENED:
            incident_id = new_id(observation.received_at)
            self._opened[incident_id] = {
                "id": incident_id,
                "monitor_id": observation.monitor.id,
                "key": event.key,
                "status": event.status,
                "opened_at": transition.at,
                "resolved_at": None,
                "rule": event.rule,
                "message": event.message,
            }
        if incident_id is None:
            raise RuntimeError(f"signal {event.key!r} is not up, yet has no incident")
        self._update_incident(incident_id, transition)
        self._timeline.append(
            {
                "id": new_id(observation.received_at),
                "incident_id": incident_id,
                "change": transition.change,
                "status_before": transition.before,
                "status_after": transition.after,
                "at": transition.at,
                "message": event.message,
                "rule": event.rule,
                "check_id": check_id,
            }
        )
        return None if transition.change is Change.RESOLVED else incident_id

    def _update_incident(self, incident_id: str, transition: Transition) -> None:
        resolved = transition.change is Change.RESOLVED
        values: dict[str, Any] = {
            "status": transition.before if resolved else transition.after,
            "resolved_at": transition.at if resolved else None,
        }
        if incident_id in self._opened:
            self._opened[incident_id].update(values)
        else:
            self._moved.setdefault(incident_id, {"_id": incident_id}).update(values)

    def flush(self) -> None:
        """Write everything; the caller commits."""
        run = partial(run_many, self._connection)
        run(_INSERT_CHECK, self._checks)
        # The old ones first: of one signal only one incident can be open.
        run(_UPDATE_INCIDENT, list(self._moved.values()))
        run(_INSERT_INCIDENT, list(self._opened.values()))
        run(_INSERT_INCIDENT_EVENT, self._timeline)
        run(
            upsert(self._connection.dialect.name, signals, ("monitor_id", "key")),
            [self._signal_row(place) for place in self._touched],
        )
        run(_UPDATE_MONITOR, [monitor.row() for monitor in self.monitors.values()])

    def _signal_row(self, place: tuple[str, str]) -> dict[str, Any]:
        known = self._signals[place]
        return {
            "monitor_id": place[0],
            "key": place[1],
            "status": known.signal.status,
            "since": known.signal.since,
            "occurred_at": known.signal.occurred_at,
            "event_id": known.signal.event_id,
            "message": known.message,
            "resolve_at": known.signal.resolve_at,
            "incident_id": known.incident_id,
        }


@cache
def _select_signals(count: int) -> TextualSelect:
    """The signals of ``count`` places, bound as ``m0``, ``k0``, ``m1``, ...

    A join, because SQLite reads the whole table for ``(monitor_id, key) IN (VALUES ...)``.
    In text, because SQLAlchemy compiles a list of values anew each time.
    """
    places = ", ".join(f"(:m{number}, :k{number})" for number in range(count))
    columns = ", ".join(f"signals.{column.name}" for column in signals.columns)
    return text(
        f"WITH wanted (monitor_id, key) AS (VALUES {places}) "  # noqa: S608 - our own names
        f"SELECT {columns} FROM wanted JOIN signals "
        "ON signals.monitor_id = wanted.monitor_id AND signals.key = wanted.key"
    ).columns(*signals.columns)


def _lock(connection: Connection, monitor_ids: Iterable[str]) -> dict[str, LockedMonitor]:
    # Always in the order of the ids: two transactions cannot wait for each other.
    ids = sorted(set(monitor_ids))
    query = (
        select(*_LOCKED_COLUMNS)
        .where(monitors.c.id.in_(ids))
        .order_by(monitors.c.id)
        .with_for_update()
    )
    return {row.id: _locked_monitor(row) for row in connection.execute(query)}


def _locked_monitor(row: Any) -> LockedMonitor:
    return LockedMonitor(
        id=row.id,
        revision=row.revision,
        active=row.active,
        status=Status(row.status),
        status_since=row.status_since,
        counts={
            Status.UP: row.signals_up,
            Status.DEGRADED: row.signals_degraded,
            Status.DOWN: row.signals_down,
        },
        heartbeat_interval=row.heartbeat_interval,
        heartbeat_grace=row.heartbeat_grace,
        heartbeat_schedule=row.heartbeat_schedule,
        heartbeat_zone=row.heartbeat_zone,
        heartbeat_late_after=row.heartbeat_late_after,
        heartbeat_max_run=row.heartbeat_max_run,
        webhook_is_heartbeat=row.webhook_is_heartbeat,
        last_heartbeat=row.last_heartbeat,
        clock_started=row.clock_started,
        deadline=row.deadline,
        open_runs=row.open_runs,
        stale_after=row.stale_after,
        rate_state=row.rate_state,
    )
