"""Known answers, and the senders' own code, for the clouds: SNS, Pub/Sub, Azure."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt
from google.auth import jwt as google_jwt
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from gateway.app import utc_now
from gateway.core.errors import (
    DefinitionError,
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.signatures import AnyOf, Credentials
from gateway.providers import load_providers

NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
DAY = timedelta(days=1)
PROVIDERS = load_providers()
SNS = PROVIDERS.get("aws_sns")
TOPIC = "arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P"
ALLOWED: Credentials = {"topic_arn": ("arn:aws:sns:us-east-2:123456789012:other", TOPIC)}
CERTIFICATE_URL = "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-0123abc.pem"
SUBSCRIBE_URL = (
    "https://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription"
    f"&TopicArn={TOPIC}&Token=2336412f37fb687f"
)
# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
DOCUMENTED = """Message
My Test Message
MessageId
4d4dc071-ddbf-465d-bba8-08f81c89da64
Subject
My subject
Timestamp
2019-01-31T04:37:04.321Z
TopicArn
arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P
Type
Notification
"""
ORDER = (
    "Message",
    "MessageId",
    "Subject",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + DAY,
) -> bytes:
    """What AWS has at SigningCertURL, made by ourselves."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=begins,
        not_valid_after=ends,
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def notification(**changes: Any) -> dict[str, Any]:
    fields = {
        "Type": "Notification",
        "MessageId": "4d4dc071-ddbf-465d-bba8-08f81c89da64",
        "TopicArn": TOPIC,
        "Subject": "My subject",
        "Message": "My Test Message",
        "Timestamp": "2019-01-31T04:37:04.321Z",
        "SignatureVersion": "1",
        "SigningCertURL": CERTIFICATE_URL,
    }
    return fields | changes


def confirmation(**changes: Any) -> dict[str, Any]:
    fields = notification(
        Type="SubscriptionConfirmation", Token="2336412f37fb687f", SubscribeURL=SUBSCRIBE_URL
    )
    del fields["Subject"]
    return fields | changes


def signed(fields: Mapping[str, Any], text: str = "") -> dict[str, Any]:
    """The fields with a signature over ``text``, else over the canonical text."""
    lines = (f"{name}\n{fields[name]}\n" for name in ORDER if fields.get(name) is not None)
    algorithm = HASHES.get(fields["SignatureVersion"], hashes.SHA256())
    message = (text or "".join(lines)).encode()
    signature = private_key().sign(message, padding.PKCS1v15(), algorithm)
    return {**fields, "Signature": base64.b64encode(signature).decode()}


def delivered(fields: Mapping[str, Any], pem: bytes | None = None) -> Delivery:
    url = str(fields.get("SigningCertURL"))
    return Delivery(
        body=json.dumps(fields).encode(),
        headers={"content-type": "text/plain; charset=UTF-8"},
        received_at=NOW,
        fetched={url: certificate(private_key()) if pem is None else pem},
    )


def refused(
    delivery: Delivery, credentials: Credentials = ALLOWED, provider: str = "aws_sns"
) -> type[SignatureError] | None:
    try:
        PROVIDERS.get(provider).verify(delivery, credentials, NOW)
    except SignatureError as error:
        return type(error)
    return None


class TestSns:
    @pytest.mark.parametrize("version", ["1", "2"])
    def test_the_documented_text_is_what_is_signed(self, version: str) -> None:
        fields = signed(notification(SignatureVersion=version), DOCUMENTED)

        assert refused(delivered(fields)) is None

    @pytest.mark.parametrize("version", ["1", "2"])
    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param(confirmation(), id="subscription"),
            pytest.param(confirmation(Type="UnsubscribeConfirmation"), id="end of it"),
            # Lambda publishes so.
            pytest.param(notification(Subject=None), id="null subject"),
            pytest.param(
                {name: text for name, text in notification().items() if name != "Subject"},
                id="no subject",
            ),
            pytest.param(notification(Message='Olá, 世界\n"quoted"'), id="unicode"),
            pytest.param(notification(Message=""), id="empty message"),
        ],
    )
    def test_signed(self, fields: dict[str, Any], version: str) -> None:
        assert refused(delivered(signed(fields | {"SignatureVersion": version}))) is None

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
    def test_messages_of_any_text(self, message: str) -> None:
        assert refused(delivered(signed(notification(Message=message)))) is None

    @pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp"])
    def test_a_changed_field(self, name: str) -> None:
        fields = signed(notification()) | {name: "something else"}

        assert refused(delivered(fields)) is SignatureMismatch

    @pytest.mark.parametrize("name", ["SubscribeURL", "Token"])
    def test_a_changed_field_of_a_confirmation(self, name: str) -> None:
        fields = signed(confirmation()) | {name: "something else"}

        assert refused(delivered(fields)) is SignatureMismatch

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param(signed(notification()) | {"Subject": None}, id="subject taken out"),
            pytest.param(signed(notification(Subject=None)) | {"Subject": "x"}, id="put in"),
            pytest.param(signed(notification()) | {"SignatureVersion": "2"}, id="other version"),
            pytest.param(
                signed(notification(TopicArn="arn:aws:sns:us-east-2:999999999999:mine")),
                id="topic of a stranger",
            ),
            pytest.param(
                signed(notification(TopicArn="arn:aws:sns:us-east-2:999999999999:mine"))
                | {"TopicArn": TOPIC},
                id="topic of a stranger under our name",
            ),
            pytest.param(signed(notification(TopicArn=TOPIC.upper())), id="topic in capitals"),
            pytest.param(signed(notification(TopicArn=f"{TOPIC}\n")), id="topic with more"),
        ],
    )
    def test_mismatch(self, fields: dict[str, Any]) -> None:
        assert refused(delivered(fields)) is SignatureMismatch

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param(signed(notification(SignatureVersion="3")), id="unknown version"),
            pytest.param(signed(notification(Type="Notice")), id="unknown type"),
            pytest.param(notification(Signature="not base64!"), id="not base64"),
            pytest.param(notification(), id="no signature"),
            pytest.param(signed(notification()) | {"MessageId": 7}, id="a number"),
            pytest.param(signed(notification()) | {"TopicArn": None}, id="no topic"),
            pytest.param(signed(confirmation()) | {"Token": None}, id="no token"),
            pytest.param(notification(SigningCertURL=None), id="no certificate"),
            pytest.param(notification(TopicArn=[TOPIC]), id="a list for a topic"),
        ],
    )
    def test_malformed(self, fields: dict[str, Any]) -> None:
        assert refused(delivered(fields)) is SignatureMalformed

    @pytest.mark.parametrize(
        "pem",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"<ErrorResponse/>", id="no certificate"),
            pytest.param(certificate(ec.generate_private_key(ec.SECP256R1())), id="other key"),
        ],
    )
    def test_useless_certificate(self, pem: bytes) -> None:
        assert refused(delivered(signed(notification()), pem)) is SignatureMalformed

    def test_certificate_of_somebody_else(self) -> None:
        other = certificate(rsa.generate_private_key(public_exponent=65537, key_size=2048))

        assert refused(delivered(signed(notification()), other)) is SignatureMismatch

    @pytest.mark.parametrize("days", [-2, 2])
    def test_certificate_out_of_its_time(self, days: int) -> None:
        begins = NOW + days * DAY
        pem = certificate(private_key(), begins, begins + DAY)

        assert refused(delivered(signed(notification()), pem)) is SignatureStale

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"AlarmName": "busy"}', b"\xff"])
    def test_raw_messages_are_not_signed(self, body: bytes) -> None:
        raw = Delivery(body=body, headers={}, received_at=NOW)

        assert SNS.fetches(raw, ALLOWED) == ()
        assert refused(raw) is SignatureMissing

    def test_raw_messages_with_user_and_password(self) -> None:
        credentials = {**ALLOWED, "basic_auth": ("sns:secret",)}
        raw = Delivery(body=b'{"AlarmName": "busy"}', headers={}, received_at=NOW)
        authorized = SNS.provider.signature.sign(raw, "sns:secret", NOW)

        assert refused(authorized, credentials) is None
        assert refused(raw, credentials) is SignatureMissing
        assert refused(delivered(signed(notification())), credentials) is None

    def test_nobody_else_can_sign(self) -> None:
        assert isinstance(SNS.provider.signature, AnyOf)
        with pytest.raises(DefinitionError, match="only AWS"):
            SNS.provider.signature.sign(delivered(notification()), TOPIC, NOW)

    @pytest.mark.parametrize(
        ("text", "is_topic"),
        [
            (TOPIC, True),
            ("arn:aws-cn:sns:cn-north-1:123456789012:alarms.fifo", True),
            ("arn:aws:sqs:us-east-2:123456789012:queue", False),
            (f"{TOPIC}:6590056b-77a0-495f-83a1-53fbba126544", False),
            ("alarms", False),
            ("", False),
        ],
    )
    def test_what_a_topic_is(self, text: str, is_topic: bool) -> None:
        assert isinstance(SNS.provider.signature, AnyOf)
        scheme = SNS.provider.signature.schemes[0]

        assert (scheme.problem(text) == "") is is_topic


REGION = "sns.us-east-2.amazonaws.com"


class TestWhereTheCertificateIs:
    @pytest.mark.parametrize(
        "host",
        [
            REGION,
            "sns.ap-southeast-2.amazonaws.com",
            "sns.us-gov-west-1.amazonaws.com",
            "sns.cn-northwest-1.amazonaws.com.cn",
        ],
    )
    def test_with_sns(self, host: str) -> None:
        fields = signed(notification(SigningCertURL=f"https://{host}/Simple-0.pem"))
        (fetch,) = SNS.fetches(delivered(fields), ALLOWED)

        assert fetch.parts() == (host, "/Simple-0.pem")
        assert refused(delivered(fields)) is None

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("https://sns.s3.amazonaws.com/a.pem", id="bucket named sns"),
            pytest.param("https://sns.s3-us-west-2.amazonaws.com/a.pem", id="and with region"),
            pytest.param("https://sns.us-east-2.s3.amazonaws.com/a.pem", id="bucket below it"),
            pytest.param("https://sns.amazonaws.com/a.pem", id="no region"),
            pytest.param("https://sns.us-east.amazonaws.com/a.pem", id="no number"),
            pytest.param("https://sqs.us-east-2.amazonaws.com/a.pem", id="other service"),
            pytest.param("https://xsns.us-east-2.amazonaws.com/a.pem", id="more before"),
            pytest.param("https://sns.us-east-2.amazonaws.com.evil.com/a.pem", id="more after"),
            pytest.param("https://sns.us-east-2.amazonaws.com.br/a.pem", id="other country"),
            pytest.param("https://sns.us-east-2xamazonaws.com/a.pem", id="any letter for a dot"),
            pytest.param(f"https://evil.com/{REGION}/a.pem", id="in the path"),
            pytest.param(f"https://{REGION}@evil.com/a.pem", id="as user"),
            pytest.param(f"https://evil.com@{REGION}/a.pem", id="with user"),
            pytest.param(f"https://{REGION}:8443/a.pem", id="with port"),
            pytest.param(f"https://{REGION.upper()}/a.pem", id="in capitals"),
            pytest.param(f"https://{REGION}./a.pem", id="with a last dot"),
            pytest.param(f"http://{REGION}/a.pem", id="http"),
            pytest.param(f"HTTPS://{REGION}/a.pem", id="scheme in capitals"),
            pytest.param(f"//{REGION}/a.pem", id="no scheme"),
            pytest.param(f"https:\\\\{REGION}\\a.pem", id="backslashes"),
            pytest.param(f"https://{REGION}", id="no path"),
            pytest.param(f"https://{REGION}/a.txt", id="no pem"),
            pytest.param(f"https://{REGION}/?Action=Publish&Message=.pem", id="an action"),
            pytest.param(f"https://{REGION}/a.pem?b=c", id="with query"),
            pytest.param(f"https://{REGION}/a.pem#b", id="with fragment"),
            pytest.param(f"https://{REGION}/../a.pem", id="up"),
            pytest.param(f"https://{REGION}/a/b.pem", id="below"),
            pytest.param(f"https://{REGION}/a.pem\n", id="with an end of line"),
            pytest.param("https://sns.us-\neast-2.amazonaws.com/a.pem", id="and within"),
            pytest.param("", id="nothing"),
        ],
    )
    def test_anywhere_else(self, url: str) -> None:
        received = delivered(signed(notification(SigningCertURL=url)))

        assert refused(received) is SignatureMalformed
        with pytest.raises(SignatureMalformed):
            SNS.fetches(received, ALLOWED)

    @pytest.mark.parametrize(
        "credentials",
        [{}, {"basic_auth": ("a:b",)}, {"topic_arn": ("arn:aws:sns:us-east-2:1:x",)}],
    )
    def test_nothing_is_fetched_for_strangers(self, credentials: Credentials) -> None:
        received = delivered(signed(notification()))

        assert SNS.fetches(received, credentials) == ()


class TestConfirmation:
    def test_verified_and_allowed(self) -> None:
        reply = SNS.handshake(delivered(signed(confirmation())), ALLOWED)

        assert reply is not None
        assert reply.visit is not None
        assert reply.visit.url == SUBSCRIBE_URL
        assert reply.visit.parts()[0] == REGION

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            (confirmation(Signature="AAAA"), SignatureMismatch),
            (confirmation(), SignatureMalformed),
            (signed(confirmation()) | {"SubscribeURL": f"{SUBSCRIBE_URL}0"}, SignatureMismatch),
            (
                signed(confirmation(TopicArn="arn:aws:sns:us-east-2:999999999999:mine")),
                SignatureMismatch,
            ),
        ],
    )
    def test_never_before_that(self, fields: dict[str, Any], error: type[SignatureError]) -> None:
        with pytest.raises(error):
            SNS.handshake(delivered(fields), ALLOWED)

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.com/?Action=ConfirmSubscription&Token=1",
            "https://sns.s3.amazonaws.com/?Action=ConfirmSubscription&Token=1",
            f"http://{REGION}/?Action=ConfirmSubscription&Token=1",
            f"https://{REGION}/?Action=Publish&TopicArn={TOPIC}",
            f"https://{REGION}/",
            f"https://{REGION}:8443/?Action=ConfirmSubscription&Token=1",
        ],
    )
    def test_only_with_sns(self, url: str) -> None:
        reply = SNS.handshake(delivered(signed(confirmation(SubscribeURL=url))), ALLOWED)

        assert reply is not None
        assert reply.visit is not None
        with pytest.raises(SignatureMalformed):
            reply.visit.parts()

    @pytest.mark.parametrize("credentials", [{}, {"basic_auth": ("a:b",)}, {"topic_arn": ()}])
    def test_not_without_an_allowed_topic(self, credentials: Credentials) -> None:
        assert SNS.handshake(delivered(signed(confirmation())), credentials) is None

    @pytest.mark.parametrize(
        "fields", [notification(), confirmation(Type="UnsubscribeConfirmation")]
    )
    def test_nothing_else_is_confirmed(self, fields: dict[str, Any]) -> None:
        assert SNS.handshake(delivered(signed(fields)), ALLOWED) is None


# ---- tokens

TENANT, APPLICATION = "6e1d0b7c-1111-4f6e-9c6b-000000000001", "0c1f2a3b-2222-4f6e-9c6b-000000000002"
ENTRA: Credentials = {"tenant": (TENANT,), "application": (APPLICATION,)}
PUSH: Credentials = {
    "audience": ("https://status.example.com/push",),
    "service_account": ("push@shop.iam.gserviceaccount.com",),
}
CALLERS = {
    "azure": "461e8683-5575-4561-ac7f-899cc907d62a",
    "azure_eventgrid": "4962773b-9cdb-44cf-a8bf-237846a00ab7",
}
KEY_SETS = {
    "azure": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
    "azure_eventgrid": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
    "gcp_pubsub": "https://www.googleapis.com/oauth2/v3/certs",
}


def with_token(provider: str, claims: Mapping[str, Any]) -> Delivery:
    """A delivery with a token that Google's own library made, and the key set for it."""
    key = private_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    times = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 3600}
    signer = crypt.RSASigner.from_string(pem, "1")  # type: ignore[no-untyped-call]
    token = google_jwt.encode(signer, {**times, **claims})  # type: ignore[no-untyped-call]
    key_set = {"keys": [{**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "1"}]}
    return Delivery(
        body=b"{}",
        headers={"authorization": f"Bearer {token.decode()}"},
        received_at=NOW,
        fetched={KEY_SETS[provider]: json.dumps(key_set).encode()},
    )


def test_google_accepts_what_we_sign() -> None:
    scheme = PROVIDERS.get("gcp_pubsub").provider.signature
    made = scheme.sign(Delivery(b"{}", {}, NOW), "taco", utc_now())
    [key_set] = made.fetched.values()
    [jwk] = json.loads(key_set)["keys"]
    public = RSAAlgorithm.from_jwk(jwk)
    assert isinstance(public, rsa.RSAPublicKey)
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    token = made.headers["authorization"].removeprefix("Bearer ")

    claims = google_jwt.decode(token, certs={jwk["kid"]: pem}, audience="taco")  # type: ignore[no-untyped-call]

    assert claims["iss"] == "https://accounts.google.com"


def entra(provider: str, **changes: Any) -> dict[str, Any]:
    claims = {
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "aud": APPLICATION,
        "azp": CALLERS[provider],
        "ver": "2.0",
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def push(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": "https://accounts.google.com",
        "aud": PUSH["audience"][0],
        "azp": "113774264463038321964",
        "email": PUSH["service_account"][0],
        "email_verified": True,
        "sub": "113774264463038321964",
    }
    return claims | changes


OLD_ISSUER = f"https://sts.windows.net/{TENANT}/"


@pytest.mark.parametrize("provider", ["azure", "azure_eventgrid"])
class TestEntra:
    def test_version_2(self, provider: str) -> None:
        assert refused(with_token(provider, entra(provider)), ENTRA, provider) is None

    @pytest.mark.parametrize("audience", [APPLICATION, f"api://{APPLICATION}"])
    def test_version_1(self, provider: str, audience: str) -> None:
        caller = CALLERS[provider]
        claims = entra(provider, iss=OLD_ISSUER, aud=audience, azp=None, appid=caller)

        assert refused(with_token(provider, claims), ENTRA, provider) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "https://login.microsoftonline.com/another/v2.0"},
            {"iss": None},
            {"aud": "another"},
            {"aud": None},
            {"azp": "another"},
            {"azp": None},
            # The first of both that a token has is the one that counts.
            {"azp": "another", "appid": CALLERS["azure"]},
        ],
        ids=str,
    )
    def test_other_claims(self, provider: str, changes: dict[str, Any]) -> None:
        received = with_token(provider, entra(provider, **changes))

        assert refused(received, ENTRA, provider) is SignatureMismatch

    def test_expired(self, provider: str) -> None:
        received = with_token(provider, entra(provider, exp=int(NOW.timestamp()) - 3600))

        assert refused(received, ENTRA, provider) is SignatureStale

    @pytest.mark.parametrize("name", ["tenant", "application"])
    def test_half_configured(self, provider: str, name: str) -> None:
        received = with_token(provider, entra(provider))

        assert refused(received, {name: ENTRA[name]}, provider) is SignatureMismatch

    def test_without_token(self, provider: str) -> None:
        plain = Delivery(body=b"{}", headers={}, received_at=NOW)

        assert refused(plain, ENTRA, provider) is SignatureMissing

    def test_not_the_token_of_the_other(self, provider: str) -> None:
        (other,) = CALLERS.keys() - {provider}

        assert refused(with_token(provider, entra(other)), ENTRA, provider) is SignatureMismatch


class TestPubSub:
    @pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
    def test_as_google_signs(self, issuer: str) -> None:
        received = with_token("gcp_pubsub", push(iss=issuer))

        assert refused(received, PUSH, "gcp_pubsub") is None

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"iss": "https://accounts.example.com"}, SignatureMismatch),
            ({"aud": "https://status.example.com/other"}, SignatureMismatch),
            ({"email": "other@shop.iam.gserviceaccount.com"}, SignatureMismatch),
            ({"email_verified": False}, SignatureMismatch),
            ({"email_verified": "true"}, SignatureMismatch),
            ({"exp": int(NOW.timestamp()) - 3600}, SignatureStale),
        ],
        ids=str,
    )
    def test_other_claims(self, changes: dict[str, Any], error: type[SignatureError]) -> None:
        assert refused(with_token("gcp_pubsub", push(**changes)), PUSH, "gcp_pubsub") is error

    @pytest.mark.parametrize("name", ["audience", "service_account"])
    def test_half_configured(self, name: str) -> None:
        received = with_token("gcp_pubsub", push())

        assert refused(received, {name: PUSH[name]}, "gcp_pubsub") is SignatureMismatch


# ---- Event Grid's handshakes

GRID = PROVIDERS.get("azure_eventgrid")
VALIDATION = {
    "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
    "topic": "/subscriptions/1111",
    "subject": "",
    "data": {"validationCode": '512d38b6-"c7b8"', "validationUrl": "https://rp.example.com/"},
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "eventTime": "2026-01-20T10:30:00Z",
    "metadataVersion": "1",
    "dataVersion": "1",
}


def challenge(payload: Any, query: dict[str, str] | None = None) -> Delivery:
    headers = {"aeg-event-type": "SubscriptionValidation"}
    body = json.dumps(payload).encode()
    return Delivery(body=body, headers=headers, received_at=NOW, query=query or {})


class TestEventGridHandshake:
    @pytest.mark.parametrize("payload", [[VALIDATION], VALIDATION], ids=["list", "alone"])
    def test_validation(self, payload: Any) -> None:
        reply = GRID.handshake(challenge(payload), {})

        assert reply is not None
        assert reply.status == 200
        assert reply.content_type == "application/json"
        assert json.loads(reply.body) == {"validationResponse": '512d38b6-"c7b8"'}

    def test_only_with_the_secret(self) -> None:
        credentials = {"secret": ("correct horse",)}
        right = challenge([VALIDATION], {"secret": "correct horse"})

        assert GRID.handshake(right, credentials) is not None
        with pytest.raises(SignatureMissing):
            GRID.handshake(challenge([VALIDATION]), credentials)
        with pytest.raises(SignatureMismatch):
            GRID.handshake(challenge([VALIDATION], {"secret": "wrong"}), credentials)

    def test_events_are_no_challenge(self) -> None:
        event = {**VALIDATION, "eventType": "Microsoft.Storage.BlobCreated"}

        assert GRID.handshake(challenge([event]), {}) is None

    def test_cloud_events(self) -> None:
        origin = {"webhook-request-origin": "eventgrid.azure.net"}
        asking = Delivery(body=b"", headers=origin, received_at=NOW, method="OPTIONS")
        reply = GRID.handshake(asking, {"secret": ("correct horse",)})

        assert reply is not None
        assert reply.status == 200
        assert reply.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
        assert GRID.handshake(replace(asking, headers={}), {}) is None
