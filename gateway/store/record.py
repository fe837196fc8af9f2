"""The record transaction: many deliveries and heartbeats, one commit.

It settles what only the database can know: the monitor's revision, the exact rate limit,
the duplicate, the order. See docs/explanation/recording.md.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.core.errors import DeliveryError, RateLimited
from gateway.core.model import HEARTBEAT_KEY, Event, Outcome, Status
from gateway.core.ratelimit import Limit, admit
from gateway.store import feeds, heartbeats
from gateway.store.bulk import Insert, Row, Select, read_rows, write_rows
from gateway.store.engine import Store
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.ledger import Ledger, LockedMonitor, Observation
from gateway.store.tables import deliveries, seen_events

PAUSED = "paused"
_INSERT_DELIVERIES = Insert(deliveries, tuple(deliveries.c.keys()))
_READ_SEEN = Select(seen_events, ("monitor_id", "event_id"), key=("monitor_id", "event_id"))
_INSERT_SEEN = Insert(seen_events, ("monitor_id", "event_id", "seen_at"))
_FAST = 1  # zlib: half the work of the default for a tenth more bytes


class StaleMonitor(DeliveryError):
    """The monitor changed since the caller read it; read it again and start over."""

    code = "monitor_changed"


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the webhook log keeps of a delivery. ``body`` is redacted and cut."""

    id: str
    provider: str
    method: str
    headers: dict[str, str]
    remote_address: str
    body_size: int
    body_sha256: str
    body: bytes


@dataclass(frozen=True, slots=True)
class DeliveryEntry:
    """A delivery to record, and what is known of its outcome before the transaction.

    Only an ``authentic`` one is subject to revision and rate limit; a refused one is
    logged and has no other effect.
    """

    monitor_id: str
    revision: int
    received_at: datetime
    log: LogLine
    outcome: Outcome
    authentic: bool
    rule: str = ""
    reason: str = ""
    events: tuple[Event, ...] = ()


Entry = DeliveryEntry | HeartbeatEntry


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an entry, and the monitor's state after it."""

    outcome: Outcome
    status: Status
    reason: str = ""
    last_heartbeat: datetime | None = None


Result = Recorded | DeliveryError


def record(store: Store, entries: Sequence[Entry], limit: Limit) -> list[Result]:
    """Record a batch in one transaction; the results are in the order of the entries.

    A result is an error when this entry alone is refused: `StaleMonitor`, `RateLimited`.
    Raises `Unavailable`, with nothing stored, when the database does not answer.
    """
    with store.write() as connection:
        return record_in(connection, entries, limit)


def record_in(connection: Connection, entries: Sequence[Entry], limit: Limit) -> list[Result]:
    """As `record`, within a transaction that the caller commits."""
    ledger = Ledger(connection, (entry.monitor_id for entry in entries))
    refusals = [_refusal(ledger, entry, limit) for entry in entries]
    accepted = [entry for entry, refusal in zip(entries, refusals, strict=True) if refusal is None]
    ledger.load_signals(_signals_of(ledger, accepted))
    writer = _Writer(connection, ledger, _claim_events(connection, ledger, accepted))
    results = [
        refusal or writer.write(entry) for entry, refusal in zip(entries, refusals, strict=True)
    ]
    writer.flush()
    return results


def _refusal(ledger: Ledger, entry: Entry, limit: Limit) -> DeliveryError | None:
    monitor = ledger.monitors.get(entry.monitor_id)
    if monitor is None or monitor.revision != entry.revision:
        return StaleMonitor("the monitor has changed")
    if not isinstance(entry, DeliveryEntry) or not entry.authentic:
        return None
    admission = admit(monitor.rate_state, limit, entry.received_at)
    monitor.rate_state = admission.state
    if admission.allowed:
        return None
    seconds = admission.retry_after / timedelta(seconds=1)
    return RateLimited("too many deliveries to this monitor", retry_after=seconds)


def _signals_of(ledger: Ledger, entries: Iterable[Entry]) -> Iterable[tuple[str, str]]:
    for entry in entries:
        if isinstance(entry, HeartbeatEntry):
            yield entry.monitor_id, HEARTBEAT_KEY
            continue
        if ledger.monitors[entry.monitor_id].webhook_is_heartbeat:
            yield entry.monitor_id, HEARTBEAT_KEY
        for event in entry.events:
            yield entry.monitor_id, event.key


def _claim_events(
    connection: Connection, ledger: Ledger, entries: Iterable[Entry]
) -> set[tuple[str, str]]:
    """The (monitor, event id) pairs of these entries that nobody has recorded before.

    They are recorded as seen now. Nobody else can come between: the monitors are locked.
    """
    claimed = {
        (entry.monitor_id, event.event_id): entry.received_at
        for entry in entries
        if isinstance(entry, DeliveryEntry) and ledger.monitors[entry.monitor_id].active
        for event in entry.events
        if event.event_id is not None
    }
    for monitor_id, event_id in read_rows(connection, _READ_SEEN, claimed):
        del claimed[monitor_id, event_id]
    rows: list[Row] = [(*place, seen_at) for place, seen_at in sorted(claimed.items())]
    write_rows(connection, _INSERT_SEEN, rows)
    return set(claimed)


class _Writer:
    """Folds accepted entries, in order, into the ledger and the webhook log."""

    def __init__(
        self, connection: Connection, ledger: Ledger, unclaimed: set[tuple[str, str]]
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._unclaimed = unclaimed
        self._log: list[Row] = []
        self._heard: dict[str, list[datetime]] = {}

    def write(self, entry: Entry) -> Recorded:
        monitor = self._ledger.monitors[entry.monitor_id]
        if isinstance(entry, HeartbeatEntry):
            return self._heartbeat(monitor, entry)
        return self._delivery(monitor, entry)

    def flush(self) -> None:
        write_rows(self._connection, _INSERT_DELIVERIES, self._log)
        feeds.hear(self._connection, self._heard)
        self._ledger.flush()

    def _delivery(self, monitor: LockedMonitor, entry: DeliveryEntry) -> Recorded:
        outcome, reason = entry.outcome, entry.reason
        if entry.events and not monitor.active:
            outcome, reason = Outcome.IGNORED, PAUSED
        elif entry.events:
            outcome = self._observe(monitor, entry)
        if entry.authentic and monitor.active:
            self._hear(monitor, entry.received_at)
        self._log.append(_log_row(entry, outcome, reason))
        return Recorded(outcome, monitor.status, reason, monitor.last_heartbeat)

    def _observe(self, monitor: LockedMonitor, entry: DeliveryEntry) -> Outcome:
        fresh = [event for event in entry.events if self._is_new(monitor.id, event)]
        if not fresh:
            return Outcome.DUPLICATE
        observations = [
            Observation(monitor, event, entry.received_at, entry.log.id) for event in fresh
        ]
        effective = [self._ledger.observe(observation) for observation in observations]
        return Outcome.RECORDED if any(effective) else Outcome.LATE

    def _is_new(self, monitor_id: str, event: Event) -> bool:
        if event.event_id is None:
            return True
        pair = (monitor_id, event.event_id)
        if pair not in self._unclaimed:
            return False
        self._unclaimed.remove(pair)
        return True

    def _hear(self, monitor: LockedMonitor, received_at: datetime) -> None:
        """Whatever an authentic delivery says, its sender is there."""
        if monitor.webhook_is_heartbeat:
            heartbeats.live(self._ledger, monitor, received_at)
        if monitor.stale_after is not None:
            self._heard.setdefault(monitor.id, []).append(received_at)

    def _heartbeat(self, monitor: LockedMonitor, entry: HeartbeatEntry) -> Recorded:
        heartbeats.take(self._connection, self._ledger, monitor, entry)
        return Recorded(Outcome.RECORDED, monitor.status, last_heartbeat=monitor.last_heartbeat)


def _log_row(entry: DeliveryEntry, outcome: Outcome, reason: str) -> Row:
    line = entry.log
    return (
        line.id,
        entry.monitor_id,
        entry.received_at,
        line.provider,
        outcome,
        entry.rule,
        reason,
        line.method,
        line.headers,
        line.remote_address,
        line.body_size,
        line.body_sha256,
        zlib.compress(line.body, _FAST),
    )
