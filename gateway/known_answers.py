"""Signatures that are known to be right: made by the platform, or by other code than ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from gateway.core import signatures
from gateway.core.errors import GatewayError
from gateway.core.model import Delivery
from gateway.core.nodes import Node, Path
from gateway.core.proofs import Credentials, Scheme
from gateway.core.times import parse_time

_KEYS = ("name", "credentials", "at", "method", "url", "headers", "query", "body", "fetched")

_AT = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A delivery, and the credentials of a monitor that must accept it at that time.

    ``delivery`` holds also what the proof refers to, as fetched. ``path`` leads to the
    answer in its file.
    """

    name: str
    delivery: Delivery
    credentials: Credentials
    path: Path = ()

    def problem(self, scheme: Scheme) -> str:
        """Why the scheme does not accept it; empty if it does."""
        try:
            signatures.verify(scheme, self.delivery, self.credentials, self.delivery.received_at)
        except GatewayError as error:
            return f"{error.code}: {error.message}"
        return ""


def read_known_answer(node: Node) -> KnownAnswer:
    """Read one of ``known_answers:``; raises `NodeError`."""
    parts = node.mapping(_KEYS, required=("credentials",))
    url = parts["url"].text() if "url" in parts else ""
    delivery = Delivery(
        body=parts["body"].text().encode() if "body" in parts else b"",
        headers={name.lower(): text for name, text in _texts(parts.get("headers"))},
        received_at=_time(parts["at"]) if "at" in parts else _AT,
        query={**dict(parse_qsl(urlsplit(url).query)), **dict(_texts(parts.get("query")))},
        method=parts["method"].text() if "method" in parts else "POST",
        url=url,
        fetched={source: text.encode() for source, text in _texts(parts.get("fetched"))},
    )
    name = parts["name"].text() if "name" in parts else f"known answer {node.path[-1]}"
    return KnownAnswer(name, delivery, _credentials(parts["credentials"]), node.path)


def _credentials(node: Node) -> Credentials:
    found = {
        name: tuple(each.text() for each in piece.one_or_more()) for name, piece in node.entries()
    }
    if not found:
        node.fail("no credential is given, and so nothing is verified")
    return found


def _time(node: Node) -> datetime:
    found = parse_time(node.value)
    if found is None:
        node.fail("expected a time, as text or in seconds since 1970")
    return found


def _texts(node: Node | None) -> Iterator[tuple[str, str]]:
    for name, piece in node.entries() if node else ():
        yield name, piece.text()
