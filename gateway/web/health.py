"""Whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Callable

import falcon
import orjson
from falcon.asgi import Request, Response

Probe = Callable[[], None]
"""Raises `Unavailable` when something that is needed is away."""


class HealthResource:
    """``GET /healthz``: the process answers."""

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Answer without asking anything else."""
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps({"status": "ok"})


class ReadinessResource:
    """``GET /readyz``: the database answers and has the schema of this release."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Answer 200, or 503 by way of the error handler."""
        await asyncio.to_thread(self._probe)
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps({"status": "ready"})
