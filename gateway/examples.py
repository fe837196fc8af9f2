"""The examples of a rule file: deliveries, and what the rules must make of them."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.core.errors import GatewayError, MalformedPayload
from gateway.core.functions import encode_json
from gateway.core.model import OBSERVABLE, Delivery, Event
from gateway.core.nodes import Node, Path
from gateway.core.rules import RuleSet
from gateway.core.times import parse_time

IGNORED = "ignored"
EXPECTED = ("status", "key", "message", "event_id", "occurred_at", "rule", "metadata")

_KEYS = ("name", "method", "headers", "query", "payload", "body", "expect")
_METHODS = ("POST", "GET", "PUT")
# Later than every time in an example, so that none of them counts as a wrong clock.
_RECEIVED_AT = datetime(2200, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """A delivery as the rules see it, and what each of its events must be.

    ``body`` is what the provider sends, ``payload`` what that means to the rules. With an
    empty ``expect`` the delivery must be ignored. ``path`` leads to the example in its file.
    """

    name: str
    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    payload: Any
    body: bytes
    expect: tuple[Mapping[str, Any], ...]
    path: Path = ()

    @property
    def delivery(self) -> Delivery:
        """The example as a delivery that comes in long after everything it tells of."""
        return Delivery(
            body=self.body,
            headers=self.headers,
            query=self.query,
            method=self.method,
            received_at=_RECEIVED_AT,
        )

    def parsed_by(self, parse: Callable[[Delivery], Any]) -> "Example":
        """The example with the payload that ``parse`` makes of its delivery, None if it fails."""
        try:
            return replace(self, payload=parse(self.delivery))
        except GatewayError:
            return replace(self, payload=None)


def read_example(node: Node, parse: Callable[[Delivery], Any]) -> Example:
    """Read one of ``examples:``; raises `NodeError`.

    ``payload`` is what the provider sends as JSON, written as plain data; ``body`` is for
    what is no JSON, or must be sent to the letter. A GET has neither.
    """
    parts = node.mapping(_KEYS, required=("expect",))
    method = parts["method"].choice(_METHODS) if "method" in parts else "POST"
    if method != "GET" and ("payload" in parts) is ("body" in parts):
        node.fail("an example has either 'payload' or 'body'")
    example = Example(
        name=parts["name"].text() if "name" in parts else _name(node),
        method=method,
        headers={name.lower(): text for name, text in _texts(parts.get("headers"))},
        query=dict(_texts(parts.get("query"))),
        payload=None,
        body=_body(parts),
        expect=tuple(_expectations(parts["expect"])),
        path=node.path,
    )
    try:
        return replace(example, payload=parse(example.delivery))
    except MalformedPayload as error:
        parts.get("body", node).fail(error.message)


def differences(example: Example, rules: RuleSet) -> Iterator[str]:
    """In which ways the rules do something else than the example expects."""
    if example.payload is None:
        yield "its body cannot be read"
        return
    mapped = rules.map(example.payload, example.delivery)
    if not mapped.events and example.expect:
        yield f"it is ignored: {mapped.reason}"
    elif len(mapped.events) != len(example.expect):
        yield f"it gives {len(mapped.events)} events and not {len(example.expect)}"
    else:
        for event, expected in zip(mapped.events, example.expect, strict=True):
            yield from _compare(event, expected)


def _compare(event: Event, expected: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in expected.items():
        found = getattr(event, name)
        if name == "occurred_at":
            same = found == parse_time(wanted)
            found = found.isoformat()
        else:
            same = found == wanted
        if not same:
            yield f"{name} is {_shown(found)} and not {_shown(wanted)}"


def _expectations(node: Node) -> Iterator[Mapping[str, Any]]:
    if node.value == IGNORED:
        return
    if not isinstance(node.value, dict | list):
        node.fail("expected a mapping, a list of mappings, or the word 'ignored'")
    for piece in node.one_or_more():
        parts = piece.mapping(EXPECTED, required=("status",))
        parts["status"].choice(status.value for status in OBSERVABLE)
        yield {name: part.value for name, part in parts.items()}


def _texts(node: Node | None) -> Iterator[tuple[str, str]]:
    for name, piece in node.entries() if node else ():
        yield name, piece.text()


def _body(parts: Mapping[str, Node]) -> bytes:
    if "body" in parts:
        return parts["body"].text().encode()
    return encode_json(parts["payload"].value).encode() if "payload" in parts else b""


def _name(node: Node) -> str:
    return f"example {node.path[-1] if node.path else 1}"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
