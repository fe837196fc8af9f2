"""A subscription of SNS and its messages, from the request to the store."""

import base64
import json
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from falcon.testing import Result
from gateways import Gateway

from gateway.app import utc_now
from gateway.store.monitors import Monitor

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token="
ALARM = {
    "AlarmName": "busy",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:busy",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed",
}


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(now: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder(
        name, name, private_key().public_key(), 1, now - timedelta(1), now + timedelta(1)
    )
    made = builder.sign(private_key(), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def envelope(kind: str, message_id: str, **fields: str) -> dict[str, str]:
    found = {
        "Type": kind,
        "MessageId": message_id,
        "TopicArn": TOPIC,
        "Timestamp": "2026-01-20T10:30:00.000Z",
        "SigningCertURL": CERTIFICATE_URL,
        "SignatureVersion": "2",
        **fields,
    }
    unsigned = ("SigningCertURL", "SignatureVersion")
    text = "".join(f"{name}\n{found[name]}\n" for name in sorted(found) if name not in unsigned)
    signature = private_key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return {**found, "Signature": base64.b64encode(signature).decode()}


def subscription(token: str) -> dict[str, str]:
    fields = {"Token": token, "Message": "You have chosen", "SubscribeURL": SUBSCRIBE_URL + token}
    return envelope("SubscriptionConfirmation", token, **fields)


def post(gateway: Gateway, monitor: Monitor, fields: dict[str, Any]) -> Result:
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": fields["Type"],
    }
    return gateway.post(monitor, json.dumps(fields).encode(), headers)


@pytest.fixture
def monitor(gateway: Gateway) -> Monitor:
    now = utc_now()
    gateway.fetcher.keep(CERTIFICATE_URL, certificate(now), now)
    return gateway.monitor("aws_sns", credentials={"topic_arn": (TOPIC,)})


def test_messages_are_recorded_once(gateway: Gateway, monitor: Monitor) -> None:
    message = envelope("Notification", "1", Message=json.dumps(ALARM))
    answers = [post(gateway, monitor, message) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [outcome for outcome, _ in gateway.log(monitor)] == ["recorded", "duplicate"]
    assert gateway.reread(monitor).status == "down"


def test_a_changed_message_is_refused(gateway: Gateway, monitor: Monitor) -> None:
    message = envelope("Notification", "2", Message=json.dumps(ALARM)) | {"Message": "{}"}

    assert post(gateway, monitor, message).status_code == 401
    assert not gateway.stored(monitor)


def test_the_address_in_a_subscription_is_visited(gateway: Gateway, monitor: Monitor) -> None:
    message = subscription("confirmed")
    gateway.fetcher.keep(message["SubscribeURL"], b"<ConfirmSubscriptionResponse/>", utc_now())

    assert post(gateway, monitor, message).status_code == 200
    assert gateway.log(monitor)[-1][0] == "handshake"


def test_a_visit_that_fails_is_tried_again(gateway: Gateway, monitor: Monitor) -> None:
    # The gateway of the tests can reach nobody.
    assert post(gateway, monitor, subscription("unreachable")).status_code == 503


def test_what_is_not_verified_is_not_visited(gateway: Gateway, monitor: Monitor) -> None:
    message = subscription("forged") | {"Token": "another"}

    # A visit would fail, with 503.
    assert post(gateway, monitor, message).status_code == 401


def test_a_monitor_without_a_topic_visits_nothing(gateway: Gateway) -> None:
    unsigned = gateway.monitor("aws_sns")

    assert post(gateway, unsigned, subscription("unwanted")).status_code == 200
    assert gateway.log(unsigned) == [("ignored", "rule 'subscription' ignores it")]


def test_raw_messages_are_asked_for_user_and_password(gateway: Gateway) -> None:
    """SNS sends what stands in its endpoint's address only after a 401 that asks for it."""
    monitor = gateway.monitor("aws_sns", credentials={"basic_auth": ("sns:s3cret",)})
    body = json.dumps(ALARM).encode()

    first = gateway.post(monitor, body)
    second = gateway.post(monitor, body, {"Authorization": "Basic c25zOnMzY3JldA=="})

    assert first.status_code == 401
    assert first.headers["www-authenticate"] == 'Basic realm="webhooks", charset="UTF-8"'
    assert first.json["code"] == "signature_missing"
    assert second.status_code == 200
    assert second.json["monitor"]["status"] == "down"


def test_nobody_is_asked_for_what_is_not_configured(gateway: Gateway) -> None:
    monitor = gateway.monitor("aws_sns", credentials={"topic_arn": (TOPIC,)})

    answer = gateway.post(monitor, json.dumps(ALARM).encode())

    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers
