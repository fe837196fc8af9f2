"""Channels and alerts as the API shows them."""

from datetime import datetime
from typing import Any

from gateway.channel_kind import ChannelKind
from gateway.core.times import format_time
from gateway.store.channels import Channel
from gateway.web.views import Json, time_or_none


def channel_view(channel: Channel, settings: dict[str, Any], now: datetime) -> Json:
    """A channel; ``settings`` are those that may be shown."""
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "settings": settings,
        "minimumStatus": channel.minimum,
        "monitors": "all" if channel.monitor_ids is None else list(channel.monitor_ids),
        "tags": list(channel.tags),
        "language": channel.language,
        "reminders": [int(each.total_seconds()) for each in channel.reminders],
        "active": channel.active,
        "health": health_of(channel, now),
        "failures": channel.failures,
        "pausedUntil": time_or_none(channel.paused_until),
        "lastError": channel.last_error or None,
        "createdAt": format_time(channel.created_at),
    }


def health_of(channel: Channel, now: datetime) -> str:
    """``working``, ``failing``, or ``paused`` while nothing is tried."""
    if channel.paused_until is not None and channel.paused_until > now:
        return "paused"
    return "failing" if channel.failures else "working"


def kind_view(kind: ChannelKind) -> Json:
    """A kind of channel with what a form asks for."""
    return {
        "name": kind.name,
        "title": kind.title,
        "settings": [
            {
                "name": setting.name,
                "label": setting.label,
                "help": setting.help,
                "required": setting.required and setting.make is None,
                "secret": setting.secret,
                "several": setting.several,
            }
            for setting in kind.settings
        ],
    }


def alert_view(row: Any) -> Json:
    """An alert of the outbox."""
    return {
        "id": row.id,
        "state": row.state,
        "kind": "reminder" if row.reminder else row.change,
        "channel": {"id": row.channel_id, "name": row.channel_name},
        "monitor": {"id": row.monitor_id, "name": row.monitor_name},
        "incidentId": row.incident_id,
        "sequence": row.sequence,
        "attempts": row.attempts,
        "dueAt": format_time(row.due_at),
        "sentAt": time_or_none(row.sent_at),
        "lastError": row.last_error or None,
        "mergedInto": row.merged_into,
    }
