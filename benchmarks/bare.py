"""The measure: the same server and the same answer, but nothing is verified, mapped or stored."""

import argparse
import os
from pathlib import Path

import falcon
import falcon.asgi
import orjson

from gateway.config import load_config
from gateway.serve import WebServer


class WebhookResource:
    """Reads the body and answers as the gateway does."""

    async def on_post(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, token: str
    ) -> None:
        """Answer as for a recorded delivery."""
        await req.stream.read()
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps(
            {
                "success": True,
                "monitor": {"id": token[:26], "name": "Benchmark 0001", "status": "up"},
                "result": {
                    "outcome": "recorded",
                    "provider": "github",
                    "rule": "workflow run",
                    "reason": None,
                    "events": 1,
                },
            }
        )


class ReadinessResource:
    """Says that the server has started."""

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer 200."""
        resp.data = b"{}"


class BareServer(WebServer):
    """The gateway's server with the bare application in it."""

    def load(self) -> falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]:
        """Build the bare application; gunicorn calls this in each worker."""
        app = falcon.asgi.App()
        app.add_route("/webhooks/{token}", WebhookResource())
        app.add_route("/readyz", ReadinessResource())
        return app


def main() -> None:
    """Serve with the settings of a configuration file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    file = parser.parse_args().config
    BareServer(load_config(file.read_text(), str(file), {}), os.cpu_count() or 1).run()


if __name__ == "__main__":
    main()
