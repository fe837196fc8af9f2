"""Events that the project's own library sends, and those that nobody should."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from gateway.core.errors import MalformedPayload
from gateway.core.model import Delivery
from gateway.providers import load_providers

CLOUDEVENTS = load_providers(entry_points=False).get("cloudevents")
NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
ATTRIBUTES = {
    "specversion": "1.0",
    "type": "com.example.health",
    "source": "/shop two",
    "subject": "caixa 100 % São Paulo",
    "id": "a-1",
    "time": NOW,
}


def delivered(body: bytes, headers: Mapping[str, str], method: str = "POST") -> Delivery:
    lower = {name.lower(): value for name, value in headers.items()}
    return Delivery(body=body, headers=lower, received_at=NOW, method=method)


def parsed(body: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return CLOUDEVENTS.parse(delivered(body, named))


def sent(message: HTTPMessage) -> Any:
    return CLOUDEVENTS.parse(delivered(message.body, message.headers))


@pytest.mark.parametrize("data", [{"status": "up"}, [1, 2], 3, {}], ids=repr)
def test_structured_and_binary_mean_the_same(data: Any) -> None:
    event = CloudEvent({**ATTRIBUTES, "datacontenttype": "application/json"}, data)
    structured, binary = sent(to_structured_event(event)), sent(to_binary_event(event))

    assert structured == binary
    assert structured["subject"] == "caixa 100 % São Paulo"
    assert structured["data"] == data


# The library does not write these as JSON.
@pytest.mark.parametrize("data", ["text", True, None], ids=repr)
def test_binary_data_can_be_any_json(data: Any) -> None:
    body = json.dumps(data).encode()

    assert parsed(body, ce_specversion="1.0", content_type="application/json")["data"] == data


def test_text_is_text_in_both() -> None:
    event = CloudEvent({**ATTRIBUTES, "datacontenttype": "text/plain"}, "está cheio")

    assert sent(to_structured_event(event))["data"] == "está cheio"
    assert sent(to_binary_event(event))["data"] == "está cheio"


def test_bytes_stay_in_base64_in_both() -> None:
    event = CloudEvent({**ATTRIBUTES, "datacontenttype": "application/avro"}, b"\x00\xff")

    assert sent(to_structured_event(event))["data_base64"] == "AP8="
    assert sent(to_binary_event(event))["data_base64"] == "AP8="


def test_a_binary_event_can_do_without_data() -> None:
    assert parsed(b"", ce_specversion="1.0", ce_id="1") == {"specversion": "1.0", "id": "1"}


def test_what_is_structured_does_not_look_at_attributes_in_headers() -> None:
    body = b'{"specversion":"1.0","id":"1"}'
    kind = "application/cloudevents+json; charset=utf-8"

    assert parsed(body, content_type=kind, ce_specversion="1.0", ce_id="2")["id"] == "1"


@pytest.mark.parametrize(
    ("base64", "kind", "expected"),
    [
        ("eyJhIjoxfQ==", "application/json", {"data": {"a": 1}}),
        ("eyJhIjoxfQ==", "application/vnd.acme+json; charset=utf-8", {"data": {"a": 1}}),
        ("eyJhIjoxfQ==", None, {"data": {"a": 1}}),
        ("b2zDoQ==", "text/plain", {"data": "olá"}),
        ("AP8=", "text/plain", {"data_base64": "AP8="}),
        ("AP8=", "application/json", {"data_base64": "AP8="}),
        ("... no base64 ...", "application/json", {"data_base64": "... no base64 ..."}),
        (7, "application/json", {"data_base64": 7}),
    ],
)
def test_data_in_base64(base64: object, kind: str | None, expected: dict[str, Any]) -> None:
    event = {"id": "1", "datacontenttype": kind}
    body = json.dumps([{**event, "data_base64": base64}, 5]).encode()

    assert parsed(body) == [{**event, **expected}, 5]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"1,2", {"content_type": "application/json"}),
        (b"1],[2", {"content_type": "application/json"}),
        (b" ", {"content_type": "application/json"}),
        (b"\xff", {"content_type": "text/plain"}),
    ],
)
def test_data_that_is_not_what_it_says(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(MalformedPayload):
        parsed(body, ce_specversion="1.0", **headers)


@pytest.mark.parametrize("kind", ["application/cloudevents+xml", "application/cloudevents+avro"])
def test_formats_that_are_not_json(kind: str) -> None:
    with pytest.raises(MalformedPayload, match="not understood"):
        parsed(b"<event/>", content_type=kind)


def asked(method: str = "OPTIONS", **headers: str) -> dict[str, str] | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = CLOUDEVENTS.handshake(delivered(b"", named, method), {"secret": ("x",)})
    return None if reply is None else dict(reply.headers)


def test_permission_to_send_is_given_without_a_token() -> None:
    assert asked(webhook_request_origin="sender.example.com") == {
        "Allow": "POST",
        "WebHook-Allowed-Origin": "sender.example.com",
        "WebHook-Allowed-Rate": "*",
    }


def test_at_the_rate_that_is_asked_for() -> None:
    answer = asked(webhook_request_origin="sender.example.com", webhook_request_rate="120")

    assert answer is not None
    assert answer["WebHook-Allowed-Rate"] == "120"


def test_nothing_else_is_a_challenge() -> None:
    assert asked() is None
    assert asked("POST", webhook_request_origin="sender.example.com") is None
