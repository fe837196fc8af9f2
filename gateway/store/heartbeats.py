"""What a heartbeat does to its monitor."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.core.heartbeat import ALIVE, Beat, Word, failed, sign_of_life
from gateway.core.model import HEARTBEAT_KEY, Status
from gateway.store.expectations import expectation_of
from gateway.store.ledger import Ledger, LockedMonitor, Observation
from gateway.store.runs import Log, end_run, start_run


@dataclass(frozen=True, slots=True)
class HeartbeatEntry:
    """A sign of life to record."""

    monitor_id: str
    revision: int
    received_at: datetime
    word: Word = ALIVE
    log: Log | None = None


def take(
    connection: Connection, ledger: Ledger, monitor: LockedMonitor, entry: HeartbeatEntry
) -> None:
    """Fold one heartbeat into its monitor."""
    word = entry.word
    if word.beat is Beat.START:
        _hear(monitor, entry.received_at)
        start_run(connection, monitor, word.run, entry.log, entry.received_at)
        if monitor.heartbeat_max_run is not None:
            _wait(monitor)
        return
    if monitor.open_runs or not word.is_plain:
        end_run(connection, monitor, word, entry.log, entry.received_at)
    if word.beat is Beat.FAIL:
        _fail(ledger, monitor, entry)
    else:
        live(ledger, monitor, entry.received_at)


def live(ledger: Ledger, monitor: LockedMonitor, received_at: datetime) -> None:
    """Take a sign of life that says nothing else."""
    at = _hear(monitor, received_at)
    if not monitor.active:
        return
    _wait(monitor)
    # A sign of life that changes nothing is not worth a check of its own.
    if ledger.status_of(monitor.id, HEARTBEAT_KEY) is not Status.UP:
        ledger.observe(Observation(monitor, sign_of_life(at), received_at))


def _fail(ledger: Ledger, monitor: LockedMonitor, entry: HeartbeatEntry) -> None:
    at = _hear(monitor, entry.received_at)
    if monitor.active:
        _wait(monitor)
        event = failed(at, entry.word.exit_code)
        ledger.observe(Observation(monitor, event, entry.received_at))


def _hear(monitor: LockedMonitor, received_at: datetime) -> datetime:
    """When the monitor was last heard. Processes may overtake each other; time does not."""
    monitor.last_heartbeat = max(received_at, monitor.last_heartbeat or received_at)
    return monitor.last_heartbeat


def _wait(monitor: LockedMonitor) -> None:
    """Wait for the next sign from the last one on."""
    expectation = expectation_of(monitor)
    if monitor.active and expectation is not None and monitor.last_heartbeat is not None:
        monitor.clock_started = monitor.last_heartbeat
        monitor.deadline = expectation.deadline(monitor.last_heartbeat)
