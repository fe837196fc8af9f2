"""Known answers and the vendors' own code, for chats, builds, deployments and errors."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook

from gateway.core.errors import (
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.signatures import Credentials
from gateway.providers import load_providers

NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
PROVIDERS = load_providers()
SECRET: Credentials = {"secret": ("correct horse",)}
# RFC 8032, section 7.1, test 1.
PRIVATE_KEY = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNING_TOKEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SLACK_COMMAND = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def delivery(body: bytes, headers: dict[str, str] | None = None) -> Delivery:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Delivery(body=body, headers=lower, received_at=NOW)


def refused(
    name: str, received: Delivery, credentials: Credentials, now: datetime = NOW
) -> type[SignatureError] | None:
    try:
        PROVIDERS.get(name).verify(received, credentials, now)
    except SignatureError as error:
        return type(error)
    return None


def signed_by(name: str, body: bytes, secret: str) -> Delivery:
    return PROVIDERS.get(name).provider.signature.sign(delivery(body), secret, NOW)


class Then(Clock):
    def now(self) -> float:
        return NOW.timestamp()


TEXT = st.text(alphabet=st.characters(codec="utf-8"))


@given(body=TEXT, secret=TEXT.filter(str.strip))
def test_slack_as_its_own_sdk_does(body: str, secret: str) -> None:
    signed = signed_by("slack", body.encode(), secret)
    verifier = SignatureVerifier(secret, Then())

    assert verifier.is_valid_request(body, dict(signed.headers))
    assert refused("slack", signed, {"secret": (secret,)}) is None
    late = NOW + timedelta(seconds=301)
    assert refused("slack", signed, {"secret": (secret,)}, late) is SignatureStale


@given(body=st.binary(), seed=st.binary(min_size=32, max_size=32))
def test_discord_as_libsodium_does(body: bytes, seed: bytes) -> None:
    key = SigningKey(seed)
    credentials = {"public_key": (PUBLIC_KEY, bytes(key.verify_key).hex())}
    timestamp = str(int(NOW.timestamp()))
    headers = {
        "X-Signature-Timestamp": timestamp,
        "X-Signature-Ed25519": key.sign(timestamp.encode() + body).signature.hex(),
    }
    received = delivery(body, headers)

    assert refused("discord", received, credentials) is None
    assert refused("discord", received, {"public_key": (PUBLIC_KEY,)}) is SignatureMismatch
    signed = signed_by("discord", body, seed.hex())
    assert signed.headers["x-signature-ed25519"] == headers["X-Signature-Ed25519"]


@given(body=TEXT)
def test_gitlab_as_the_library_of_the_standard_does(body: str) -> None:
    signature = Webhook(SIGNING_TOKEN).sign("msg_1", NOW, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": f"v1,AAAA {signature}",
    }
    received = delivery(body.encode(), headers)

    assert refused("gitlab", received, {"signing_token": (SIGNING_TOKEN,)}) is None
    assert PROVIDERS.detect(replace(received, headers={**headers, "x-gitlab-event": "x"})).name == (
        "gitlab"
    )


@pytest.mark.parametrize(
    ("credentials", "headers", "error"),
    [
        ({"secret": ("a",), "signing_token": (SIGNING_TOKEN,)}, {"X-Gitlab-Token": "a"}, None),
        ({"signing_token": (SIGNING_TOKEN,)}, {"X-Gitlab-Token": "a"}, SignatureMissing),
        ({"secret": ("b",)}, {"X-Gitlab-Token": "a"}, SignatureMismatch),
        ({"secret": ("a",)}, {}, SignatureMissing),
    ],
)
def test_gitlab_with_either_token(
    credentials: Credentials, headers: dict[str, str], error: type[SignatureError] | None
) -> None:
    assert refused("gitlab", delivery(b"{}", headers), credentials) is error


class TestNetlify:
    BODY = b'{"state":"ready"}'
    HASH = hashlib.sha256(BODY).hexdigest()

    def token(self, claims: dict[str, str], algorithm: str = "HS256") -> dict[str, str]:
        key = "correct horse".ljust(64, "\0")
        return {"X-Webhook-Signature": jwt.encode(claims, key, algorithm=algorithm)}

    @pytest.mark.parametrize(
        ("claims", "algorithm", "error"),
        [
            ({"iss": "netlify", "sha256": HASH}, "HS256", None),
            ({"iss": "netlify", "sha256": HASH}, "HS512", SignatureMalformed),
            ({"iss": "somebody", "sha256": HASH}, "HS256", SignatureMismatch),
            ({"sha256": HASH}, "HS256", SignatureMismatch),
            ({"iss": "netlify"}, "HS256", SignatureMismatch),
            ({"iss": "netlify", "sha256": "0" * 64}, "HS256", SignatureMismatch),
        ],
    )
    def test_claims(
        self, claims: dict[str, str], algorithm: str, error: type[SignatureError] | None
    ) -> None:
        received = delivery(self.BODY, self.token(claims, algorithm))

        assert refused("netlify", received, SECRET) is error

    def test_unsigned_token(self) -> None:
        unsigned = jwt.encode({"iss": "netlify", "sha256": self.HASH}, "", algorithm="none")
        received = delivery(self.BODY, {"X-Webhook-Signature": unsigned})

        assert refused("netlify", received, SECRET) is SignatureMalformed


class TestChallenges:
    @pytest.mark.parametrize(
        ("name", "body", "answer"),
        [
            ("slack", b'{"type":"url_verification","challenge":"3eZbrw1a"}', (200, b"3eZbrw1a")),
            ("discord", b'{"type":1,"id":"1","application_id":"2"}', (200, b'{"type":1}')),
            ("discord", b'{"version":1,"application_id":"2","type":0}', (204, b"")),
        ],
    )
    def test_are_answered_only_if_signed(
        self, name: str, body: bytes, answer: tuple[int, bytes]
    ) -> None:
        provider = PROVIDERS.get(name)
        secret = PRIVATE_KEY if name == "discord" else "secret"
        right = signed_by(name, body, secret)
        credentials: Credentials = {"secret": (secret,), "public_key": (PUBLIC_KEY,)}
        known = {key: credentials[key] for key in provider.provider.signature.credential_names}
        reply = provider.handshake(right, known)

        assert reply is not None
        assert (reply.status, reply.body) == answer
        with pytest.raises(SignatureMismatch):
            provider.handshake(replace(right, body=body + b" "), known)
        with pytest.raises(SignatureMissing):
            provider.handshake(delivery(body), known)

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("slack", b'{"type":"event_callback","event":{"type":"message"}}'),
            ("slack", SLACK_COMMAND),
            ("discord", b'{"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}'),
            ("discord", b'{"type":2,"data":{}}'),
        ],
    )
    def test_are_nothing_else(self, name: str, body: bytes) -> None:
        assert PROVIDERS.get(name).handshake(delivery(body), {}) is None
