"""Amazon SNS: messages of a topic, signed by AWS, and the confirmation of a subscription."""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway import (
    AnyOf,
    Basic,
    Credential,
    Credentials,
    DefinitionError,
    Delivery,
    Fetch,
    MalformedPayload,
    Provider,
    Register,
    Reply,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
    hookimpl,
    parse_json,
)

# A region has dashes and ends in a number: "sns.s3.amazonaws.com" would be a bucket.
HOSTS = r"sns\.[a-z]{2}(-[a-z]+)+-\d+\.amazonaws\.com(\.cn)?"
CERTIFICATE = r"/[A-Za-z0-9_-]+\.pem"
CONFIRMATION = r"/\?Action=ConfirmSubscription&[A-Za-z0-9%&=.:_-]+"
CERTIFICATE_AGE = 86_400.0
CONFIRMATION_AGE = 60.0

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        (SUBSCRIPTION, "UnsubscribeConfirmation"),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
OPTIONAL = ("Subject",)
# AWS still signs with SHA-1 unless the topic says SignatureVersion 2.
ALGORITHMS: Mapping[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303
    "2": hashes.SHA256(),
}
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")

Envelope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SnsSignature:
    """The RSA signature of AWS over the fields of a message, for the topics that are allowed.

    Everybody can have AWS sign messages of a topic of their own, so the signature alone
    proves nothing: the credential is the ARN of the topic, several for several topics.
    """

    credential: str = "topic_arn"

    @property
    def credential_names(self) -> tuple[str, ...]:
        """The one credential: the topics whose messages are accepted."""
        return (self.credential,)

    def problem(self, secret: str) -> str:
        """Why this text is no topic; empty if it is one."""
        return "" if TOPIC.fullmatch(secret) else "it is not the ARN of an SNS topic"

    def fetches(self, delivery: Delivery, credentials: Credentials) -> tuple[Fetch, ...]:
        """The certificate that a message of an allowed topic refers to."""
        envelope = envelope_of(delivery)
        if envelope is None or envelope.get("TopicArn") not in self._topics(credentials):
            return ()
        return (Fetch(certificate_url(envelope), HOSTS, CERTIFICATE, max_age=CERTIFICATE_AGE),)

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if AWS signed this message of an allowed topic, with a valid certificate.

        Raises `SignatureMissing`, `SignatureMalformed`, `SignatureStale` for a certificate
        out of its time, `SignatureMismatch`.
        """
        envelope = envelope_of(delivery)
        if envelope is None:
            raise SignatureMissing("the body is no signed message of SNS")
        content, signature = canonical(envelope), _signature(envelope)
        algorithm = ALGORITHMS.get(_text(envelope, "SignatureVersion"))
        if algorithm is None:
            raise SignatureMalformed("SignatureVersion is neither 1 nor 2")
        url = certificate_url(envelope)
        if envelope["TopicArn"] not in self._topics(credentials):
            raise SignatureMismatch(f"{envelope['TopicArn']!r} is no {self.credential} of ours")
        key = _key(delivery.fetched.get(url, b""), now)
        try:
            key.verify(signature, content, PKCS1v15(), algorithm)
        except InvalidSignature:
            raise SignatureMismatch("the certificate does not give this signature") from None

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:  # noqa: ARG002
        """Raise `DefinitionError`: AWS keeps the key."""
        raise DefinitionError("only AWS can sign a message of SNS; publish one to the topic")

    def _topics(self, credentials: Credentials) -> tuple[str, ...]:
        return credentials.get(self.credential, ())


SIGNATURE = SnsSignature()


def envelope_of(delivery: Delivery) -> Envelope | None:
    """The message with the fields of SNS around it; None for anything else, as raw messages."""
    try:
        payload = parse_json(delivery.body)
    except MalformedPayload:
        return None
    return payload if isinstance(payload, dict) and "SigningCertURL" in payload else None


def canonical(envelope: Envelope) -> bytes:
    """What AWS signs: name and value of each field, a line each. Raises `SignatureMalformed`."""
    names = SIGNED.get(_text(envelope, "Type"))
    if names is None:
        raise SignatureMalformed("the Type of the message is unknown")
    present = (name for name in names if name not in OPTIONAL or envelope.get(name) is not None)
    return "".join(f"{name}\n{_text(envelope, name)}\n" for name in present).encode(
        "utf-8", "surrogatepass"
    )


def certificate_url(envelope: Envelope) -> str:
    """Where the certificate is. Raises `SignatureMalformed` if that is not with SNS."""
    url = _text(envelope, "SigningCertURL")
    Fetch(url, HOSTS, CERTIFICATE).parts()
    return url


def confirm(delivery: Delivery, credentials: Credentials) -> Reply | None:
    """Consent to a subscription, by a visit to the address in it, once it is verified.

    Without an allowed topic nothing is visited: whoever knew our address could have any
    topic sent here.
    """
    envelope = envelope_of(delivery)
    if envelope is None or envelope.get("Type") != SUBSCRIPTION:
        return None
    if not any(credentials.get(name) for name in SIGNATURE.credential_names):
        return None
    SIGNATURE.verify(delivery, credentials, delivery.received_at)
    url = _text(envelope, "SubscribeURL")
    return Reply(visit=Fetch(url, HOSTS, CONFIRMATION, max_age=CONFIRMATION_AGE))


def _text(envelope: Envelope, name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str):
        raise SignatureMalformed(f"{name} is missing or no text")
    return value


def _signature(envelope: Envelope) -> bytes:
    try:
        return binascii.a2b_base64(_text(envelope, "Signature"), strict_mode=True)
    except ValueError:
        raise SignatureMalformed("Signature is not base64") from None


def _key(certificate: bytes, now: datetime) -> RSAPublicKey:
    """The key of a certificate that is valid now."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        key = found.public_key()
    except Exception:  # noqa: BLE001 - many kinds, for bytes of any kind
        raise SignatureMalformed("there is no certificate at SigningCertURL") from None
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise SignatureStale("the certificate has expired, or is not valid yet")
    if not isinstance(key, RSAPublicKey):
        raise SignatureMalformed("the certificate has no RSA key")
    return key


@hookimpl
def register_providers(register: Register) -> None:
    """Register SNS; all else about it is in its rule file."""
    register(
        Provider(
            "aws_sns",
            title="Amazon SNS",
            docs_url="https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html",
            # Raw messages have no signature.
            signature=AnyOf((SIGNATURE, Basic(credential="basic_auth"))),
            handshake=confirm,
            credentials=(
                Credential(
                    name="topic_arn",
                    label="Topic ARN",
                    help="arn:aws:sns:region:account:name of each topic that may post here.",
                ),
                Credential(
                    name="basic_auth",
                    label="User and password",
                    help="user:password of the endpoint's address, for raw messages.",
                ),
            ),
        )
    )
