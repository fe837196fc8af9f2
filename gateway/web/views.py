"""Rows as the API shows them: camelCase names, times as ``2026-01-20T10:30:00.000Z``."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.core import feed
from gateway.core.model import Status
from gateway.core.times import format_time
from gateway.core.uptime import Day, total
from gateway.store.history import Incident
from gateway.store.monitors import Monitor

Json = dict[str, Any]


def time_or_none(moment: datetime | None) -> str | None:
    """A time as text, or None."""
    return format_time(moment) if moment is not None else None


def monitor_view(monitor: Monitor, public_url: str) -> Json:
    """A monitor with its addresses. Credentials never leave; ``signed`` says they exist."""
    webhook = f"{public_url}/webhooks/{monitor.token}"
    return {
        "id": monitor.id,
        "name": monitor.name,
        "type": monitor.type,
        "url": monitor.url,
        "provider": monitor.provider,
        "status": monitor.status,
        "statusSince": format_time(monitor.status_since),
        "active": monitor.active,
        "alertsEnabled": monitor.alerts_enabled,
        "tags": list(monitor.tags),
        "signed": bool(monitor.credentials),
        "heartbeatInterval": monitor.heartbeat_interval,
        "heartbeatSchedule": monitor.heartbeat_schedule,
        "heartbeatTimezone": monitor.heartbeat_zone,
        "heartbeatGrace": monitor.heartbeat_grace,
        "heartbeatLateAfter": monitor.heartbeat_late_after,
        "heartbeatMaxRun": monitor.heartbeat_max_run,
        "heartbeatPostOnly": monitor.heartbeat_post_only,
        "webhookIsHeartbeat": monitor.webhook_is_heartbeat,
        "lastHeartbeat": time_or_none(monitor.last_heartbeat),
        "deadline": time_or_none(monitor.deadline),
        "staleAfter": "auto" if monitor.stale_after == feed.AUTO else monitor.stale_after,
        "staleSince": time_or_none(monitor.stale_since),
        "webhookToken": monitor.token,
        "webhookUrl": webhook,
        "heartbeatUrl": f"{webhook}/heartbeat",
        "createdAt": format_time(monitor.created_at),
    }


def signal_view(row: Any) -> Json:
    """The current state of one key."""
    return {
        "key": row.key,
        "status": row.status,
        "since": format_time(row.since),
        "occurredAt": format_time(row.occurred_at),
        "message": row.message,
        "resolveAt": time_or_none(row.resolve_at),
        "incidentId": row.incident_id,
    }


def check_view(row: Any) -> Json:
    """One stored observation."""
    return {
        "id": row.id,
        "key": row.key,
        "status": row.status,
        "message": row.message,
        "metadata": row.metadata,
        "eventId": row.event_id,
        "occurredAt": format_time(row.occurred_at),
        "receivedAt": format_time(row.received_at),
        "late": row.late,
        "rule": row.rule,
        "deliveryId": row.delivery_id,
    }


def incident_view(incident: Incident) -> Json:
    """An incident with its timeline, and the worst status it reached."""
    row = incident.row
    reached = [Status(entry.status_after) for entry in incident.timeline]
    return {
        "id": row.id,
        "key": row.key,
        "status": row.status,
        "worst": max(reached, key=lambda status: status.severity, default=row.status),
        "openedAt": format_time(row.opened_at),
        "resolvedAt": time_or_none(row.resolved_at),
        "rule": row.rule,
        "message": row.message,
        "timeline": [
            {
                "change": entry.change,
                "from": entry.status_before,
                "to": entry.status_after,
                "at": format_time(entry.at),
                "message": entry.message,
                "rule": entry.rule,
                "checkId": entry.check_id,
            }
            for entry in incident.timeline
        ],
    }


def uptime_view(days: Sequence[Day]) -> Json:
    """The figures of all days together, and of each, oldest first."""
    return {
        **_figures(total(days)),
        "days": [{"day": day.date.isoformat(), **_figures(day)} for day in days],
    }


def _figures(day: Day) -> Json:
    return {
        "uptime": day.uptime,
        "seconds": {_word(status): seconds for status, seconds in day.seconds.items()},
        "checks": {_word(status): checks for status, checks in day.checks.items()},
        "incidents": day.incidents,
    }


def _word(status: Status) -> str:
    return "unknown" if status is Status.PENDING else status.value


def delivery_view(row: Any) -> Json:
    """One line of the webhook log; the body is as stored: redacted and cut."""
    return {
        "id": row.id,
        "receivedAt": format_time(row.received_at),
        "provider": row.provider,
        "outcome": row.outcome,
        "rule": row.rule or None,
        "reason": row.reason or None,
        "method": row.method,
        "headers": row.headers,
        "remoteAddress": row.remote_address,
        "bodySize": row.body_size,
        "bodySha256": row.body_sha256,
        "body": zlib.decompress(row.body).decode("utf-8", "replace"),
    }


def run_view(row: Any) -> Json:
    """One run of a job; ``duration`` in seconds, when both its ends were told."""
    told = row.started_at is not None and row.ended_at is not None
    return {
        "id": row.id,
        "rid": row.run or None,
        "state": row.state,
        "startedAt": time_or_none(row.started_at),
        "endedAt": time_or_none(row.ended_at),
        "duration": round((row.ended_at - row.started_at).total_seconds(), 3) if told else None,
        "deadline": time_or_none(row.deadline),
        "exitCode": row.exit_code,
        "logSize": row.log_size,
        "log": zlib.decompress(row.log).decode("utf-8", "replace"),
    }
