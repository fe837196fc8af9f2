"""From an HTTP request to a `Delivery`: bounded body, headers, client address."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import parse_qsl

from falcon.asgi import Request

from gateway.core.model import Delivery
from gateway.web.errors import BodyIncomplete, BodyTimeout, BodyTooLarge

Networks = tuple[IPv4Network | IPv6Network, ...]
_MAX_QUERY_FIELDS = 100


async def read_body(req: Request, limit: int, patience: timedelta) -> bytes:
    """The whole body, of at most ``limit`` bytes, within ``patience``.

    Raises `BodyTooLarge` without reading past the limit, `BodyTimeout`, `BodyIncomplete`.
    """
    declared = req.content_length
    if declared is not None and declared > limit:
        raise BodyTooLarge(f"the body is over {limit} bytes")
    try:
        async with asyncio.timeout(patience.total_seconds()):
            body = await req.stream.read(limit + 1)
    except TimeoutError:
        raise BodyTimeout("the body did not arrive in time") from None
    if len(body) > limit:
        raise BodyTooLarge(f"the body is over {limit} bytes")
    if declared is not None and len(body) < declared:
        raise BodyIncomplete("the body is shorter than its Content-Length")
    return body


def delivery_of(
    req: Request, body: bytes, received_at: datetime, public_url: str, proxies: Networks
) -> Delivery:
    """The request as the pipe sees it. A repeated header counts as one, joined by a comma."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in req.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    query = req.query_string
    return Delivery(
        body=body,
        headers=headers,
        received_at=received_at,
        query=_query(query) if query else {},
        method=req.method,
        url=f"{public_url}{req.path}" + (f"?{query}" if query else ""),
        remote_address=client_address(req.scope, headers.get("x-forwarded-for", ""), proxies),
    )


def _query(text: str) -> dict[str, str]:
    """Query parameters; of a repeated one the first counts."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def client_address(scope: dict[str, object], forwarded: str, proxies: Networks) -> str:
    """Who sent the request: the last address that no trusted proxy vouches for.

    ``X-Forwarded-For`` is believed only as far as trusted proxies wrote it.
    """
    client = scope.get("client")
    peer = str(client[0]) if isinstance(client, tuple | list) and client else ""
    for hop in _hops(forwarded):
        if not _is_trusted(peer, proxies):
            break
        peer = hop
    return peer


def _hops(forwarded: str) -> Iterable[str]:
    return reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()])


def _is_trusted(address: str, proxies: Networks) -> bool:
    if not proxies:
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)
