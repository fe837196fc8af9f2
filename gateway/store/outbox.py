"""The outbox: which alert is sent next, by whom, and what became of it.

States: ``pending`` until it is ``sent``; ``merged`` when a later alert of its incident
tells of it too; ``dead`` when it was tried too often; ``dropped`` when nobody wants it any
more. Locks are taken in one order everywhere: monitor, alert, channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    exists,
    or_,
    select,
    update,
)

from gateway.store.channels import Channel, channel_of
from gateway.store.engine import Store
from gateway.store.tables import alerts, channels, incident_events, incidents, monitors

_MONITOR_COLUMNS: tuple[Column[Any], ...] = (
    monitors.c.id,
    monitors.c.name,
    monitors.c.url,
    monitors.c.tags,
)
_earlier = alerts.alias("earlier")
_later = alerts.alias("later")


@dataclass(frozen=True, slots=True)
class Told:
    """One transition that an alert tells of, and the id of the alert that it would be alone."""

    alert_id: str
    event: Row[Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An alert that the caller, and nobody else, may send until its lease ends.

    ``attempts`` counts this one; ``told`` are its transitions, oldest first.
    """

    id: str
    channel: Channel
    incident: Row[Any]
    monitor: Row[Any]
    told: tuple[Told, ...]
    reminder: int
    due_at: datetime
    attempts: int


def due_channels(store: Store, now: datetime) -> Sequence[str]:
    """The channels with something to send that may be tried now."""
    waiting = exists().where(alerts.c.channel_id == channels.c.id, *_due(now))
    with store.read() as connection:
        return connection.scalars(select(channels.c.id).where(*_usable(now), waiting)).all()


def claim(store: Store, channel_id: str, now: datetime, lease: timedelta) -> Claimed | None:
    """Take the next alert of a channel, or None when there is none to be had now.

    Alerts of an incident that wait and were never tried go out as one, that of the newest
    transition. A channel that failed last time gives out one alert at a time.
    """
    with store.write() as connection:
        head = _head(connection, channel_id, now)
        if head is None:
            return None
        usable = select(channels).where(channels.c.id == channel_id, *_usable(now))
        row = connection.execute(usable.with_for_update()).first()
        if row is None:
            return None
        carrier = _merge(connection, head)
        leased = connection.execute(
            update(alerts)
            .where(alerts.c.id == carrier)
            .values(lease_until=now + lease, attempts=alerts.c.attempts + 1)
            .returning(alerts)
        ).one()
        if row.failures:
            resting = update(channels).where(channels.c.id == channel_id)
            connection.execute(resting.values(paused_until=now + lease))
        return _claimed(connection, leased, channel_of(row))


def _usable(now: datetime) -> tuple[ColumnElement[bool], ...]:
    rested = or_(channels.c.paused_until.is_(None), channels.c.paused_until <= now)
    return channels.c.active, rested


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    free = or_(alerts.c.lease_until.is_(None), alerts.c.lease_until <= now)
    return alerts.c.state == "pending", alerts.c.due_at <= now, free


def _head(connection: Connection, channel_id: str, now: datetime) -> Row[Any] | None:
    """The first alert that no earlier one of its incident holds up, locked.

    A reminder that waits holds nothing up; one that is being sent does.
    """
    held_up = exists().where(
        _earlier.c.incident_id == alerts.c.incident_id,
        _earlier.c.channel_id == alerts.c.channel_id,
        _earlier.c.sequence < alerts.c.sequence,
        _earlier.c.state == "pending",
        or_(_earlier.c.reminder == 0, _earlier.c.lease_until > now),
    )
    query = (
        select(alerts)
        .where(alerts.c.channel_id == channel_id, *_due(now), ~held_up)
        .order_by(alerts.c.due_at, alerts.c.id)
        .limit(1)
        .with_for_update(of=alerts, skip_locked=True)
    )
    while (head := connection.execute(query).first()) is not None:
        if _is_wanted(connection, head):
            return head
        connection.execute(update(alerts).where(alerts.c.id == head.id).values(state="dropped"))
    return None


def _is_wanted(connection: Connection, alert: Row[Any]) -> bool:
    """Whether there is still something to tell: its incident exists, and needs reminding of."""
    query = select(incidents.c.resolved_at).where(incidents.c.id == alert.incident_id)
    incident = connection.execute(query).first()
    if incident is None or not alert.reminder:
        return incident is not None
    newer = exists().where(
        _later.c.incident_id == alert.incident_id,
        _later.c.channel_id == alert.channel_id,
        _later.c.sequence > alert.sequence,
    )
    return incident.resolved_at is None and not connection.scalar(select(newer))


def _merge(connection: Connection, head: Row[Any]) -> str:
    """Let the newest of what waits untried behind ``head`` tell of all; returns its id."""
    if head.attempts or head.reminder:
        return str(head.id)
    waiting = connection.scalars(
        select(alerts.c.id)
        .where(
            alerts.c.incident_id == head.incident_id,
            alerts.c.channel_id == head.channel_id,
            alerts.c.sequence >= head.sequence,
            alerts.c.state == "pending",
            alerts.c.reminder == 0,
            alerts.c.attempts == 0,
        )
        .order_by(alerts.c.sequence)
        .with_for_update()
    ).all()
    *others, carrier = map(str, waiting)
    if others:
        merged = update(alerts).where(alerts.c.id.in_(others))
        connection.execute(merged.values(state="merged", merged_into=carrier))
    return carrier


def _claimed(connection: Connection, alert: Row[Any], channel: Channel) -> Claimed:
    incident = connection.execute(
        select(incidents).where(incidents.c.id == alert.incident_id)
    ).one()
    monitor = connection.execute(
        select(*_MONITOR_COLUMNS).where(monitors.c.id == alert.monitor_id)
    ).one()
    return Claimed(
        id=alert.id,
        channel=channel,
        incident=incident,
        monitor=monitor,
        told=_told(connection, alert),
        reminder=alert.reminder,
        due_at=alert.due_at,
        attempts=alert.attempts,
    )


def _told(connection: Connection, alert: Row[Any]) -> tuple[Told, ...]:
    query = (
        select(alerts.c.id.label("alert_id"), incident_events)
        .join(incident_events, incident_events.c.id == alerts.c.incident_event_id)
        .where(
            alerts.c.incident_id == alert.incident_id,
            alerts.c.channel_id == alert.channel_id,
            or_(alerts.c.id == alert.id, alerts.c.merged_into == alert.id),
        )
        .order_by(alerts.c.sequence)
    )
    return tuple(Told(row.alert_id, row) for row in connection.execute(query))
