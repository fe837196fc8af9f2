"""The public routes: deliveries and heartbeats, authenticated by the token in the URL."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import falcon
import orjson
from falcon.asgi import Request, Response

from gateway.core.errors import MethodNotAllowed, NotFound, RequestError
from gateway.core.heartbeat import ALIVE, Word, is_run, word_of
from gateway.core.model import Delivery
from gateway.core.times import format_time
from gateway.intake import Intake, Receipt
from gateway.provider import Reply
from gateway.web.errors import allow
from gateway.web.requests import Networks, delivery_of, read_body

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Reception:
    """How requests are turned into deliveries."""

    clock: Clock
    max_body: int
    read_timeout: timedelta
    public_url: str
    proxies: Networks

    async def delivery(self, req: Request) -> Delivery:
        """Read a request to its end; the time it counts as is when it was complete."""
        body = await read_body(req, self.max_body, self.read_timeout)
        return delivery_of(req, body, self.clock(), self.public_url, self.proxies)


class WebhookResource:
    """``/webhooks/{token}``: a platform's own payload, or its challenge."""

    def __init__(self, intake: Intake, reception: Reception) -> None:
        self._intake = intake
        self._reception = reception

    async def on_post(self, req: Request, resp: Response, token: str) -> None:
        """Take one delivery and answer after its commit."""
        delivery = await self._reception.delivery(req)
        receipt = await self._intake.receive(token, delivery)
        if receipt.reply is not None:
            _send(receipt.reply, resp)
            return
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps(_answer(receipt))

    async def on_get(self, req: Request, resp: Response, token: str) -> None:
        """As ``on_post``, for challenges, and for providers that deliver so."""
        await self.on_post(req, resp, token)

    async def on_put(self, req: Request, resp: Response, token: str) -> None:
        """As ``on_get``."""
        await self.on_post(req, resp, token)

    async def on_options(self, req: Request, resp: Response, token: str) -> None:
        """As ``on_get``; for everybody else, which methods there are."""
        try:
            await self.on_post(req, resp, token)
        except MethodNotAllowed as error:
            resp.status = falcon.HTTP_204
            resp.set_header("Allow", allow(error))


class HeartbeatResource:
    """``GET|HEAD|POST /webhooks/{token}/heartbeat``: a sign of life.

    Below it ``/start``, ``/fail`` and ``/{exit code}``: what a job has to say.
    """

    def __init__(self, intake: Intake, reception: Reception) -> None:
        self._intake = intake
        self._reception = reception

    async def on_get(self, req: Request, resp: Response, token: str, said: str = "") -> None:
        """Take one sign of life and answer after its commit."""
        word = _word(said, req)
        delivery = await self._reception.delivery(req)
        receipt = await self._intake.heartbeat(token, delivery, word)
        resp.content_type = falcon.MEDIA_JSON
        # A cached answer would be a heartbeat that never arrives here.
        resp.cache_control = ["no-store"]
        resp.data = orjson.dumps(
            {
                "success": True,
                "monitor": {
                    "id": receipt.monitor.id,
                    "name": receipt.monitor.name,
                    "lastHeartbeat": format_time(receipt.last_heartbeat),
                },
            }
        )

    async def on_post(self, req: Request, resp: Response, token: str, said: str = "") -> None:
        """As ``on_get``."""
        await self.on_get(req, resp, token, said)

    async def on_head(self, req: Request, resp: Response, token: str, said: str = "") -> None:
        """As ``on_get``, without a body."""
        await self.on_get(req, resp, token, said)


def _word(said: str, req: Request) -> Word:
    if not said and not req.query_string:
        return ALIVE
    run = req.get_param("rid", default="")
    if not is_run(run):
        raise RequestError("rid should be a UUID, or up to 64 letters, digits and ._:-")
    word = word_of(said, run)
    if word is None:
        raise NotFound("behind /heartbeat comes start, fail or an exit code from 0 to 255")
    return word


def _send(reply: Reply, resp: Response) -> None:
    resp.status = reply.status
    resp.data = reply.body
    resp.content_type = reply.content_type
    for name, value in reply.headers.items():
        # What a header cannot hold must not fail the answer.
        resp.set_header(name, value.encode("latin-1", "replace").decode("latin-1"))


def _answer(receipt: Receipt) -> dict[str, Any]:
    return {
        "success": True,
        "monitor": {
            "id": receipt.monitor.id,
            "name": receipt.monitor.name,
            "status": receipt.status,
        },
        "result": {
            "outcome": receipt.outcome,
            "provider": receipt.provider.name,
            "rule": receipt.rule or None,
            "reason": receipt.reason or None,
            "events": receipt.events,
        },
    }
