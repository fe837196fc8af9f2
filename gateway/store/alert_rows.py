"""Writes the alerts of incident transitions, in the transaction that records them."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, select

from gateway.core.alerting import Listener, Planned, Step, Subject, plan_alerts
from gateway.core.model import Change, Status
from gateway.ids import new_id
from gateway.store.bulk import Insert, Row, write_rows
from gateway.store.engine import note_alerts
from gateway.store.tables import alerts, channels, monitors

_INSERT_ALERTS = Insert(
    alerts,
    (
        "id",
        "team_id",
        "channel_id",
        "monitor_id",
        "incident_id",
        "incident_event_id",
        "sequence",
        "reminder",
        "state",
        "due_at",
        "attempts",
        "last_error",
    ),
)


def write_alerts(connection: Connection, steps: Sequence[Step]) -> None:
    """Put the alerts of these transitions into the outbox.

    The caller holds the locks of the steps' monitors: that is what numbers the alerts of
    an incident in the order in which it happened. Without steps nothing is asked.
    """
    if not steps:
        return
    monitor_ids = {step.monitor_id for step in steps}
    listeners = _listeners(connection, monitor_ids)
    if not listeners:
        return
    planned = plan_alerts(
        steps,
        _subjects(connection, monitor_ids),
        listeners,
        _told(connection, steps),
    )
    rows = [_row(each) for each in planned]
    if rows:
        write_rows(connection, _INSERT_ALERTS, rows)
        note_alerts(connection)


def _listeners(connection: Connection, monitor_ids: Iterable[str]) -> list[Listener]:
    teams = select(monitors.c.team_id).where(monitors.c.id.in_(monitor_ids))
    query = select(
        channels.c.id,
        channels.c.team_id,
        channels.c.minimum,
        channels.c.monitor_ids,
        channels.c.tags,
    ).where(channels.c.team_id.in_(teams), channels.c.active)
    return [
        Listener(
            channel_id=row.id,
            team_id=row.team_id,
            minimum=Status(row.minimum),
            monitor_ids=None if row.monitor_ids is None else frozenset(row.monitor_ids),
            tags=frozenset(row.tags),
        )
        for row in connection.execute(query.order_by(channels.c.id))
    ]


def _subjects(connection: Connection, monitor_ids: Iterable[str]) -> dict[str, Subject]:
    query = select(monitors.c.id, monitors.c.team_id, monitors.c.tags).where(
        monitors.c.id.in_(monitor_ids), monitors.c.alerts_enabled
    )
    return {row.id: Subject(row.team_id, frozenset(row.tags)) for row in connection.execute(query)}


def _told(connection: Connection, steps: Iterable[Step]) -> Mapping[tuple[str, str], int]:
    """The last sequence by incident and channel, for incidents that are older than this."""
    touched = {step.incident_id for step in steps}
    known = touched - {step.incident_id for step in steps if step.change is Change.OPENED}
    if not known:
        return {}
    query = (
        select(alerts.c.incident_id, alerts.c.channel_id, func.max(alerts.c.sequence))
        .where(alerts.c.incident_id.in_(known))
        .group_by(alerts.c.incident_id, alerts.c.channel_id)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _row(planned: Planned) -> Row:
    step = planned.step
    return (
        new_id(step.noticed_at),
        planned.team_id,
        planned.channel_id,
        step.monitor_id,
        step.incident_id,
        step.event_id,
        planned.sequence,
        0,
        "pending",
        step.noticed_at,
        0,
        "",
    )
