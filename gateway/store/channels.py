"""Channels: where a team's alerts go, and what each of them wants to hear of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from gateway.core.model import Status
from gateway.ids import new_id
from gateway.store.engine import Store
from gateway.store.tables import alerts, channels

Settings = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Channel:
    """A team's channel. The settings stay sealed until somebody opens them.

    ``failures`` counts those in a row; ``paused_until`` is when the next try may be.
    """

    id: str
    team_id: str
    name: str
    kind: str
    settings_sealed: bytes = field(repr=False)
    minimum: Status
    monitor_ids: tuple[str, ...] | None
    tags: tuple[str, ...]
    language: str | None
    reminders: tuple[timedelta, ...]
    active: bool
    failures: int
    paused_until: datetime | None
    last_error: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelDraft:
    """What it takes to make a channel."""

    name: str
    kind: str
    settings: Settings = field(repr=False)
    minimum: Status = Status.DEGRADED
    monitor_ids: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    reminders: tuple[timedelta, ...] = ()
    active: bool = True


def create(store: Store, team_id: str, draft: ChannelDraft, now: datetime) -> Channel:
    """Make a channel."""
    channel_id = new_id(now)
    row = {
        "id": channel_id,
        "team_id": team_id,
        "failures": 0,
        "last_error": "",
        "created_at": now,
        **_columns(
            store,
            channel_id,
            {name: getattr(draft, name) for name in ChannelDraft.__dataclass_fields__},
        ),
    }
    with store.write() as connection:
        return channel_of(
            connection.execute(insert(channels).values(row).returning(channels)).one()
        )


def find(store: Store, team_id: str, channel_id: str) -> Channel | None:
    """A team's channel by its id."""
    with store.read() as connection:
        row = connection.execute(select(channels).where(*_owned(team_id, channel_id))).first()
    return channel_of(row) if row is not None else None


def list_page(store: Store, team_id: str, *, after: str | None, limit: int) -> list[Channel]:
    """A team's channels in the order they were made, from behind the id ``after``."""
    query = select(channels).where(channels.c.team_id == team_id)
    if after is not None:
        query = query.where(channels.c.id > after)
    with store.read() as connection:
        rows = connection.execute(query.order_by(channels.c.id).limit(limit)).all()
    return [channel_of(row) for row in rows]


def change(
    store: Store, team_id: str, channel_id: str, changes: Mapping[str, Any]
) -> Channel | None:
    """Change fields of a channel (names as in `ChannelDraft`); None when there is no such one.

    Whoever changes a channel wants it tried: a pause ends. What waits for one that is
    switched off is dropped, for it would be old news when it is switched on again.
    """
    values = {**_columns(store, channel_id, changes), "failures": 0, "paused_until": None}
    statement = update(channels).where(*_owned(team_id, channel_id)).values(values)
    with store.write() as connection:
        # Alerts before channels, as everybody locks them.
        if changes.get("active") is False:
            waiting = (*_alerts_of(team_id, channel_id), alerts.c.state == "pending")
            connection.execute(update(alerts).where(*waiting).values(state="dropped"))
        row = connection.execute(statement.returning(channels)).first()
    return channel_of(row) if row is not None else None


def remove(store: Store, team_id: str, channel_id: str) -> bool:
    """Delete a channel with its alerts; False when there is no such one."""
    statement = delete(channels).where(*_owned(team_id, channel_id)).returning(channels.c.id)
    with store.write() as connection:
        connection.execute(delete(alerts).where(*_alerts_of(team_id, channel_id)))
        return connection.execute(statement).first() is not None


def open_settings(store: Store, channel: Channel) -> Settings:
    """The settings in the clear; raises `VaultError` when the key is another one."""
    opened = store.vault.open(channel.settings_sealed, _purpose(channel.id))
    return {name: tuple(values) for name, values in orjson.loads(opened).items()}


def channel_of(row: Row[Any]) -> Channel:
    """The channel that a row holds."""
    return Channel(
        id=row.id,
        team_id=row.team_id,
        name=row.name,
        kind=row.kind,
        settings_sealed=row.settings_sealed,
        minimum=Status(row.minimum),
        monitor_ids=None if row.monitor_ids is None else tuple(row.monitor_ids),
        tags=tuple(row.tags),
        language=row.language,
        reminders=tuple(timedelta(seconds=seconds) for seconds in row.reminders),
        active=row.active,
        failures=row.failures,
        paused_until=row.paused_until,
        last_error=row.last_error,
        created_at=row.created_at,
    )


def _columns(store: Store, channel_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(fields)
    if "settings" in values:
        plain = orjson.dumps(dict(values.pop("settings")))
        values["settings_sealed"] = store.vault.seal(plain, _purpose(channel_id))
    if "reminders" in values:
        values["reminders"] = [int(each.total_seconds()) for each in values["reminders"]]
    return values


def _owned(team_id: str, channel_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return channels.c.id == channel_id, channels.c.team_id == team_id


def _alerts_of(team_id: str, channel_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return alerts.c.channel_id == channel_id, alerts.c.team_id == team_id


def _purpose(channel_id: str) -> str:
    return f"channel/{channel_id}/settings"
