"""Finds signals that end by themselves: ``resolve_after`` of their rule has passed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from gateway.core.heartbeat import expired
from gateway.store.chores import Place, Sight, Swept
from gateway.store.ledger import Ledger, Observation
from gateway.store.tables import monitors, signals


class PromisedRecoveries:
    """The times at which signals resolve."""

    name = "recovery"

    def claim(self, connection: Connection, sight: Sight, limit: int) -> list[Place]:
        """Find signals and lock their monitors, the most overdue first."""
        query = (
            select(signals.c.monitor_id, signals.c.key)
            .join(monitors, monitors.c.id == signals.c.monitor_id)
            .where(signals.c.resolve_at <= sight.due)
            .order_by(signals.c.resolve_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=monitors)
        )
        return [(row.monitor_id, row.key) for row in connection.execute(query)]

    def settle(self, connection: Connection, places: Sequence[Place], sight: Sight) -> Swept:
        """Record the recoveries."""
        ledger = Ledger(connection, (place[0] for place in places))
        ledger.load_signals((place[0], place[1]) for place in places)
        resolved, lag = 0, timedelta(0)
        for monitor_id, key in places:
            resolve_at = ledger.resolve_at(monitor_id, key)
            if resolve_at is not None and resolve_at <= sight.due:
                monitor = ledger.monitors[monitor_id]
                ledger.observe(Observation(monitor, expired(key, resolve_at), sight.now))
                resolved, lag = resolved + 1, max(lag, sight.now - resolve_at)
        ledger.flush()
        return Swept(resolved=resolved, lag=lag)

    def put_off(self, connection: Connection, place: Place, until: datetime) -> None:
        """Let a signal that cannot be resolved stand a while longer."""
        connection.execute(
            update(signals)
            .where(signals.c.monitor_id == place[0], signals.c.key == place[1])
            .values(resolve_at=until)
        )
