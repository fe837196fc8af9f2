"""The vendors' own signers, and what else no known answer can show, for what watches systems."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from standardwebhooks import Webhook

from gateway.app import utc_now
from gateway.core.errors import SignatureMismatch, SignatureStale
from gateway.core.model import Delivery
from gateway.core.signatures import Credentials
from gateway.providers import load_providers

PROVIDERS = load_providers(entry_points=False)
STANDARD = PROVIDERS.get("standard_webhooks")
NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEXT = st.text(alphabet=st.characters(codec="utf-8"))


def delivery(body: bytes, headers: dict[str, str]) -> Delivery:
    return Delivery(body=body, headers=headers, received_at=NOW)


def stamped(prefix: str, signatures: str) -> dict[str, str]:
    """The headers of the standard, under one of the two names."""
    return {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": str(int(NOW.timestamp())),
        f"{prefix}-signature": signatures,
    }


@given(body=TEXT, prefix=st.sampled_from(["webhook", "svix"]))
def test_what_the_library_of_the_standard_signs_is_accepted(body: str, prefix: str) -> None:
    signature = Webhook(SECRET).sign("msg_1", NOW, body)
    received = delivery(body.encode(), stamped(prefix, f"v1,bm90IGl0 v1a,bm90IGl0 {signature}"))

    STANDARD.verify(received, {"secret": (SECRET,)}, NOW)
    with pytest.raises(SignatureMismatch):
        STANDARD.verify(received, {"secret": ("whsec_bm90IGl0",)}, NOW)
    later = NOW + timedelta(seconds=301)
    with pytest.raises(SignatureStale):
        STANDARD.verify(received, {"secret": (SECRET,)}, later)


@given(seed=st.binary(min_size=24, max_size=64))
def test_what_we_sign_is_accepted_by_the_library_of_the_standard(seed: bytes) -> None:
    secret = "whsec_" + base64.b64encode(seed).decode()
    now = utc_now()  # the library reads the clock itself
    body = b'{"type": "service.down"}'
    unsigned = Delivery(body=body, headers={}, received_at=now)
    signed = STANDARD.provider.signature.sign(unsigned, secret, now)

    assert Webhook(secret).verify(body, dict(signed.headers)) == {"type": "service.down"}


@given(body=st.binary(), seed=st.binary(min_size=32, max_size=32))
def test_asymmetric_signatures_as_libsodium_makes_them(body: bytes, seed: bytes) -> None:
    key = SigningKey(seed)
    content = b"msg_1.%d." % NOW.timestamp() + body
    right, other = (base64.b64encode(key.sign(each).signature).decode() for each in (content, body))
    received = delivery(body, stamped("webhook", f"v1,bm90IGl0 v1a,{other} v1a,{right}"))
    public = "whpk_" + base64.b64encode(bytes(key.verify_key)).decode()
    credentials: Credentials = {"public_key": (public,)}

    STANDARD.verify(received, credentials, NOW)
    with pytest.raises(SignatureMismatch):
        STANDARD.verify(delivery(body + b" ", dict(received.headers)), credentials, NOW)


@pytest.mark.parametrize("name", ["statuspage", "pingdom", "uptimerobot"])
def test_a_secret_closes_what_cannot_be_verified(name: str) -> None:
    headers = {"authorization": "Bearer s3cret", "x-webhook-secret": "s3cret"}

    with pytest.raises(SignatureMismatch):
        PROVIDERS.get(name).verify(delivery(b"{}", headers), {"secret": ("s3cret",)}, NOW)
