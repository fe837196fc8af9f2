"""What was sent and what was not: for people to read, to send again, and to forget."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, select, update

from gateway.ids import first_id
from gateway.store.engine import Store
from gateway.store.settlement import bring_forward
from gateway.store.tables import alerts, channels, incident_events, incidents, monitors

STATES = ("pending", "sent", "merged", "dead", "dropped")
_BATCH = 1000


def list_alerts(
    store: Store, team_id: str, *, state: str | None, before: str | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest alerts of a team, with the names of channel and monitor."""
    query = _readable().where(alerts.c.team_id == team_id)
    if state is not None:
        query = query.where(alerts.c.state == state)
    if before is not None:
        query = query.where(alerts.c.id < before)
    with store.read() as connection:
        return connection.execute(query.order_by(alerts.c.id.desc()).limit(limit)).all()


def find(store: Store, team_id: str, alert_id: str) -> Row[Any] | None:
    """A team's alert by its id."""
    query = _readable().where(alerts.c.team_id == team_id, alerts.c.id == alert_id)
    with store.read() as connection:
        return connection.execute(query).first()


def resend(store: Store, team_id: str, alert_id: str, now: datetime) -> bool:
    """Give a dead alert all its attempts again, from now on; False unless it is dead.

    The pause of its channel ends too: whoever asks believes that it works again.
    """
    dead = (alerts.c.team_id == team_id, alerts.c.id == alert_id, alerts.c.state == "dead")
    with store.write() as connection:
        row = connection.execute(
            update(alerts)
            .where(*dead)
            .values(state="pending", due_at=now, attempts=0, lease_until=None)
            .returning(alerts.c.channel_id)
        ).first()
        if row is not None:
            connection.execute(
                update(channels).where(channels.c.id == row.channel_id).values(paused_until=None)
            )
    return row is not None


def close_breaker(store: Store, channel_id: str, now: datetime) -> None:
    """Note that a channel was seen to work: what waited for it is due now."""
    healed = {"failures": 0, "paused_until": None, "last_error": ""}
    with store.write() as connection:
        bring_forward(connection, channel_id, now)
        connection.execute(update(channels).where(channels.c.id == channel_id).values(healed))


def forget(store: Store, before: datetime) -> int:
    """Delete settled alerts older than ``before``, but those of open incidents, in batches.

    Returns how many. What an open incident's channels have been told must be remembered.
    """
    still_open = exists().where(
        incidents.c.id == alerts.c.incident_id, incidents.c.resolved_at.is_(None)
    )
    old = (
        select(alerts.c.id)
        .where(alerts.c.id < first_id(before), alerts.c.state != "pending", ~still_open)
        .limit(_BATCH)
    )
    forgotten = 0
    while True:
        with store.write() as connection:
            gone = connection.scalars(
                delete(alerts).where(alerts.c.id.in_(old)).returning(alerts.c.id)
            ).all()
        forgotten += len(gone)
        if len(gone) < _BATCH:
            return forgotten


def _readable() -> Any:
    return (
        select(
            alerts,
            channels.c.name.label("channel_name"),
            monitors.c.name.label("monitor_name"),
            incident_events.c.change,
        )
        .join(channels, channels.c.id == alerts.c.channel_id)
        .join(monitors, monitors.c.id == alerts.c.monitor_id)
        .join(incident_events, incident_events.c.id == alerts.c.incident_event_id)
    )
