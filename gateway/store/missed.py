"""Finds monitors from which a sign of life is overdue."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from gateway.core.blindness import Blindness
from gateway.core.heartbeat import silence_until
from gateway.core.model import HEARTBEAT_KEY, Status
from gateway.store.chores import Place, Sight, Swept
from gateway.store.expectations import expectation_of
from gateway.store.ledger import Ledger, LockedMonitor, Observation
from gateway.store.tables import monitors
from gateway.store.watermarks import blind_since


class MissedHeartbeats:
    """The deadlines of monitors."""

    name = "heartbeat"

    def claim(self, connection: Connection, sight: Sight, limit: int) -> list[Place]:
        """Find and lock monitors, the most overdue first."""
        query = (
            select(monitors.c.id)
            .where(monitors.c.deadline <= sight.due)
            .order_by(monitors.c.deadline)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [(monitor_id,) for monitor_id in connection.scalars(query)]

    def settle(self, connection: Connection, places: Sequence[Place], sight: Sight) -> Swept:
        """Record what the silence of these monitors has led to."""
        ledger = Ledger(connection, (place[0] for place in places))
        ledger.load_signals((monitor_id, HEARTBEAT_KEY) for monitor_id in ledger.monitors)
        due = [
            each
            for each in ledger.monitors.values()
            if each.deadline is not None and each.deadline <= sight.due
        ]
        starts = [each.clock_started for each in due if each.clock_started is not None]
        blind = blind_since(connection, min(starts)) if starts else []
        swept = Swept()
        for monitor in due:
            swept += _settle(ledger, monitor, sight, blind)
        ledger.flush()
        return swept

    def put_off(self, connection: Connection, place: Place, until: datetime) -> None:
        """Look again later. What happened keeps its own time."""
        connection.execute(update(monitors).where(monitors.c.id == place[0]).values(deadline=until))


def _settle(
    ledger: Ledger, monitor: LockedMonitor, sight: Sight, blind: Sequence[Blindness]
) -> Swept:
    expectation = expectation_of(monitor)
    if expectation is None or monitor.clock_started is None:
        monitor.deadline = None
        return Swept()
    silence = silence_until(
        expectation,
        monitor.clock_started,
        sight.due,
        status=ledger.status_of(monitor.id, HEARTBEAT_KEY),
        told=ledger.told_until(monitor.id, HEARTBEAT_KEY),
        blind=blind,
    )
    monitor.deadline = silence.next_at
    for event in silence.events:
        ledger.observe(Observation(monitor, event, sight.now))
    down = sum(event.status is Status.DOWN for event in silence.events)
    lags = [sight.now - event.occurred_at for event in silence.events]
    return Swept(missed=down, late=len(lags) - down, lag=max(lags, default=Swept().lag))
