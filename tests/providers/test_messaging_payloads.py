"""What providers of messaging, payments and shops do besides signing and mapping."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gateway.core.errors import SignatureError, SignatureMismatch, SignatureMissing
from gateway.core.model import Delivery
from gateway.core.redaction import redact
from gateway.providers import load_providers

PROVIDERS = load_providers()
WHATSAPP = PROVIDERS.get("whatsapp")


def delivery(body: Any = None, **parts: Any) -> Delivery:
    raw = b"" if body is None else orjson.dumps(body)
    at = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
    return Delivery(body=raw, received_at=at, **{"headers": {}, **parts})


CHALLENGE = delivery(
    method="GET",
    query={
        "hub.mode": "subscribe",
        "hub.challenge": "1158201444",
        "hub.verify_token": "meatyhamhock",
    },
)


class TestWhatsAppChallenge:
    @pytest.mark.parametrize(
        "credentials",
        [{}, {"secret": ("app",)}, {"verify_token": ("old", "meatyhamhock"), "secret": ("app",)}],
    )
    def test_is_answered(self, credentials: dict[str, tuple[str, ...]]) -> None:
        reply = WHATSAPP.handshake(CHALLENGE, credentials)

        assert reply is not None
        assert (reply.status, reply.body, reply.content_type) == (
            200,
            b"1158201444",
            "text/plain",
        )

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ({**CHALLENGE.query, "hub.verify_token": "guess"}, SignatureMismatch),
            ({"hub.mode": "subscribe", "hub.challenge": "1"}, SignatureMissing),
        ],
    )
    def test_is_refused(self, query: dict[str, str], error: type[SignatureError]) -> None:
        with pytest.raises(error):
            WHATSAPP.handshake(replace(CHALLENGE, query=query), {"verify_token": ("right",)})

    def test_is_nothing_else(self) -> None:
        assert WHATSAPP.handshake(replace(CHALLENGE, query={}), {}) is None
        assert WHATSAPP.handshake(replace(CHALLENGE, method="POST"), {}) is None

    def test_finds_its_provider(self) -> None:
        assert PROVIDERS.detect(CHALLENGE).name == "whatsapp"


class TestWhatsAppEntries:
    @pytest.mark.parametrize(
        "payload",
        [{}, [], {"entry": None}, {"entry": [1, {"changes": 2}, {"changes": ["x"]}]}],
    )
    def test_of_any_shape(self, payload: Any) -> None:
        assert WHATSAPP.parse(delivery(payload)) == payload

    def test_are_named_in_each_change(self) -> None:
        changes = [{"field": "flows"}, {"field": "security", "entry": "a field of theirs"}]
        payload = WHATSAPP.parse(delivery({"entry": [{"id": "1", "time": 2, "changes": changes}]}))

        assert payload["entry"][0]["changes"] == [
            {"field": "flows", "entry": {"id": "1", "time": 2}},
            {"field": "security", "entry": {"id": "1", "time": 2}},
        ]


def change(value: dict[str, Any]) -> dict[str, Any]:
    return {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}


PERSON = "15550000001"


@pytest.mark.parametrize(
    ("name", "payload", "kept"),
    [
        (
            "whatsapp",
            change(
                {
                    "metadata": {"phone_number_id": "106540352242922"},
                    "contacts": [{"wa_id": PERSON, "profile": {"name": "Ann"}}],
                    "messages": [{"from": PERSON, "text": {"body": "Ann here"}}],
                    "statuses": [{"id": "wamid.1", "recipient_id": PERSON}],
                }
            ),
            ("106540352242922", "wamid.1"),
        ),
        (
            "dialog360",
            {"event": "channel_live", "data": {"id": "CH1", "setup_info": {"phone_name": "Ann"}}},
            ("CH1",),
        ),
        (
            "twilio",
            {"MessageSid": "SM1", "To": PERSON, "From": "15550783881", "Body": "Ann here"},
            ("SM1",),
        ),
        ("twilio", [{"id": "EZ1", "data": {"to": PERSON, "body": "Ann"}}], ("EZ1",)),
        (
            "asaas",
            {
                "event": "TRANSFER_FAILED",
                "payment": {"id": "pay_1", "description": "Ann", "creditCard": {"number": PERSON}},
                "transfer": {"bankAccount": {"ownerName": "Ann"}},
            },
            ("TRANSFER_FAILED", "pay_1"),
        ),
        ("mercadopago", {"id": 1, "type": "order", "payer": {"name": "Ann"}}, ("order",)),
        (
            "shopify",
            {"id": 456, "email": "Ann@example.com", "customer": {"phone": PERSON}},
            ("456",),
        ),
    ],
)
def test_people_are_not_stored(name: str, payload: Any, kept: tuple[str, ...]) -> None:
    stored = orjson.dumps(redact(payload, PROVIDERS.get(name).provider.redact)).decode()

    assert "Ann" not in stored
    assert PERSON not in stored
    assert all(word in stored for word in kept)


def test_twilio_is_answered_with_twiml() -> None:
    payload = {"MessageSid": "SM1"}
    twilio = PROVIDERS.get("twilio")

    assert twilio.parse(delivery(payload)) == payload
    assert twilio.provider.reply is not None
    assert twilio.provider.methods == ("POST", "GET")
