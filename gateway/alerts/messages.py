"""From an alert of the outbox to the message that is sent, whatever the channel."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.alerts.templates import Templates
from gateway.alerts.texts import LANGUAGES, REMINDER, RESOLVED, TEST, Facts, text_of, title_of
from gateway.channel_kind import Message, TransitionTold
from gateway.core.model import Change, Status
from gateway.core.times import format_time
from gateway.store.outbox import Claimed, Told


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes messages in ``language``, unless a channel has its own."""

    templates: Templates
    language: str
    public_url: str

    def message(self, claimed: Claimed, now: datetime) -> Message:
        """The message of an alert. All but ``sent_at`` is the same each time it is tried."""
        steps = tuple(map(_step, claimed.told))
        newest = steps[-1]
        kind = REMINDER if claimed.reminder else str(newest.change)
        statuses = [status for step in steps for status in (step.before, step.after)]
        message = Message(
            id=claimed.id,
            kind=kind,
            language=self._language(claimed.channel.language),
            title="",
            text="",
            link=f"{self.public_url}/monitors/{claimed.monitor.id}",
            status=newest.after,
            worst=max(statuses, key=lambda status: status.severity),
            monitor_id=claimed.monitor.id,
            monitor_name=claimed.monitor.name,
            monitor_url=claimed.monitor.url,
            tags=tuple(claimed.monitor.tags),
            key=claimed.incident.key,
            incident_id=claimed.incident.id,
            opened_at=claimed.incident.opened_at,
            at=claimed.due_at if claimed.reminder else newest.at,
            sent_at=now,
            steps=steps,
            reminder=claimed.reminder,
        )
        return self._written(message)

    def test(self, alert_id: str, language: str | None, now: datetime) -> Message:
        """A message that says no more than that it arrives."""
        message = Message(
            id=alert_id,
            kind=TEST,
            language=self._language(language),
            title="",
            text="",
            link=self.public_url,
            status=Status.UP,
            worst=Status.UP,
            monitor_id="",
            monitor_name="",
            monitor_url=None,
            tags=(),
            key="",
            incident_id="",
            opened_at=now,
            at=now,
            sent_at=now,
            steps=(),
        )
        return self._written(message)

    def _language(self, own: str | None) -> str:
        return own if own is not None and own in LANGUAGES else self.language

    def _written(self, message: Message) -> Message:
        facts = Facts(
            kind=message.kind,
            monitor=message.monitor_name,
            key=message.key,
            status=message.status,
            opened_at=message.opened_at,
            at=message.at,
            steps=message.steps,
            link=message.link,
        )
        language = message.language
        title, text = title_of(facts, language), text_of(facts, language)
        data = {**message_data(message), "title": title, "text": text}
        own_title = self.templates.render(language, message.kind, "title", data)
        own_text = self.templates.render(language, message.kind, "text", data)
        return replace(
            message,
            title=" ".join((own_title or title).split()),
            text=f"{own_text}\n" if own_text else text,
        )


def message_data(message: Message) -> dict[str, Any]:
    """A message as plain data: what webhooks carry and templates see."""
    resolved = message.kind == RESOLVED
    return {
        "kind": message.kind,
        "status": str(message.status),
        "worst": str(message.worst),
        "monitor": {
            "id": message.monitor_id,
            "name": message.monitor_name,
            "url": message.monitor_url,
            "tags": list(message.tags),
        },
        "key": message.key,
        "incident": {
            "id": message.incident_id,
            "openedAt": format_time(message.opened_at),
            "resolvedAt": format_time(message.at) if resolved else None,
        },
        "at": format_time(message.at),
        "lastedSeconds": max(int((message.at - message.opened_at).total_seconds()), 0),
        "message": message.steps[-1].message if message.steps else "",
        "rule": message.steps[-1].rule if message.steps else "",
        "reminder": message.reminder,
        "steps": [_step_data(step) for step in message.steps],
        "link": message.link,
        "language": message.language,
    }


def _step_data(step: TransitionTold) -> Mapping[str, Any]:
    return {
        "alertId": step.alert_id,
        "change": str(step.change),
        "from": str(step.before),
        "to": str(step.after),
        "at": format_time(step.at),
        "message": step.message,
        "rule": step.rule,
    }


def _step(told: Told) -> TransitionTold:
    event = told.event
    return TransitionTold(
        alert_id=told.alert_id,
        change=Change(event.change),
        before=Status(event.status_before),
        after=Status(event.status_after),
        at=event.at,
        message=event.message,
        rule=event.rule,
    )
