"""Finds what time alone has changed: missed heartbeats and recoveries by ``resolve_after``."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from gateway.core.heartbeat import expired, missed
from gateway.core.model import HEARTBEAT_KEY
from gateway.store.engine import Store
from gateway.store.ledger import Ledger, Observation
from gateway.store.tables import monitors, signals

# A heartbeat that came just in time may still be on its way to the database.
SETTLE = timedelta(seconds=2)
BATCH = 200


@dataclass(frozen=True, slots=True)
class Swept:
    """How many deadlines one sweep handled, and how late the oldest was noticed."""

    missed: int = 0
    resolved: int = 0
    lag: timedelta = timedelta(0)


def sweep(store: Store, now: datetime) -> Swept:
    """Handle every deadline that passed before ``now``, in batches, each its own commit.

    The cost follows what is due, not what exists. Safe to run in many processes: a
    deadline is read again under the lock of its monitor.
    """
    due = now - SETTLE
    heartbeats = recoveries = 0
    lag = timedelta(0)
    while batch := _sweep_heartbeats(store, due, now):
        heartbeats += len(batch)
        lag = max(lag, now - min(batch))
    while count := _sweep_recoveries(store, due, now):
        recoveries += count
    return Swept(heartbeats, recoveries, lag)


def _sweep_heartbeats(store: Store, due: datetime, now: datetime) -> list[datetime]:
    query = (
        select(monitors.c.id)
        .where(monitors.c.deadline <= due)
        .order_by(monitors.c.deadline)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    with store.write() as connection:
        ids = connection.scalars(query).all()
        if not ids:
            return []
        ledger = Ledger(connection, ids)
        ledger.load_signals((monitor_id, HEARTBEAT_KEY) for monitor_id in ids)
        passed = []
        for monitor in ledger.monitors.values():
            if monitor.deadline is not None and monitor.deadline <= due:
                passed.append(monitor.deadline)
                ledger.observe(Observation(monitor, missed(monitor.deadline), now))
                monitor.deadline = None
        ledger.flush()
    return passed


def _sweep_recoveries(store: Store, due: datetime, now: datetime) -> int:
    query = (
        select(signals.c.monitor_id, signals.c.key)
        .where(signals.c.resolve_at <= due)
        .order_by(signals.c.resolve_at)
        .limit(BATCH)
    )
    with store.write() as connection:
        places = [(row.monitor_id, row.key) for row in connection.execute(query)]
        if not places:
            return 0
        ledger = Ledger(connection, (monitor_id for monitor_id, _ in places))
        ledger.load_signals(places)
        count = _resolve(ledger, places, due, now)
        ledger.flush()
    return count


def _resolve(ledger: Ledger, places: list[tuple[str, str]], due: datetime, now: datetime) -> int:
    count = 0
    for monitor_id, key in places:
        resolve_at = ledger.resolve_at(monitor_id, key)
        if resolve_at is not None and resolve_at <= due:
            monitor = ledger.monitors[monitor_id]
            ledger.observe(Observation(monitor, expired(key, resolve_at), now))
            count += 1
    return count
