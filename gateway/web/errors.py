"""One handler for every error: code to HTTP status, and one shape of body."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import falcon
import orjson
from falcon.asgi import App, Request, Response, WebSocket

from gateway.core.errors import (
    GatewayError,
    MethodNotAllowed,
    RateLimited,
    SignatureError,
    Unavailable,
)
from gateway.web.texts import negotiate, text_of

_log = logging.getLogger(__name__)


class BodyTooLarge(GatewayError):
    """The request body is over the size limit."""

    code = "body_too_large"


class BodyTimeout(GatewayError):
    """The request body came slower than the read timeout allows."""

    code = "body_timeout"


class BodyIncomplete(GatewayError):
    """The request body is shorter than its Content-Length."""

    code = "body_incomplete"


HTTP_STATUS: Mapping[str, int] = {
    "monitor_not_found": 404,
    "signature_invalid": 401,
    "signature_missing": 401,
    "signature_malformed": 401,
    "signature_stale": 401,
    "signature_mismatch": 401,
    "payload_malformed": 400,
    "rate_limited": 429,
    "delivery_failed": 503,
    "unavailable": 503,
    "body_too_large": 413,
    "body_timeout": 408,
    "body_incomplete": 400,
    "invalid_request": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "unauthorized": 401,
    "forbidden": 403,
}
"""The HTTP status of every code that an answer can carry, but ``internal`` (500)."""

# Errors whose message tells the client what to mend; of the others only the code goes out.
_EXPLAINED = {"payload_malformed", "invalid_request", "not_found", "forbidden"}
# The rest of the body will not be read, so the connection cannot serve another request.
_CLOSING = {"body_too_large", "body_timeout", "body_incomplete"}
_FRAMEWORK_CODES = {404: "not_found", 405: "method_not_allowed"}
_RETRY_AFTER = 2.0


class ErrorHandlers:
    """Answers every error in our shape, in the client's language or else in ``language``."""

    def __init__(self, language: str) -> None:
        self._language = language

    def install(self, app: App[Request, Response]) -> None:
        """Take over the errors of ``app``."""
        app.add_error_handler(Exception, self.unexpected)
        app.add_error_handler(falcon.HTTPError, self.http_error)
        app.add_error_handler(GatewayError, self.gateway_error)

    async def gateway_error(
        self, req: Request, resp: Response, error: GatewayError, params: dict[str, Any]
    ) -> None:
        """Answer an error that was raised on purpose."""
        status = HTTP_STATUS.get(error.code)
        if status is None:
            await self.unexpected(req, resp, error, params)
            return
        body = self._body(error.code, req)
        if error.code in _EXPLAINED:
            body["details"] = {"reason": error.message, **error.details}
        if isinstance(error, MethodNotAllowed):
            resp.set_header("Allow", allow(error))
        if isinstance(error, SignatureError) and error.challenge:
            resp.set_header("WWW-Authenticate", error.challenge)
        if error.code in _CLOSING:
            resp.set_header("Connection", "close")
        _answer(resp, status, body, _retry_after(error))

    async def http_error(
        self,
        req: Request,
        resp: Response | None,
        error: falcon.HTTPError,
        params: dict[str, Any],  # noqa: ARG002
        ws: WebSocket | None = None,
    ) -> None:
        """Answer what the framework refuses."""
        if resp is None:  # a WebSocket, which no route here speaks
            if ws is not None:
                await ws.close()
            return
        code = _FRAMEWORK_CODES.get(error.status_code, "invalid_request")
        for name, value in dict(error.headers or {}).items():
            resp.set_header(name, value)
        body = self._body(code, req)
        if error.description:
            body["details"] = {"reason": error.description}
        _answer(resp, error.status_code, body)

    async def unexpected(
        self,
        req: Request,
        resp: Response,
        error: Exception,
        params: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """Answer and log a bug."""
        # The path holds a token: the log says which route it was, not which address.
        _log.error("%s %s failed", req.method, req.uri_template, exc_info=error)
        _answer(resp, HTTPStatus.INTERNAL_SERVER_ERROR, self._body("internal", req))

    def _body(self, code: str, req: Request) -> dict[str, Any]:
        language = negotiate(req.get_header("Accept-Language"), self._language)
        return {"error": text_of(code, language), "code": code}


def _retry_after(error: GatewayError) -> float | None:
    if isinstance(error, RateLimited | Unavailable):
        return error.retry_after
    return _RETRY_AFTER if error.code == "delivery_failed" else None


def allow(error: MethodNotAllowed) -> str:
    """The value of an ``Allow`` header."""
    return ", ".join((*error.allowed, "OPTIONS"))


def _answer(
    resp: Response, status: int, body: dict[str, Any], retry_after: float | None = None
) -> None:
    resp.status = int(status)
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(body)
    if retry_after is not None:
        resp.set_header("Retry-After", str(max(1, math.ceil(retry_after))))
