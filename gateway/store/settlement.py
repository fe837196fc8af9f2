"""What became of a claimed alert: sent, to be tried again, or dead; and what follows from it.

Locks are taken in the order of `gateway.store.outbox`: monitor, alert, channel.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gateway.core.alerting import BREAKER_AFTER, reminder_after
from gateway.core.model import Change
from gateway.ids import new_id
from gateway.store.engine import Store
from gateway.store.outbox import Claimed
from gateway.store.tables import alerts, channels, monitors


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an alert was not sent, when to try again (None: never), and how long to pause."""

    error: str
    retry_at: datetime | None
    paused_until: datetime | None


def settle_sent(store: Store, claimed: Claimed, now: datetime) -> bool:
    """Note that an alert was sent; False when its lease had ended and somebody else has it.

    The next reminder takes its place. A channel that works again gets at once what its
    failures had put off.
    """
    with store.write() as connection:
        _lock_monitor(connection, claimed)
        if not _settle(connection, claimed, state="sent", sent_at=now, last_error=""):
            return False
        channel = claimed.channel
        drop_reminders(connection, claimed.incident.id, channel.id)
        _add_reminder(connection, claimed, now)
        if channel.failures:
            healed = {"failures": 0, "paused_until": None, "last_error": ""}
            connection.execute(update(channels).where(channels.c.id == channel.id).values(healed))
        if channel.failures >= BREAKER_AFTER:
            bring_forward(connection, channel.id, now)
    return True


def settle_failed(store: Store, claimed: Claimed, failure: Failure, now: datetime) -> bool:
    """Note that an alert was not sent; False when its lease had ended.

    A dead one is followed by the next reminder all the same: a channel that works again
    must hear of what is still open.
    """
    state = "pending" if failure.retry_at else "dead"
    values: dict[str, Any] = {"state": state, "last_error": failure.error}
    if failure.retry_at:
        values["due_at"] = failure.retry_at
    with store.write() as connection:
        if failure.retry_at is None:
            _lock_monitor(connection, claimed)
        settled = _settle(connection, claimed, **values)
        if settled and failure.retry_at is None:
            _add_reminder(connection, claimed, now)
        if settled:
            broken = {
                "failures": channels.c.failures + 1,
                "paused_until": failure.paused_until,
                "last_error": failure.error,
            }
            channel = update(channels).where(channels.c.id == claimed.channel.id)
            connection.execute(channel.values(broken))
    return settled


def drop_reminders(connection: Connection, incident_id: str, channel_id: str | None = None) -> None:
    """Drop the reminders of an incident that still wait, of all channels or of one."""
    waiting = [
        alerts.c.incident_id == incident_id,
        alerts.c.state == "pending",
        alerts.c.reminder > 0,
    ]
    if channel_id is not None:
        waiting.append(alerts.c.channel_id == channel_id)
    connection.execute(update(alerts).where(*waiting).values(state="dropped"))


def bring_forward(connection: Connection, channel_id: str, now: datetime) -> None:
    """Make due now what failures of a channel have put off; reminders keep their time."""
    put_off = (
        select(alerts.c.id)
        .where(
            alerts.c.channel_id == channel_id,
            alerts.c.state == "pending",
            alerts.c.due_at > now,
            alerts.c.reminder == 0,
        )
        .with_for_update(skip_locked=True)
    )
    connection.execute(update(alerts).where(alerts.c.id.in_(put_off)).values(due_at=now))


def _settle(connection: Connection, claimed: Claimed, **values: Any) -> bool:
    # The number of attempts tells this claim from a later one of the same alert.
    mine = (
        alerts.c.id == claimed.id,
        alerts.c.attempts == claimed.attempts,
        alerts.c.state == "pending",
    )
    statement = update(alerts).where(*mine).values(lease_until=None, **values)
    return connection.execute(statement.returning(alerts.c.id)).first() is not None


def _lock_monitor(connection: Connection, claimed: Claimed) -> None:
    """Keep transitions of the incident out: they number their alerts as reminders do."""
    if not claimed.channel.reminders:
        return
    query = select(monitors.c.id).where(monitors.c.id == claimed.monitor.id)
    connection.execute(query.with_for_update())


def _add_reminder(connection: Connection, claimed: Claimed, now: datetime) -> None:
    channel = claimed.channel
    wait = reminder_after(channel.reminders, claimed.reminder + 1)
    newest = claimed.told[-1].event
    if wait is None or newest.change == Change.RESOLVED:
        return
    query = select(func.max(alerts.c.sequence)).where(
        alerts.c.incident_id == claimed.incident.id, alerts.c.channel_id == channel.id
    )
    sequence: int = connection.scalar(query) or 0
    connection.execute(
        insert(alerts).values(
            id=new_id(now),
            team_id=channel.team_id,
            channel_id=channel.id,
            monitor_id=claimed.monitor.id,
            incident_id=claimed.incident.id,
            incident_event_id=newest.id,
            sequence=sequence + 1,
            reminder=claimed.reminder + 1,
            state="pending",
            due_at=now + wait,
            attempts=0,
            last_error="",
        )
    )
