"""How bodies of all kinds become payloads."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bodies import Body, Unwrap, read_body_format
from gateway.core.errors import MalformedPayload
from gateway.core.model import Delivery
from gateway.core.nodes import Node, NodeError

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
MULTIPART = (
    b'--xyz\r\nContent-Disposition: form-data; name="data"\r\n\r\n{"a": 1}\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\nol\xc3\xa1\r\n--xyz--\r\n'
)


def delivery(body: bytes, kind: str = "", method: str = "POST", **query: str) -> Delivery:
    headers = {"content-type": kind} if kind else {}
    return Delivery(body, headers, NOON, query=query, method=method)


@pytest.mark.parametrize(
    ("body", "sent", "payload"),
    [
        (Body(), delivery(b'{"a": 1}'), {"a": 1}),
        (Body(), delivery(b'{"a": 1}', "text/plain; charset=UTF-8"), {"a": 1}),
        (Body(), delivery(b"a=1&b=", "application/x-www-form-urlencoded"), {"a": "1", "b": ""}),
        (
            Body(),
            delivery(MULTIPART, "multipart/form-data; boundary=xyz"),
            {"data": '{"a": 1}', "note": "olá"},
        ),
        (Body(), delivery(b"", method="GET", msg="down"), {"msg": "down"}),
        (Body("json"), delivery(b"[1]", "application/x-www-form-urlencoded"), [1]),
        (Body("form"), delivery(b"a=1"), {"a": "1"}),
        (Body("query"), delivery(b"", a="1"), {"a": "1"}),
        (Body("form", field="payload"), delivery(b"payload=%7B%22a%22%3A1%7D"), {"a": 1}),
        (Body(field="data"), delivery(MULTIPART, "multipart/form-data; boundary=xyz"), {"a": 1}),
        (Body(field="payload"), delivery(b'{"other": 1}'), {"other": 1}),
    ],
)
def test_each_format(body: Body, sent: Delivery, payload: Any) -> None:
    assert body(sent) == payload


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (Body(), delivery(b"")),
        (Body("form", field="payload"), delivery(b"payload=nonsense")),
        (Body("multipart"), delivery(b"nothing", "multipart/form-data; boundary=xyz")),
        (Body("multipart"), delivery(b"nothing", "multipart/form-data")),
        (
            Body("multipart"),
            delivery(MULTIPART.replace(b"\xc3\xa1", b"\xff"), "multipart/form-data; boundary=xyz"),
        ),
    ],
)
def test_what_is_not_in_the_format_is_malformed(body: Body, sent: Delivery) -> None:
    with pytest.raises(MalformedPayload):
        body(sent)


@pytest.mark.parametrize(
    ("unwrap", "payload", "expected"),
    [
        (Unwrap("Message"), {"Message": '{"State": "ALARM"}'}, {"Message": {"State": "ALARM"}}),
        (Unwrap("Message"), {"Message": "plain words"}, {"Message": "plain words"}),
        (Unwrap("Message"), {"Message": 5}, {"Message": 5}),
        (
            Unwrap("message.data", "base64"),
            {"message": {"data": base64.b64encode(b'{"a": 1}').decode()}},
            {"message": {"data": {"a": 1}}},
        ),
        (Unwrap("message.data", "base64"), {"message": {"data": "!"}}, {"message": {"data": "!"}}),
    ],
)
def test_what_is_wrapped_is_put_in_place(unwrap: Unwrap, payload: Any, expected: Any) -> None:
    assert unwrap.apply(payload) == expected


def test_reading_from_yaml() -> None:
    written = {
        "format": "form",
        "field": "payload",
        "unwrap": ["Message", {"path": "data", "decode": "base64"}],
    }

    assert read_body_format(Node(written)) == Body(
        "form", "payload", (Unwrap("Message"), Unwrap("data", "base64"))
    )
    assert read_body_format(Node({})) == Body()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"format": "xml"}, "'xml' is not one of"),
        ({"unwrap": [{"path": "a", "decode": "gzip"}]}, "'gzip' is not one of"),
        ({"unwrap": [{"decode": "json"}]}, "'path' is missing"),
        ({"fields": "x"}, "unknown key 'fields'"),
    ],
)
def test_wrong_yaml_is_explained(written: Any, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        read_body_format(Node(written))
