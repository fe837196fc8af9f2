"""Monitors: making, finding, changing and listing them."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import sleep
from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.core.model import Status
from gateway.ids import new_id, new_token
from gateway.store.chunks import at_ease, delete_range
from gateway.store.clocks import EXPECTED, clock_after_change, clock_from
from gateway.store.engine import Store
from gateway.store.ledger import Ledger
from gateway.store.tables import (
    alerts,
    checks,
    deliveries,
    heartbeat_runs,
    incident_events,
    incidents,
    monitor_days,
    monitors,
    seen_events,
    signals,
)
from gateway.vault import Vault, hash_token

Credentials = Mapping[str, tuple[str, ...]]
SETTINGS = (
    *EXPECTED,
    "heartbeat_max_run",
    "heartbeat_post_only",
    "webhook_is_heartbeat",
    "stale_after",
)
"""What a monitor is told about heartbeats and silence, by column."""

# A feed is judged by what it does from when somebody asks on.
_UNHEARD = {
    "feed_first_at": None,
    "feed_last_at": None,
    "feed_longest_gap": 0.0,
    "stale_at": None,
    "stale_since": None,
}

_LEFT_BY_DELIVERIES = (
    (checks, checks.c.id),
    (deliveries, deliveries.c.id),
    (seen_events, seen_events.c.event_id),
)


@dataclass(frozen=True, slots=True)
class Monitor:
    """One watched thing of one team. The secrets are in the clear: never print one whole."""

    id: str
    team_id: str
    name: str
    type: str
    url: str | None
    provider: str
    token: str = field(repr=False)
    credentials: Credentials = field(repr=False)
    active: bool
    alerts_enabled: bool
    heartbeat_interval: int | None
    heartbeat_schedule: str | None
    heartbeat_zone: str
    heartbeat_grace: int
    heartbeat_late_after: int | None
    heartbeat_max_run: int | None
    heartbeat_post_only: bool
    webhook_is_heartbeat: bool
    last_heartbeat: datetime | None
    deadline: datetime | None
    status: Status
    status_since: datetime
    stale_after: int | None
    stale_since: datetime | None
    revision: int
    created_at: datetime
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What it takes to make a monitor.

    ``starts_at_creation`` says that the heartbeat clock runs from the start; otherwise it
    runs from the first heartbeat. Signs of life are due at an interval or by a schedule,
    not both. Durations are in seconds; ``stale_after`` 0 is learned.
    """

    name: str
    type: str = "webhook"
    url: str | None = None
    provider: str = "auto"
    credentials: Credentials = field(default_factory=dict, repr=False)
    alerts_enabled: bool = True
    heartbeat_interval: int | None = None
    heartbeat_schedule: str | None = None
    heartbeat_zone: str = "UTC"
    heartbeat_grace: int = 60
    heartbeat_late_after: int | None = None
    heartbeat_max_run: int | None = None
    heartbeat_post_only: bool = False
    webhook_is_heartbeat: bool = False
    stale_after: int | None = None
    starts_at_creation: bool = False
    tags: tuple[str, ...] = ()


def create(store: Store, team_id: str, draft: Draft, now: datetime) -> Monitor:
    """Make a monitor with a new secret token."""
    monitor_id, token = new_id(now), new_token()
    row = {
        "id": monitor_id,
        "team_id": team_id,
        "name": draft.name,
        "type": draft.type,
        "url": draft.url,
        "provider": draft.provider,
        "token_hash": hash_token(token),
        "token_sealed": store.vault.seal(token.encode(), _token_purpose(monitor_id)),
        "credentials_sealed": _seal(store.vault, monitor_id, draft.credentials),
        "active": True,
        "alerts_enabled": draft.alerts_enabled,
        **{name: getattr(draft, name) for name in SETTINGS},
        **(clock_from(draft, now) if draft.starts_at_creation else {}),
        "status": Status.PENDING,
        "status_since": now,
        "signals_up": 0,
        "signals_degraded": 0,
        "signals_down": 0,
        "revision": 1,
        "created_at": now,
        "tags": draft.tags,
    }
    with store.write() as connection:
        made = connection.execute(insert(monitors).values(row).returning(monitors)).one()
    return _monitor(store.vault, made)


def find_by_token(store: Store, token: str) -> Monitor | None:
    """The monitor that a token belongs to."""
    with store.read() as connection:
        query = select(monitors).where(monitors.c.token_hash == hash_token(token))
        row = connection.execute(query).first()
    return _monitor(store.vault, row) if row is not None else None


def find(store: Store, team_id: str, monitor_id: str) -> Monitor | None:
    """A team's monitor by its id."""
    with store.read() as connection:
        row = connection.execute(select(monitors).where(*_owned(team_id, monitor_id))).first()
    return _monitor(store.vault, row) if row is not None else None


def list_page(store: Store, team_id: str, *, after: str | None, limit: int) -> list[Monitor]:
    """A team's monitors in the order they were made, from behind the id ``after``."""
    query = select(monitors).where(monitors.c.team_id == team_id)
    if after is not None:
        query = query.where(monitors.c.id > after)
    with store.read() as connection:
        rows = connection.execute(query.order_by(monitors.c.id).limit(limit)).all()
    return [_monitor(store.vault, row) for row in rows]


def known_ids(store: Store, team_id: str, ids: Iterable[str]) -> set[str]:
    """Those of the ids that are monitors of the team."""
    wanted = list(ids)
    if not wanted:
        return set()
    query = select(monitors.c.id).where(monitors.c.team_id == team_id, monitors.c.id.in_(wanted))
    with store.read() as connection:
        return set(connection.scalars(query))


def change(
    store: Store, team_id: str, monitor_id: str, changes: Mapping[str, Any], now: datetime
) -> Monitor | None:
    """Change fields of a monitor (names as in `Monitor`); None when there is no such one.

    Every change raises the revision, so that no process goes on with what it has cached.
    """
    values = dict(changes)
    if "credentials" in values:
        values["credentials_sealed"] = _seal(store.vault, monitor_id, values.pop("credentials"))
    with store.write() as connection:
        query = select(monitors).where(*_owned(team_id, monitor_id)).with_for_update()
        row = connection.execute(query).first()
        if row is None:
            return None
        if values.get("active", row.active) != row.active:
            _settle(connection, monitor_id, now)
        values |= clock_after_change(connection, row, values, now)
        values["revision"] = row.revision + 1
        if "stale_after" in values:
            values |= _UNHEARD
        changed = connection.execute(
            update(monitors).where(monitors.c.id == monitor_id).values(values).returning(monitors)
        ).one()
    return _monitor(store.vault, changed)


def remove(store: Store, team_id: str, monitor_id: str) -> bool:
    """Delete a monitor with all that was recorded for it; False when there is no such one.

    The monitor goes at once. What its deliveries left, which may be millions of rows, goes
    in chunks: whatever an interruption leaves of it is deleted by age.
    """
    with store.write() as connection:
        query = select(monitors.c.id).where(*_owned(team_id, monitor_id)).with_for_update()
        if connection.execute(query).first() is None:
            return False
        of_monitor = select(incidents.c.id).where(incidents.c.monitor_id == monitor_id)
        connection.execute(
            delete(incident_events).where(incident_events.c.incident_id.in_(of_monitor))
        )
        for table in (incidents, signals, monitor_days, alerts, heartbeat_runs):
            connection.execute(delete(table).where(table.c.monitor_id == monitor_id))
        connection.execute(delete(monitors).where(monitors.c.id == monitor_id))
    for table, order in _LEFT_BY_DELIVERIES:
        deque(at_ease(delete_range(store, table, order, table.c.monitor_id == monitor_id), _rest))
    return True


def _rest(seconds: float) -> bool:
    sleep(seconds)
    return False


def _settle(connection: Connection, monitor_id: str, now: datetime) -> None:
    """Count the time that a pause or its end brings to an end."""
    ledger = Ledger(connection, [monitor_id])
    ledger.monitors[monitor_id].settle(now)
    ledger.flush()


def _owned(team_id: str, monitor_id: str) -> tuple[Any, Any]:
    return monitors.c.id == monitor_id, monitors.c.team_id == team_id


def _token_purpose(monitor_id: str) -> str:
    return f"monitor/{monitor_id}/token"


def _credentials_purpose(monitor_id: str) -> str:
    return f"monitor/{monitor_id}/credentials"


def _seal(vault: Vault, monitor_id: str, credentials: Credentials) -> bytes | None:
    if not credentials:
        return None
    return vault.seal(orjson.dumps(dict(credentials)), _credentials_purpose(monitor_id))


def _monitor(vault: Vault, row: Row[Any]) -> Monitor:
    credentials: Credentials = {}
    if row.credentials_sealed is not None:
        opened = vault.open(row.credentials_sealed, _credentials_purpose(row.id))
        credentials = {name: tuple(values) for name, values in orjson.loads(opened).items()}
    return Monitor(
        id=row.id,
        team_id=row.team_id,
        name=row.name,
        type=row.type,
        url=row.url,
        provider=row.provider,
        token=vault.open(row.token_sealed, _token_purpose(row.id)).decode(),
        credentials=credentials,
        active=row.active,
        alerts_enabled=row.alerts_enabled,
        **{name: getattr(row, name) for name in SETTINGS},
        last_heartbeat=row.last_heartbeat,
        deadline=row.deadline,
        status=Status(row.status),
        status_since=row.status_since,
        stale_since=row.stale_since,
        revision=row.revision,
        created_at=row.created_at,
        tags=tuple(row.tags),
    )
