"""CloudEvents over HTTP: whatever way an event is sent, the rules see it in one form."""

import binascii
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import unquote

from gateway import (
    AnyOf,
    Bearer,
    Credential,
    Delivery,
    MalformedPayload,
    Provider,
    QueryEquals,
    Register,
    hookimpl,
    parse_json,
)

ATTRIBUTE = "ce-"
STRUCTURED = "application/cloudevents"


def parse(delivery: Delivery) -> Any:
    """An event as an object of its attributes and ``data``, or an array of such objects.

    Raises `MalformedPayload`. The modes, of which structured and batched ones need not say
    so in the content type:
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
    """
    kind = _media_type(delivery.header("content-type") or "")
    if not kind.startswith(STRUCTURED) and delivery.header("ce-specversion") is not None:
        return _binary(delivery, kind)
    if kind.startswith(STRUCTURED) and not kind.endswith(("cloudevents", "-batch", "+json")):
        raise MalformedPayload(f"the event format {kind} is not understood; send JSON")
    events = parse_json(delivery.body)
    if isinstance(events, list):
        return [_with_data(event) for event in events]
    return _with_data(events)


def _binary(delivery: Delivery, kind: str) -> dict[str, Any]:
    """The attributes are headers, percent-encoded; the body is the data alone."""
    event: dict[str, Any] = {
        name.removeprefix(ATTRIBUTE): unquote(value)
        for name, value in delivery.headers.items()
        if name.startswith(ATTRIBUTE)
    }
    if kind:
        event["datacontenttype"] = delivery.header("content-type")
    if delivery.body:
        event |= _data(delivery.body, kind)
    return event


def _with_data(event: Any) -> Any:
    """The event with its ``data_base64`` read, if that is what it says it is."""
    if not isinstance(event, dict) or not isinstance(event.get("data_base64"), str):
        return event
    try:
        body = b64decode(event["data_base64"], validate=True)
        data = _data(body, _media_type(str(event.get("datacontenttype") or "")))
    except (binascii.Error, ValueError, MalformedPayload):
        return event
    return {**{name: value for name, value in event.items() if name != "data_base64"}, **data}


def _data(body: bytes, kind: str) -> dict[str, Any]:
    """Data of a media type as JSON writes it."""
    if not kind or kind.endswith(("/json", "+json")):
        return {"data": _any_json(body)}
    if kind.startswith("text/"):
        try:
            return {"data": body.decode()}
        except UnicodeDecodeError:
            raise MalformedPayload("the data is not UTF-8") from None
    return {"data_base64": b64encode(body).decode()}


def _any_json(body: bytes) -> Any:
    # Data can be a number or a text too, which alone are no payload.
    values = parse_json(b"[" + body + b"]")
    if len(values) != 1:
        raise MalformedPayload("the data is not one JSON value")
    return values[0]


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()


@hookimpl
def register_providers(register: Register) -> None:
    """Register CloudEvents."""
    # https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#3-authorization
    register(
        Provider(
            "cloudevents",
            title="CloudEvents",
            docs_url="https://github.com/cloudevents/spec",
            signature=AnyOf((Bearer(), QueryEquals("access_token"))),
            parse=parse,
            credentials=(
                Credential(
                    label="Access token",
                    help="What the sender puts behind Authorization: Bearer, or into the "
                    "parameter access_token of the URL.",
                ),
            ),
        )
    )
