"""The management API: monitors, and what was recorded for them."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any

import falcon
import orjson
from falcon.asgi import Request, Response

from gateway.core.errors import Forbidden, NotFound, RequestError, Unauthorized
from gateway.descriptions import provider_view
from gateway.management import changes_of, draft_of
from gateway.providers import Providers
from gateway.store import history, monitors, teams
from gateway.store.days import read_days
from gateway.store.engine import Store
from gateway.store.monitors import Monitor
from gateway.web.requests import read_body
from gateway.web.views import (
    check_view,
    delivery_view,
    incident_view,
    monitor_view,
    run_view,
    signal_view,
    uptime_view,
)
from gateway.web.webhooks import Clock

_PAGE = 50
_MAX_PAGE = 200
_MAX_SIGNALS = 200
_DAYS = 90
_MAX_DAYS = 366
_MAX_BODY = 256 * 1024
_READ_TIMEOUT = timedelta(seconds=10)
ID = re.compile("[0-9A-Z]{26}")

Read = Callable[..., Sequence[Any]]
View = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Management:
    """What every management route needs."""

    store: Store
    providers: Providers
    clock: Clock
    public_url: str
    default_interval: int
    default_grace: int

    async def team(self, req: Request) -> str:
        """The team that the API token of a request speaks for."""
        scheme, _, token = (req.get_header("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("send Authorization: Bearer <api token>")
        team = await asyncio.to_thread(teams.team_of_token, self.store, token.strip())
        if team is None:
            raise Unauthorized("the API token is unknown or revoked")
        if req.get_header("X-Team-Id") not in {None, team}:
            raise Forbidden("X-Team-Id names another team than the API token")
        return team

    async def monitor(self, req: Request, monitor_id: str) -> Monitor:
        """The monitor of the request's team with this id."""
        team = await self.team(req)
        monitor = None
        if ID.fullmatch(monitor_id):
            monitor = await asyncio.to_thread(monitors.find, self.store, team, monitor_id)
        if monitor is None:
            raise NotFound("no such monitor")
        return monitor


class MonitorsResource:
    """``/monitors``: make and list."""

    def __init__(self, management: Management) -> None:
        self._management = management

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a monitor."""
        management = self._management
        team = await management.team(req)
        draft = draft_of(
            await read_json(req),
            management.providers,
            default_interval=management.default_interval,
            default_grace=management.default_grace,
        )
        monitor = await asyncio.to_thread(
            monitors.create, management.store, team, draft, management.clock()
        )
        resp.status = falcon.HTTP_201
        resp.location = f"{management.public_url}/monitors/{monitor.id}"
        send_json(resp, monitor_view(monitor, management.public_url))

    async def on_get(self, req: Request, resp: Response) -> None:
        """List the team's monitors, oldest first, ``after`` the last id of a page."""
        management = self._management
        team = await management.team(req)
        limit = limit_of(req)
        found = await asyncio.to_thread(
            monitors.list_page,
            management.store,
            team,
            after=cursor(req, "after"),
            limit=limit + 1,
        )
        send_page(resp, found, limit, lambda each: monitor_view(each, management.public_url))


class MonitorResource:
    """``/monitors/{id}``: show, change, remove."""

    def __init__(self, management: Management) -> None:
        self._management = management

    async def on_get(self, req: Request, resp: Response, monitor_id: str) -> None:
        """Show a monitor with its signals."""
        management = self._management
        monitor = await management.monitor(req, monitor_id)
        signals = await asyncio.to_thread(
            history.list_signals, management.store, monitor_id, _MAX_SIGNALS
        )
        view = monitor_view(monitor, management.public_url)
        send_json(resp, {**view, "signals": [signal_view(row) for row in signals]})

    async def on_patch(self, req: Request, resp: Response, monitor_id: str) -> None:
        """Change what the body names."""
        management = self._management
        monitor = await management.monitor(req, monitor_id)
        changes = changes_of(await read_json(req), monitor, management.providers)
        changed = await asyncio.to_thread(
            monitors.change,
            management.store,
            monitor.team_id,
            monitor_id,
            changes,
            management.clock(),
        )
        if changed is None:
            raise NotFound("no such monitor")
        send_json(resp, monitor_view(changed, management.public_url))

    async def on_delete(self, req: Request, resp: Response, monitor_id: str) -> None:
        """Remove a monitor and all that was recorded for it."""
        management = self._management
        monitor = await management.monitor(req, monitor_id)
        await asyncio.to_thread(monitors.remove, management.store, monitor.team_id, monitor_id)
        resp.status = falcon.HTTP_204


class ProvidersResource:
    """``/providers``: who can post, and the credentials that each needs."""

    def __init__(self, management: Management) -> None:
        self._management = management
        self._views = [provider_view(each) for each in management.providers]

    async def on_get(self, req: Request, resp: Response) -> None:
        """List all, by name."""
        await self._management.team(req)
        send_json(resp, {"items": sorted(self._views, key=itemgetter("name"))})


class HistoryResource:
    """``/monitors/{id}/checks`` and its like: newest first, ``before`` the last id of a page."""

    def __init__(self, management: Management, read: Read, view: View) -> None:
        self._management = management
        self._read = read
        self._view = view

    async def on_get(self, req: Request, resp: Response, monitor_id: str) -> None:
        """Show one page."""
        await self._management.monitor(req, monitor_id)
        limit = limit_of(req)
        rows = await asyncio.to_thread(
            self._read,
            self._management.store,
            monitor_id,
            before=cursor(req, "before"),
            limit=limit + 1,
        )
        send_page(resp, rows, limit, self._view)


class UptimeResource:
    """``/monitors/{id}/uptime``: how long it was what, in all and day by day."""

    def __init__(self, management: Management) -> None:
        self._management = management

    async def on_get(self, req: Request, resp: Response, monitor_id: str) -> None:
        """Show the last days, today up to now included."""
        management = self._management
        await management.monitor(req, monitor_id)
        count = req.get_param_as_int("days", min_value=1, max_value=_MAX_DAYS, default=_DAYS)
        days = await asyncio.to_thread(
            read_days, management.store, monitor_id, count, management.clock()
        )
        if not days:  # removed in between
            raise NotFound("no such monitor")
        send_json(resp, uptime_view(days))


def history_resources(management: Management) -> dict[str, HistoryResource]:
    """The pages of a monitor's history by the last part of their path."""
    return {
        "checks": HistoryResource(management, history.list_checks, check_view),
        "incidents": HistoryResource(management, history.list_incidents, incident_view),
        "deliveries": HistoryResource(management, history.list_deliveries, delivery_view),
        "runs": HistoryResource(management, history.list_runs, run_view),
    }


async def read_json(req: Request) -> Any:
    """The JSON body of a request; raises `RequestError`."""
    body = await read_body(req, _MAX_BODY, _READ_TIMEOUT)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is not JSON: {error}") from None


def cursor(req: Request, name: str) -> str | None:
    """The id at which a page begins, if the request names one."""
    value = req.get_param(name)
    if value is not None and not ID.fullmatch(value):
        raise RequestError(f"{name} is not an id of a page before")
    return value


def limit_of(req: Request) -> int:
    """How many items a page has."""
    return req.get_param_as_int("limit", min_value=1, max_value=_MAX_PAGE, default=_PAGE)


def send_page(resp: Response, found: Sequence[Any], limit: int, view: View) -> None:
    """Answer with at most ``limit`` of what was found; one more tells that there is a next page."""
    items = [view(each) for each in found[:limit]]
    send_json(resp, {"items": items, "next": items[-1]["id"] if len(found) > limit else None})


def send_json(resp: Response, body: dict[str, Any]) -> None:
    """Answer with JSON."""
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(body)
