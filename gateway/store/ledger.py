"""Monitors and signals that a transaction has locked, and what it will write to them.

Both the record transaction and the sweep load a ledger, fold events into it through the
pure ``decide``, and flush it before they commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from operator import attrgetter

from sqlalchemy import Connection

from gateway.core.alerting import Step
from gateway.core.model import Change, Event, Signal, Status, Transition, roll_up
from gateway.core.status import decide
from gateway.core.uptime import Tally
from gateway.ids import new_id
from gateway.store.alert_rows import write_alerts
from gateway.store.bulk import Insert, Row, Select, Update, read_rows, write_rows
from gateway.store.days import (
    FORGET_DAYS,
    TALLY_NAMES,
    WRITE_DAYS,
    day_of_row,
    day_values,
    ended_rows,
    forgotten_row,
)
from gateway.store.tables import checks, incident_events, incidents, monitors, signals


@dataclass(slots=True)
class LockedMonitor:
    """The columns of a monitor row that folding events reads and writes."""

    id: str
    status: Status
    status_since: datetime
    signals_up: int
    signals_degraded: int
    signals_down: int
    last_heartbeat: datetime | None
    clock_started: datetime | None
    deadline: datetime | None
    open_runs: int
    rate_state: datetime | None
    revision: int
    active: bool
    heartbeat_interval: int | None
    heartbeat_grace: int
    heartbeat_schedule: str | None
    heartbeat_zone: str
    heartbeat_late_after: int | None
    heartbeat_max_run: int | None
    webhook_is_heartbeat: bool
    stale_after: int | None
    tally: Tally

    def move(self, before: Status, after: Status, at: datetime, now: datetime) -> None:
        """Count one signal under its new status and roll the monitor up.

        ``at`` is when it happened, ``now`` when it was heard of.
        """
        if before is after:
            return
        if before is not Status.PENDING:
            self._count(before, -1)
        self._count(after, +1)
        counts = {
            Status.UP: self.signals_up,
            Status.DEGRADED: self.signals_degraded,
            Status.DOWN: self.signals_down,
        }
        status = roll_up(status for status, count in counts.items() if count)
        if status is not self.status:
            self.settle(min(at, now))
            self.status, self.status_since = status, at

    def settle(self, at: datetime) -> None:
        """Count the time up to ``at`` for the status that ends then; a pause is unknown."""
        self.tally.end(self.status if self.active else Status.PENDING, at)

    def _count(self, status: Status, step: int) -> None:
        name = _COUNTERS[status]
        setattr(self, name, getattr(self, name) + step)


_COUNTERS = {
    Status.UP: "signals_up",
    Status.DEGRADED: "signals_degraded",
    Status.DOWN: "signals_down",
}
_OF_ROW = tuple(field.name for field in fields(LockedMonitor) if field.name != "tally")
_KEPT = (
    "id",
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
_LOCK_MONITORS = Select(monitors, (*_OF_ROW, *TALLY_NAMES), key=("id",), lock=True)
_UPDATE_MONITORS = Update(monitors, (*_KEPT, *TALLY_NAMES))
_kept = attrgetter(*_KEPT)


@dataclass(slots=True)
class _Incident:
    """An incident row that this transaction makes."""

    id: str
    monitor_id: str
    key: str
    status: Status
    opened_at: datetime
    resolved_at: datetime | None
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class _KnownSignal:
    signal: Signal
    incident_id: str | None
    message: str


_SIGNAL_STATE = tuple(field.name for field in fields(Signal))
_SIGNAL = ("monitor_id", "key", *_SIGNAL_STATE, "incident_id", "message")
_READ_SIGNALS = Select(signals, _SIGNAL, key=("monitor_id", "key"))
_PUT_SIGNALS = Insert(signals, _SIGNAL, replace=("monitor_id", "key"))
_INSERT_CHECKS = Insert(checks, tuple(checks.c.keys()))
_INCIDENT = tuple(field.name for field in fields(_Incident))
_INSERT_INCIDENTS = Insert(incidents, _INCIDENT)
_UPDATE_INCIDENTS = Update(incidents, ("id", "status", "resolved_at"))
_INSERT_INCIDENT_EVENTS = Insert(incident_events, tuple(incident_events.c.keys()))
_signal_state = attrgetter(*_SIGNAL_STATE)
_incident_row = attrgetter(*_INCIDENT)


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
        self._touched: set[tuple[str, str]] = set()
        self._checks: list[Row] = []
        self._opened: dict[str, _Incident] = {}
        self._moved: dict[str, tuple[Status, datetime | None]] = {}
        self._timeline: list[Row] = []
        self._steps: list[Step] = []

    def load_signals(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read the signals of these (monitor id, key) pairs; absent ones stay absent."""
        for row in read_rows(self._connection, _READ_SIGNALS, set(wanted)):
            monitor_id, key, *state, incident_id, message = row
            self._signals[monitor_id, key] = _KnownSignal(Signal(*state), incident_id, message)

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
            monitor.tally.count(event.status, observation.received_at)
            return False
        before = known.signal.status if known else Status.PENDING
        incident_id = known.incident_id if known else None
        if decision.transition is not None:
            incident_id = self._move_incident(
                incident_id, observation, decision.transition, check_id
            )
        self._signals[place] = _KnownSignal(decision.signal, incident_id, event.message)
        self._touched.add(place)
        monitor.move(before, event.status, event.occurred_at, observation.received_at)
        # Last, as it may turn the day: the move before may belong to yesterday.
        opened = decision.transition is not None and decision.transition.change is Change.OPENED
        monitor.tally.count(event.status, observation.received_at, incidents=opened)
        return True

    def _add_check(self, observation: Observation, *, late: bool) -> str:
        event = observation.event
        check_id = new_id(observation.received_at)
        self._checks.append(
            (
                check_id,
                observation.monitor.id,
                event.key,
                event.status,
                event.message,
                event.metadata,
                event.event_id,
                event.occurred_at,
                observation.received_at,
                late,
                event.rule,
                observation.delivery_id,
            )
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
            self._opened[incident_id] = _Incident(
                id=incident_id,
                monitor_id=observation.monitor.id,
                key=event.key,
                status=event.status,
                opened_at=transition.at,
                resolved_at=None,
                rule=event.rule,
                message=event.message,
            )
        if incident_id is None:
            raise RuntimeError(f"signal {event.key!r} is not up, yet has no incident")
        self._update_incident(incident_id, transition)
        self._add_step(incident_id, observation, transition, check_id)
        return None if transition.change is Change.RESOLVED else incident_id

    def _add_step(
        self, incident_id: str, observation: Observation, transition: Transition, check_id: str
    ) -> None:
        event = observation.event
        event_id = new_id(observation.received_at)
        self._steps.append(
            Step(
                event_id,
                incident_id,
                observation.monitor.id,
                transition.change,
                transition.after,
                observation.received_at,
            )
        )
        self._timeline.append(
            (
                event_id,
                incident_id,
                transition.change,
                transition.before,
                transition.after,
                transition.at,
                event.message,
                event.rule,
                check_id,
            )
        )

    def _update_incident(self, incident_id: str, transition: Transition) -> None:
        resolved = transition.change is Change.RESOLVED
        status = transition.before if resolved else transition.after
        resolved_at = transition.at if resolved else None
        if opened := self._opened.get(incident_id):
            opened.status, opened.resolved_at = status, resolved_at
        else:
            self._moved[incident_id] = status, resolved_at

    def flush(self) -> None:
        """Write everything; the caller commits."""
        write = partial(write_rows, self._connection)
        write(_INSERT_CHECKS, self._checks)
        # The old ones first: of one signal only one incident can be open.
        write(_UPDATE_INCIDENTS, [(key, *state) for key, state in self._moved.items()])
        write(_INSERT_INCIDENTS, [_incident_row(each) for each in self._opened.values()])
        write(_INSERT_INCIDENT_EVENTS, self._timeline)
        write(_PUT_SIGNALS, [self._signal_row(place) for place in sorted(self._touched)])
        write(_UPDATE_MONITORS, [_monitor_row(each) for each in self.monitors.values()])
        self._flush_days()
        write_alerts(self._connection, self._steps)

    def _flush_days(self) -> None:
        turned = [each for each in self.monitors.values() if each.tally.ended]
        ended = [row for each in turned for row in ended_rows(each.id, each.tally)]
        write_rows(self._connection, WRITE_DAYS, ended)
        if turned:
            forgotten = [forgotten_row(each.id, each.tally) for each in turned]
            self._connection.execute(FORGET_DAYS, forgotten)

    def _signal_row(self, place: tuple[str, str]) -> Row:
        known = self._signals[place]
        return *place, *_signal_state(known.signal), known.incident_id, known.message


def _lock(connection: Connection, monitor_ids: Iterable[str]) -> dict[str, LockedMonitor]:
    ids = {(monitor_id,) for monitor_id in monitor_ids}
    width = len(_OF_ROW)
    locked = (
        LockedMonitor(*(*row[:width], Tally(day_of_row(row[width:]))))
        for row in read_rows(connection, _LOCK_MONITORS, ids)
    )
    return {monitor.id: monitor for monitor in locked}


def _monitor_row(monitor: LockedMonitor) -> Row:
    return *_kept(monitor), *day_values(monitor.tally.day)
