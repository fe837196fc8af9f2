"""How a body becomes the payload that rules see, written as data."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

from gateway.core.errors import MalformedPayload
from gateway.core.model import Delivery
from gateway.core.nodes import Node
from gateway.core.paths import replace_at
from gateway.payloads import parse_body, parse_form, parse_json

DECODINGS = ("json", "base64")
_MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Unwrap:
    """A value that is JSON in a string (``json``), or base64 of that (``base64``).

    It is put in place of the string. What turns out to be something else stays.
    """

    path: str
    decode: str = "json"

    def apply(self, payload: Any) -> Any:
        """The payload with the value unwrapped."""
        return replace_at(payload, self.path, self._unwrapped)

    def _unwrapped(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            raw = _from_base64(value) if self.decode == "base64" else value.encode()
            return parse_json(raw)
        except (MalformedPayload, ValueError):
            return value


@dataclass(frozen=True, slots=True)
class Body:
    """The form in which a provider sends; called with a delivery it gives the payload.

    ``format`` is one of `FORMATS`. ``field`` names the field of a form or of multipart data
    that holds the payload as JSON; without it the payload is an object of all fields.
    Raises `MalformedPayload`.
    """

    format: str = "auto"
    field: str = ""
    unwrap: tuple[Unwrap, ...] = ()

    def __call__(self, delivery: Delivery) -> Any:
        """The payload of a delivery."""
        payload = FORMATS[self.format](delivery)
        if self.field and isinstance(payload, dict) and self.field in payload:
            payload = parse_json(str(payload[self.field]).encode())
        for each in self.unwrap:
            payload = each.apply(payload)
        return payload


def _auto(delivery: Delivery) -> Any:
    if not delivery.body and delivery.method == "GET":
        return _query(delivery)
    if (delivery.header("content-type") or "").lower().startswith(_MULTIPART):
        return _multipart(delivery)
    return parse_body(delivery)


def _json(delivery: Delivery) -> Any:
    return parse_json(delivery.body)


def _form(delivery: Delivery) -> dict[str, str]:
    return parse_form(delivery.body)


def _query(delivery: Delivery) -> dict[str, str]:
    return dict(delivery.query)


def _multipart(delivery: Delivery) -> dict[str, str]:
    kind = (delivery.header("content-type") or "").encode("latin-1", "replace")
    head = b"Content-Type: " + kind + b"\r\n\r\n"
    message = message_from_bytes(head + delivery.body, policy=policy.HTTP)
    fields: dict[str, str] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            try:
                fields[name] = content.decode()
            except UnicodeDecodeError:
                raise MalformedPayload(f"the field {name!r} is not UTF-8") from None
    if not fields:
        raise MalformedPayload("the body is not multipart form data with any field")
    return fields


FORMATS: Mapping[str, Callable[[Delivery], Any]] = {
    "auto": _auto,
    "json": _json,
    "form": _form,
    "multipart": _multipart,
    "query": _query,
}
"""``auto`` is JSON, unless the content type (or GET) says that it is something else."""


def read_body_format(node: Node) -> Body:
    """Read ``body:`` of a rule file; raises `NodeError`."""
    parts = node.mapping(("format", "field", "unwrap"))
    return Body(
        format=parts["format"].choice(FORMATS) if "format" in parts else "auto",
        field=parts["field"].text() if "field" in parts else "",
        unwrap=tuple(map(_read_unwrap, parts["unwrap"].one_or_more())) if "unwrap" in parts else (),
    )


def _read_unwrap(node: Node) -> Unwrap:
    if isinstance(node.value, str):
        return Unwrap(node.text())
    parts = node.mapping(("path", "decode"), required=("path",))
    decode = parts["decode"].choice(DECODINGS) if "decode" in parts else "json"
    return Unwrap(parts["path"].text(), decode)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
