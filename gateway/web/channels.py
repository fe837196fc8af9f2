"""The API of channels and alerts: where they go, whether they work, what was not sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import falcon
from falcon.asgi import Request, Response

from gateway.alerts.dispatch import Dispatcher
from gateway.channel_requests import channel_changes_of, channel_draft_of
from gateway.core.errors import NotFound, RequestError
from gateway.management import wrong
from gateway.store import alert_log, channels, monitors
from gateway.store.channels import Channel, ChannelDraft
from gateway.web.api import ID, Management, cursor, limit_of, read_json, send_json, send_page
from gateway.web.channel_views import alert_view, channel_view, kind_view


@dataclass(frozen=True, slots=True)
class Telling:
    """What every route of channels and alerts needs."""

    management: Management
    dispatcher: Dispatcher

    async def channel(self, req: Request, channel_id: str) -> Channel:
        """The channel of the request's team with this id."""
        team = await self.management.team(req)
        found = None
        if ID.fullmatch(channel_id):
            found = await asyncio.to_thread(channels.find, self.store, team, channel_id)
        if found is None:
            raise NotFound("no such channel")
        return found

    @property
    def store(self) -> Any:
        """The store of the management."""
        return self.management.store

    async def check_monitors(self, team: str, ids: Sequence[str] | None) -> None:
        """Raise `RequestError` for monitors that the team does not have."""
        known = await asyncio.to_thread(monitors.known_ids, self.store, team, ids or ())
        if strangers := [each for each in ids or () if each not in known]:
            raise wrong(("monitors", f"holds {strangers[0]}, which is no monitor of this team"))

    def view(self, channel: Channel, made: dict[str, str] | None = None) -> dict[str, Any]:
        """A channel as the API shows it; ``made`` are new secrets, shown this once."""
        settings = channels.open_settings(self.store, channel)
        shown = self.dispatcher.kinds.shown(channel.kind, settings)
        view = channel_view(channel, shown, self.management.clock())
        return {**view, "generated": made} if made else view


class ChannelsResource:
    """``/channels``: make and list."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def on_post(self, req: Request, resp: Response) -> None:
        """Make a channel."""
        telling, management = self._telling, self._telling.management
        team = await management.team(req)
        draft, made = channel_draft_of(await read_json(req), telling.dispatcher.kinds)
        channel = await self._create(team, draft)
        resp.status = falcon.HTTP_201
        resp.location = f"{management.public_url}/channels/{channel.id}"
        send_json(resp, telling.view(channel, made))

    async def _create(self, team: str, draft: ChannelDraft) -> Channel:
        telling = self._telling
        await telling.check_monitors(team, draft.monitor_ids)
        now = telling.management.clock()
        return await asyncio.to_thread(channels.create, telling.store, team, draft, now)

    async def on_get(self, req: Request, resp: Response) -> None:
        """List the team's channels, oldest first, ``after`` the last id of a page."""
        telling = self._telling
        team = await telling.management.team(req)
        limit = limit_of(req)
        found = await asyncio.to_thread(
            channels.list_page,
            telling.store,
            team,
            after=cursor(req, "after"),
            limit=limit + 1,
        )
        send_page(resp, found, limit, telling.view)


class ChannelResource:
    """``/channels/{id}``: show, change, remove."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def on_get(self, req: Request, resp: Response, channel_id: str) -> None:
        """Show a channel."""
        channel = await self._telling.channel(req, channel_id)
        send_json(resp, self._telling.view(channel))

    async def on_patch(self, req: Request, resp: Response, channel_id: str) -> None:
        """Change what the body names; the channel is tried again at once."""
        telling = self._telling
        channel = await telling.channel(req, channel_id)
        changes, made = channel_changes_of(
            await read_json(req),
            channel.kind,
            channels.open_settings(telling.store, channel),
            telling.dispatcher.kinds,
        )
        await telling.check_monitors(channel.team_id, changes.get("monitor_ids"))
        changed = await asyncio.to_thread(
            channels.change, telling.store, channel.team_id, channel_id, changes
        )
        if changed is None:
            raise NotFound("no such channel")
        send_json(resp, telling.view(changed, made))

    async def on_delete(self, req: Request, resp: Response, channel_id: str) -> None:
        """Remove a channel and its alerts."""
        telling = self._telling
        channel = await telling.channel(req, channel_id)
        await asyncio.to_thread(channels.remove, telling.store, channel.team_id, channel_id)
        resp.status = falcon.HTTP_204


class ChannelTestResource:
    """``/channels/{id}/test``: send a test now."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def on_post(self, req: Request, resp: Response, channel_id: str) -> None:
        """Send it as alerts are sent, and say what came of it."""
        telling = self._telling
        channel = await telling.channel(req, channel_id)
        error = await asyncio.to_thread(telling.dispatcher.test, channel)
        send_json(resp, {"sent": not error, "error": error or None})


class KindsResource:
    """``/channel-kinds``: what can be chosen, and what each must be told."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def on_get(self, req: Request, resp: Response) -> None:
        """List the kinds of channel with their settings."""
        await self._telling.management.team(req)
        send_json(resp, {"items": [kind_view(each) for each in self._telling.dispatcher.kinds]})


class AlertsResource:
    """``/alerts``: what was sent, what waits, what was given up."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show one page, newest first, ``before`` the last id of the page before."""
        team = await self._telling.management.team(req)
        state, limit = req.get_param("state"), limit_of(req)
        if state is not None and state not in alert_log.STATES:
            raise RequestError(f"state is one of: {', '.join(alert_log.STATES)}")
        rows = await asyncio.to_thread(
            alert_log.list_alerts,
            self._telling.store,
            team,
            state=state,
            before=cursor(req, "before"),
            limit=limit + 1,
        )
        send_page(resp, rows, limit, alert_view)


class ResendResource:
    """``/alerts/{id}/resend``: try an alert again that was given up."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def on_post(self, req: Request, resp: Response, alert_id: str) -> None:
        """Put it back into the outbox, due now."""
        telling = self._telling
        team = await telling.management.team(req)
        now = telling.management.clock()
        done = await asyncio.to_thread(alert_log.resend, telling.store, team, alert_id, now)
        row = await asyncio.to_thread(alert_log.find, telling.store, team, alert_id)
        if row is None:
            raise NotFound("no such alert")
        if not done:
            raise RequestError(f"only a dead alert can be sent again, and this one is {row.state}")
        resp.status = falcon.HTTP_202
        send_json(resp, alert_view(row))


def alert_routes(telling: Telling) -> dict[str, Any]:
    """The resources by their paths."""
    return {
        "/channels": ChannelsResource(telling),
        "/channels/{channel_id}": ChannelResource(telling),
        "/channels/{channel_id}/test": ChannelTestResource(telling),
        "/channel-kinds": KindsResource(telling),
        "/alerts": AlertsResource(telling),
        "/alerts/{alert_id}/resend": ResendResource(telling),
    }
