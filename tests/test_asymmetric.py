"""Ed25519: known answers, what is refused, and YAML."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from gateway.asymmetric import Ed25519
from gateway.core.errors import (
    DefinitionError,
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.nodes import Node, NodeError
from gateway.core.signatures import Pairs, Timestamp
from gateway.provider import Provider
from gateway.scheme_types import read_scheme
from gateway.testing import NOW, SignatureCase, credentials_for, delivery, signature_cases

DISCORD = Ed25519(
    header="X-Signature-Ed25519",
    signed="{timestamp}{body}",
    timestamp=Timestamp("X-Signature-Timestamp", "s"),
    tolerance=300,
)
STANDARD = Ed25519(
    header=("webhook-signature", "svix-signature"),
    signed="{header.webhook-id}.{timestamp}.{body}",
    encoding="base64",
    list=Pairs(signature="v1a", separator=" ", pair=","),
    timestamp=Timestamp(("webhook-timestamp", "svix-timestamp"), "s"),
    tolerance=300,
    key_encoding="base64",
    key_prefix="whpk_",
    private_prefix="whsk_",
)
PLAIN = Ed25519(header="X-Signature", prefix="ed25519=", prefix_optional=True)
ALL = {"discord": DISCORD, "standard": STANDARD, "plain": PLAIN}

# https://www.rfc-editor.org/rfc/rfc8032#section-7.1, tests 1 and 2
SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SEED_2 = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC_2 = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

PING_AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
PING = delivery(
    b'{"type":1}',
    headers={
        "X-Signature-Timestamp": "1700000000",
        "X-Signature-Ed25519": (
            "1695961a47c91a1ec033b819b7e87e3dbc583dd0cee6d1fd0216f58ac87b6228"
            "ae531ddbf91fb7bc28d7edf7f08604da16f54624f38a6bc0614e4dc13cd47f0f"
        ),
    },
)
CASES = [
    case
    for name, scheme in ALL.items()
    for case in signature_cases(Provider(name, title=name, signature=scheme))
]


def verify(scheme: Ed25519, delivered: Delivery, *keys: str, now: datetime = NOW) -> None:
    scheme.verify(delivered, {scheme.credential: keys}, now)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conforms(case: SignatureCase) -> None:
    case.check()


def test_a_known_request_of_discord() -> None:
    verify(DISCORD, PING, PUBLIC, now=PING_AT)
    verify(DISCORD, PING, PUBLIC_2, PUBLIC, now=PING_AT)

    signed = DISCORD.sign(delivery(PING.body), SEED, PING_AT)
    assert signed.headers == PING.headers


@pytest.mark.parametrize("prefix", ["ed25519=", ""])
def test_a_vector_of_the_standard(prefix: str) -> None:
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    verify(PLAIN, delivery(b"\x72", headers={"X-Signature": prefix + signature}), PUBLIC_2)
    assert PLAIN.credential_for(SEED_2) == PUBLIC_2


def test_standard_webhooks_beside_a_symmetric_signature() -> None:
    """Made by libsodium the way the specification says; ``v1`` is for other receivers.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    key = SigningKey(bytes.fromhex(SEED))
    at = int(NOW.timestamp())
    message = f'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.{at}.{{"type":"a"}}'.encode()
    text = base64.b64encode(key.sign(message).signature).decode()
    delivered = delivery(
        b'{"type":"a"}',
        headers={
            "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
            "webhook-timestamp": str(at),
            "webhook-signature": f"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,{text}",
        },
    )
    public = "whpk_" + base64.b64encode(bytes(key.verify_key)).decode()

    verify(STANDARD, delivered, public)
    with pytest.raises(SignatureMismatch):
        verify(STANDARD, replace(delivered, body=b'{"type":"b"}'), public)


@given(body=st.binary(max_size=200), seed=st.binary(min_size=32, max_size=32))
def test_libsodium_agrees(body: bytes, seed: bytes) -> None:
    signed = PLAIN.sign(delivery(body), seed.hex(), NOW)
    signature = bytes.fromhex(signed.headers["x-signature"].removeprefix("ed25519="))
    public = PLAIN.credential_for(seed.hex())

    assert VerifyKey(bytes.fromhex(public)).verify(body, signature) == body
    verify(PLAIN, signed, public)


REFUSED: dict[str, tuple[dict[str, str | None], type[SignatureError]]] = {
    "no signature": ({"x-signature-ed25519": None}, SignatureMissing),
    "no timestamp": ({"x-signature-timestamp": None}, SignatureMissing),
    "another timestamp": ({"x-signature-timestamp": "1700000001"}, SignatureMismatch),
    "a timestamp in words": ({"x-signature-timestamp": "now"}, SignatureMalformed),
    "a short signature": ({"x-signature-ed25519": "16"}, SignatureMalformed),
    "no hexadecimal": ({"x-signature-ed25519": "zz" * 64}, SignatureMalformed),
    "a long signature": ({"x-signature-ed25519": "00" * 65}, SignatureMalformed),
    "zeros": ({"x-signature-ed25519": "00" * 64}, SignatureMismatch),
}


@pytest.mark.parametrize(("changes", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(changes: dict[str, str | None], error: type[SignatureError]) -> None:
    headers = {**PING.headers, **changes}
    kept = {name: value for name, value in headers.items() if value is not None}

    with pytest.raises(error):
        verify(DISCORD, replace(PING, headers=kept), PUBLIC, now=PING_AT)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_the_time_is_checked_of_what_is_signed_rightly(seconds: int) -> None:
    now = PING_AT + timedelta(seconds=seconds)

    with pytest.raises(SignatureStale):
        verify(DISCORD, PING, PUBLIC, now=now)
    with pytest.raises(SignatureMismatch):
        verify(DISCORD, PING, PUBLIC_2, now=now)


@pytest.mark.parametrize("keys", [(), ("",), ("no key",), ("00",), (PUBLIC + "00",)])
def test_a_key_that_is_none_proves_nothing(keys: tuple[str, ...]) -> None:
    with pytest.raises(SignatureMismatch, match="no usable public_key"):
        verify(DISCORD, PING, *keys, now=PING_AT)
    assert all(DISCORD.problem(key) for key in keys)


@pytest.mark.parametrize("key", ["00" * 32, "ff" * 32, "01" + "00" * 31])
def test_a_key_that_is_no_point_of_use_proves_nothing(key: str) -> None:
    with pytest.raises(SignatureMismatch):
        verify(DISCORD, PING, key, now=PING_AT)


def test_who_signs_needs_the_private_key() -> None:
    with pytest.raises(DefinitionError, match="no private key in hex"):
        DISCORD.sign(delivery(), "no key", NOW)
    seed = "whsk_" + base64.b64encode(bytes.fromhex(SEED)).decode()

    signed = STANDARD.sign(delivery(), seed, NOW)

    STANDARD.verify(signed, credentials_for(STANDARD, seed), NOW)
    assert STANDARD.credential_for(seed).startswith("whpk_")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"header": ""}, "header"),
        ({"encoding": "base32"}, "encoding"),
        ({"key_encoding": "utf8"}, "key_encoding"),
        ({"credential": ""}, "credential"),
        ({"signed": "{timestamp}{body}"}, "signed"),
        ({"tolerance": 300}, "tolerance"),
        ({"signed": ()}, "signed"),
    ],
)
def test_what_cannot_work(arguments: dict[str, object], field: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Ed25519(**{"header": "X-Signature", **arguments})  # type: ignore[arg-type]
    assert caught.value.field == field


def test_yaml() -> None:
    written = {
        "type": "ed25519",
        "header": "X-Signature-Ed25519",
        "signed": "{timestamp}{body}",
        "timestamp": {"header": "X-Signature-Timestamp", "unit": "s"},
        "tolerance": "5m",
    }
    found = read_scheme(Node(written))
    assert isinstance(found, Ed25519)
    verify(found, PING, PUBLIC, now=PING_AT)

    keys = {"key_encoding": "base64", "key_prefix": "whpk_", "private_prefix": "whsk_"}
    nested = {"any_of": [{**written, **keys, "credential": "key"}, {"type": "bearer"}]}
    assert read_scheme(Node(nested)).credential_names == ("key", "secret")


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ({"type": "ed25519"}, ("signature",)),
        ({"type": "ed2551"}, ("signature", "type")),
        (
            {"type": "ed25519", "header": "X", "key_encoding": "utf8"},
            ("signature", "key_encoding"),
        ),
        ({"type": "ed25519", "header": "X", "signed": "{time}"}, ("signature", "signed")),
        ({"type": "ed25519", "header": "X", "algorithm": "sha1"}, ("signature", "algorithm")),
    ],
)
def test_yaml_that_is_wrong(written: dict[str, object], path: tuple[str, ...]) -> None:
    with pytest.raises(NodeError) as caught:
        read_scheme(Node(written, ("signature",)))
    assert caught.value.path == path
