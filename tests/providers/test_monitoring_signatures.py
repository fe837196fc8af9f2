"""Proofs of origin that were made without our code, for providers that watch other systems."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from gateway.core.errors import SignatureMismatch, SignatureStale
from gateway.core.model import Delivery
from gateway.providers import load_providers

PROVIDERS = load_providers(entry_points=False)
BODY = b'{"status":"firing","alerts":[]}'
AT = 1768905000
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = "whpk_" + base64.b64encode(PRIVATE_KEY.public_key().public_bytes_raw()).decode()

# https://github.com/PagerDuty/go-pagerduty/blob/main/webhookv3/webhookv3_test.go
PAGERDUTY_BODY = (
    b'{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated",'
    b'"resource_type":"incident","occurred_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":'
    b'"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV","self":'
    b'"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":'
    b'"user_reference"},"client":null,"data":{"id":"PGR0VU2","type":"incident","self":'
    b'"https://api.pagerduty.com/incidents/PGR0VU2","html_url":'
    b'"https://acme.pagerduty.com/incidents/PGR0VU2","number":2,"status":"triggered","title":'
    b'"A little bump in the road","service":{"html_url":'
    b'"https://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH","self":'
    b'"https://api.pagerduty.com/services/PF9KMXH","summary":"API Service","type":'
    b'"service_reference"},"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G",'
    b'"id":"PTUXL6G","self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123",'
    b'"type":"user_reference"}],"escalation_policy":{"html_url":'
    b'"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE","self":'
    b'"https://api.pagerduty.com/escalation_policies/PUS0KTE","summary":"Default","type":'
    b'"escalation_policy_reference"},"teams":[{"html_url":'
    b'"https://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0","self":'
    b'"https://api.pagerduty.com/teams/PFCVPS0","summary":"Engineering","type":'
    b'"team_reference"}],"priority":{"html_url":'
    b'"https://acme.pagerduty.com/account/incident_priorities","id":"PSO75BM","self":'
    b'"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":'
    b'"priority_reference"},"urgency":"high","conference_bridge":{"conference_number":1000,'
    b'"conference_url":"https://example.com"},"resolve_reason":null}}}'
)


def standard(prefix: str) -> dict[str, str]:
    """The headers of the reference implementation, under one of the two names."""
    sent = datetime.fromtimestamp(AT, UTC)
    signature = Webhook(STANDARD_SECRET).sign("msg_1", sent, BODY.decode())
    return {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": str(AT),
        f"{prefix}-signature": f"v1,bm90IGl0 v1a,bm90IGl0 {signature}",
    }


def asymmetric() -> dict[str, str]:
    """``v1a``, among signatures of another kind and by another key."""
    signature = base64.b64encode(PRIVATE_KEY.sign(b"msg_1.%d." % AT + BODY)).decode()
    other = base64.b64encode(PRIVATE_KEY.sign(BODY)).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(AT),
        "webhook-signature": f"v1,bm90IGl0 v1a,{other} v1a,{signature}",
    }


def hexdigest(message: bytes) -> str:
    return hmac.new(b"s3cret", message, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Known:
    provider: str
    secret: str
    headers: Mapping[str, str]
    credential: str = "secret"
    body: bytes = BODY
    at: int = AT


BASIC = {"authorization": "Basic " + base64.b64encode(b"taco:s3cret").decode()}
BEARER = {"authorization": "Bearer s3cret"}
HEADER = {"x-webhook-secret": "s3cret"}

KNOWN = {
    "pagerduty": Known(
        "pagerduty",
        "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK",
        {
            "x-pagerduty-signature": "v1=" + "0" * 64 + ",v1="
            "0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"
        },
        body=PAGERDUTY_BODY,
    ),
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
    "standard webhooks, published": Known(
        "standard_webhooks",
        STANDARD_SECRET,
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        body=b'{"test": 2432232314}',
        at=1614265330,
    ),
    "standard webhooks": Known("standard_webhooks", STANDARD_SECRET, standard("webhook")),
    "svix": Known("standard_webhooks", STANDARD_SECRET, standard("svix")),
    "standard webhooks, asymmetric": Known(
        "standard_webhooks", PUBLIC_KEY, asymmetric(), "public_key"
    ),
    "grafana": Known("grafana", "s3cret", {"x-grafana-alerting-signature": hexdigest(BODY)}),
    "grafana with a time": Known(
        "grafana",
        "s3cret",
        {
            "x-grafana-alerting-signature": hexdigest(b"1768905000:" + BODY),
            "x-grafana-alerting-timestamp": "1768905000",
        },
    ),
    "grafana, bearer": Known("grafana", "s3cret", BEARER, "bearer_token"),
    "grafana, basic": Known("grafana", "taco:s3cret", BASIC, "basic_auth"),
    "cloudevents": Known("cloudevents", "s3cret", BEARER),
} | {
    f"{name}, {credential}": Known(name, secret, headers, credential)
    for name in ("alertmanager", "betterstack", "datadog", "newrelic", "uptime_kuma")
    for credential, secret, headers in (
        ("secret", "s3cret", BEARER),
        ("basic_auth", "taco:s3cret", BASIC),
        ("header_secret", "s3cret", HEADER),
    )
}


# A wrong secret must look like a right one.
WRONG = {
    STANDARD_SECRET: "whsec_bm90IGl0",
    PUBLIC_KEY: "whpk_"
    + base64.b64encode(
        Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    ).decode(),
}


def verify(known: Known, secret: str, seconds: int = 0) -> None:
    now = datetime.fromtimestamp(known.at + seconds, UTC)
    delivered = Delivery(body=known.body, headers=known.headers, received_at=now)
    PROVIDERS.get(known.provider).verify(delivered, {known.credential: (secret,)}, now)


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_known_answers_verify(known: Known) -> None:
    verify(known, known.secret)
    with pytest.raises(SignatureMismatch):
        verify(known, WRONG.get(known.secret, "not:it"))


@pytest.mark.parametrize(
    "name",
    [
        "standard webhooks",
        "standard webhooks, asymmetric",
        "svix",
        "grafana with a time",
    ],
)
def test_old_ones_are_refused(name: str) -> None:
    with pytest.raises(SignatureStale):
        verify(KNOWN[name], KNOWN[name].secret, seconds=301)


def test_cloudevents_take_the_token_from_the_address() -> None:
    now = datetime.fromtimestamp(AT, UTC)
    query = {"access_token": "s3cret"}
    delivered = Delivery(body=BODY, headers={}, received_at=now, query=query)

    PROVIDERS.get("cloudevents").verify(delivered, {"secret": ("s3cret",)}, now)


@pytest.mark.parametrize("name", ["statuspage", "pingdom", "uptimerobot"])
def test_a_secret_closes_what_cannot_be_verified(name: str) -> None:
    now = datetime.fromtimestamp(AT, UTC)
    delivered = Delivery(body=BODY, headers=BEARER | HEADER, received_at=now)

    with pytest.raises(SignatureMismatch):
        PROVIDERS.get(name).verify(delivered, {"secret": ("s3cret",)}, now)
