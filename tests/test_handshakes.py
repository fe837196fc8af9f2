"""Challenges are answered as their senders want, and only where they are proven."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bodies import Body
from gateway.core.errors import SignatureError
from gateway.core.hmac_scheme import Hmac
from gateway.core.model import Delivery, Outcome
from gateway.core.nodes import Node, NodeError
from gateway.core.schemes import read_scheme
from gateway.handshakes import Handshakes, read_recipes, read_reply
from gateway.provider import Reply

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
SIGNATURE = Hmac(header="X-Signature")

CHALLENGE = {
    "method": "GET",
    "when": "query('hub.mode') == 'subscribe'",
    "proof": {
        "type": "query_equals",
        "parameter": "hub.verify_token",
        "credential": "verify_token",
    },
    "reply": {"body": "{{ query('hub.challenge') }}"},
}
VERIFICATION = {
    "when": "type == 'url_verification'",
    "signed": True,
    "reply": {
        "body": '{"challenge": "{{ challenge }}"}',
        "content_type": "application/json",
        "headers": {"X-Echo": "{{ challenge }}"},
    },
}


def handshakes(*written: Any) -> Handshakes:
    return Handshakes(read_recipes(Node(list(written)), read_scheme), SIGNATURE, Body())


def get(**query: str) -> Delivery:
    return Delivery(
        b"", {}, NOON, query={k.replace("_", ".", 1): v for k, v in query.items()}, method="GET"
    )


def post(body: bytes, **headers: str) -> Delivery:
    return Delivery(body, headers, NOON)


def test_a_challenge_in_the_address_is_echoed() -> None:
    reply = handshakes(CHALLENGE)(get(hub_mode="subscribe", hub_challenge="115"), {})

    assert reply == Reply(200, b"115")


def test_a_configured_proof_must_hold() -> None:
    answer = handshakes(CHALLENGE)
    credentials = {"verify_token": ("right",)}
    right = get(hub_mode="subscribe", hub_challenge="1", hub_verify_token="right")
    wrong = get(hub_mode="subscribe", hub_challenge="1", hub_verify_token="wrong")

    assert answer(right, credentials) is not None
    for challenge in (wrong, get(hub_mode="subscribe", hub_challenge="1")):
        with pytest.raises(SignatureError):
            answer(challenge, credentials)


def test_a_signed_challenge_must_be_signed() -> None:
    answer = handshakes(VERIFICATION)
    challenge = post(b'{"type": "url_verification", "challenge": "abc"}')
    credentials = {"secret": ("s",)}

    signed = SIGNATURE.sign(challenge, "s", NOON)
    reply = answer(signed, credentials)
    assert reply is not None
    assert (reply.body, reply.headers) == (b'{"challenge": "abc"}', {"X-Echo": "abc"})
    with pytest.raises(SignatureError):
        answer(challenge, credentials)


def test_a_header_cannot_be_split_by_the_challenge() -> None:
    challenge = post(b'{"type": "url_verification", "challenge": "a\\r\\nX: b"}')

    reply = handshakes(VERIFICATION)(challenge, {})

    assert reply is not None
    assert reply.headers == {"X-Echo": "aX: b"}


@pytest.mark.parametrize(
    "delivery",
    [
        get(hub_mode="other"),
        get(),
        post(b'{"type": "event_callback"}'),
        post(b"not json"),
        Delivery(b"", {}, NOON, method="OPTIONS"),
    ],
)
def test_everything_else_is_no_handshake(delivery: Delivery) -> None:
    assert handshakes(CHALLENGE, VERIFICATION)(delivery, {}) is None


def test_a_condition_that_cannot_be_applied_does_not_hold() -> None:
    recipe = {"when": "lower(type) == 'ping'", "reply": {"status": 204}}

    assert handshakes(recipe)(post(b'{"type": null}'), {}) is None
    assert handshakes(recipe)(post(b'{"type": "PING"}'), {}) == Reply(204)


def test_a_recipe_without_condition_answers_its_method() -> None:
    assert handshakes({"method": "OPTIONS", "reply": {}})(
        Delivery(b"", {}, NOON, method="OPTIONS"), {}
    ) == Reply(200)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"when": "a =="}, "'reply' is missing"),
        ({"when": "nope(a)", "reply": {}}, "unknown function"),
        ({"reply": {"status": 404}}, "from 200 to 299"),
        ({"reply": {}, "method": "PATCH"}, "is not one of"),
    ],
)
def test_wrong_recipes_are_explained(recipe: Any, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        read_recipes(Node([recipe]), read_scheme)


def test_a_fixed_reply_is_given_to_every_outcome() -> None:
    reply = read_reply(Node({"status": 200, "body": "ok"}))

    assert reply(Outcome.IGNORED) == reply(Outcome.RECORDED) == Reply(200, b"ok")
