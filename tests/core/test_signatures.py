import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
import stripe
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import (
    DefinitionError,
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.signatures import (
    AnyOf,
    Basic,
    Bearer,
    HeaderEquals,
    Hmac,
    Pairs,
    QueryEquals,
    Scheme,
    Segments,
    Timestamp,
    Unsigned,
    companions,
    configured,
    verify,
)

NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
SECRET = "correct horse"
BODY = b'{"id":"1","event":"incident.triggered"}'
ID_MP = "ord01jq4s4ky8hwq6na5pxb65b3d3"

GITHUB = Hmac(header="X-Hub-Signature-256", prefix="sha256=")
CIRCLECI = Hmac(header="circleci-signature", list=Pairs())
SLACK = Hmac(
    header="X-Slack-Signature",
    signed="v0:{timestamp}:{body}",
    prefix="v0=",
    timestamp=Timestamp("X-Slack-Request-Timestamp", "s"),
    tolerance=300,
)
STANDARD = Hmac(
    header=("webhook-signature", "svix-signature"),
    signed=("{header.webhook-id}.{timestamp}.{body}", "{header.svix-id}.{timestamp}.{body}"),
    encoding="base64",
    list=Pairs(separator=" ", pair=","),
    timestamp=Timestamp(("webhook-timestamp", "svix-timestamp")),
    tolerance=300,
    secret_encoding="base64",
    secret_prefix="whsec_",
)
STRIPE = Hmac(
    header="Stripe-Signature",
    signed="{timestamp}.{body}",
    list=Pairs(signature="v1", timestamp="t"),
    tolerance=300,
)
MERCADO_PAGO = Hmac(
    header="x-signature",
    signed=(
        Segments(("id:{query.data.id};", "request-id:{header.x-request-id};", "ts:{timestamp};")),
        Segments(
            ("id:{query.data.id|lower};", "request-id:{header.x-request-id};", "ts:{timestamp};")
        ),
    ),
    list=Pairs(signature="v1", timestamp="ts"),
)
NATIVE = Hmac(
    header="X-Webhook-Signature",
    signed=("{body}", "{body|json}"),
    prefix="sha256=",
    prefix_optional=True,
)
GRAFANA = Hmac(
    header="X-Grafana-Alerting-Signature",
    signed="{timestamp}:{body}",
    timestamp=Timestamp("X-Grafana-Timestamp"),
    tolerance=300,
)
SENTRY = Hmac(header=("Sentry-Hook-Signature", "Sentry-App-Signature"))
WHATSAPP_PARTNER = Hmac(
    header="x-360dialog-signature", prefix="sha256=", prefix_optional=True, credential="platform"
)

ALL_HMAC = {
    "github": GITHUB,
    "circleci": CIRCLECI,
    "slack": SLACK,
    "standard": STANDARD,
    "stripe": STRIPE,
    "mercado pago": MERCADO_PAGO,
    "native": NATIVE,
    "grafana": GRAFANA,
    "shopify": Hmac(header="X-Shopify-Hmac-SHA256", encoding="base64"),
    "vercel": Hmac(header="x-vercel-signature", algorithm="sha1"),
    "sha512": Hmac(header="x-long", algorithm="sha512", secret_encoding="hex"),
}
SHARED: dict[str, Scheme] = {
    "header": HeaderEquals("X-Gitlab-Token"),
    "bearer": Bearer(),
    "basic": Basic(),
    "query": QueryEquals("auth_token"),
}
ALL = ALL_HMAC | SHARED


@dataclass(frozen=True)
class Both(Bearer):
    """A scheme that needs several credentials at once."""

    credential_names: tuple[str, ...] = ()


def secret_for(scheme: Scheme, name: str = "one") -> str:
    key = hashlib.sha256(name.encode()).digest()
    if isinstance(scheme, Basic):
        return f"user:{name}"
    encoding = getattr(scheme, "secret_encoding", "utf8")
    texts = {"utf8": f"secret {name}", "hex": key.hex(), "base64": base64.b64encode(key).decode()}
    return texts[encoding]


def delivery(
    body: bytes = BODY, headers: dict[str, str] | None = None, query: dict[str, str] | None = None
) -> Delivery:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Delivery(body=body, headers=lower, received_at=NOW, query=query or {})


def check(scheme: Scheme, delivered: Delivery, *secrets: str, now: datetime = NOW) -> None:
    scheme.verify(delivered, dict.fromkeys(scheme.credential_names, secrets), now)


@dataclass(frozen=True)
class Known:
    """A delivery whose signature was made by somebody else's code."""

    scheme: Hmac
    secret: str
    headers: dict[str, str]
    body: bytes = BODY
    query: dict[str, str] = field(default_factory=dict)
    at: int = int(NOW.timestamp())


# Where no platform publishes an answer, openssl made it.
KNOWN = {
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    "github": Known(
        GITHUB,
        "It's a Secret to Everybody",
        {
            "X-Hub-Signature-256": "sha256="
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        b"Hello, World!",
    ),
    # https://circleci.com/docs/outbound-webhooks/
    "circleci 1": Known(
        CIRCLECI,
        "secret",
        {
            "circleci-signature": "v1="
            "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"
        },
        b"hello world",
    ),
    "circleci 2": Known(
        CIRCLECI,
        "another-secret",
        {
            "circleci-signature": "v1="
            "daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"
        },
        b"lalala",
    ),
    "circleci 3": Known(
        CIRCLECI,
        "hunter123",
        {
            "circleci-signature": "v1="
            "9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa,v2=later"
        },
        b"an-important-request-payload",
    ),
    "circleci 4": Known(
        CIRCLECI,
        "secret",
        {
            "circleci-signature": "v1="
            "773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4"
        },
        b"foo",
    ),
    # https://api.slack.com/authentication/verifying-requests-from-slack
    "slack": Known(
        SLACK,
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "X-Slack-Signature": "v0="
            "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            "X-Slack-Request-Timestamp": "1531420618",
        },
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        at=1531420618,
    ),
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    "standard webhooks": Known(
        STANDARD,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1a,b2xk v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        at=1614265330,
    ),
    "svix": Known(
        STANDARD,
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "svix-timestamp": "1614265330",
            "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        at=1614265330,
    ),
    # https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks
    "mercado pago": Known(
        MERCADO_PAGO,
        "your_secret_key_here",
        {
            "x-request-id": "2066ca19-c6f1-498a-be75-1923005edd06",
            "x-signature": "ts=1742505638683,v1="
            "633f91233312dd391ec75fa0bea539cfc2d6c4918873305b84a96cc1c58db71c",
        },
        query={"data.id": ID_MP},
    ),
    "mercado pago, upper-case id signed in lower case": Known(
        MERCADO_PAGO,
        "your_secret_key_here",
        {
            "x-request-id": "2066ca19-c6f1-498a-be75-1923005edd06",
            "x-signature": "ts=1742505638683, v1="
            "633f91233312dd391ec75fa0bea539cfc2d6c4918873305b84a96cc1c58db71c",
        },
        query={"data.id": ID_MP.upper()},
    ),
    "mercado pago without request id": Known(
        MERCADO_PAGO,
        "your_secret_key_here",
        {
            "x-signature": "ts=1742505638683,v1="
            "77009d56537c75950c66e15da1f31cfe525e0e5d489fff1756dc9a7f8d9834bc"
        },
        query={"data.id": "ord01"},
    ),
    "mercado pago without id": Known(
        MERCADO_PAGO,
        "your_secret_key_here",
        {
            "x-request-id": "2066ca19-c6f1-498a-be75-1923005edd06",
            "x-signature": "ts=1742505638683,v1="
            "8a7b0cc777a8217c3bab41a50c95dc92debbc6f8448f1c967dfe10ac1cb8b894",
        },
    ),
    "360dialog": Known(
        WHATSAPP_PARTNER,
        "platform-secret",
        {
            "x-360dialog-signature": (
                "e1ef33298af18f163386d5a636223ed7588e5567b0f4a680e10ad3e2aace409a"
            )
        },
        b'{"id":"1","event":"channel_running","data":{"id":"CH1","status":"running"}}',
    ),
    "360dialog with prefix": Known(
        WHATSAPP_PARTNER,
        "platform-secret",
        {
            "x-360dialog-signature": "sha256="
            "E1EF33298AF18F163386D5A636223ED7588E5567B0F4A680E10AD3E2AACE409A"
        },
        b'{"id":"1","event":"channel_running","data":{"id":"CH1","status":"running"}}',
    ),
    "grafana": Known(
        GRAFANA,
        "grafana_secret",
        {
            "X-Grafana-Timestamp": "1700000000",
            "X-Grafana-Alerting-Signature": (
                "cf769bd0c339afb2500c6618725f8b723afb84d325a4dbe024f23d3f2df40f24"
            ),
        },
        at=1700000000,
    ),
    "shopify and heroku": Known(
        Hmac(header="X-Shopify-Hmac-SHA256", encoding="base64"),
        "shpss_secret",
        {"X-Shopify-Hmac-SHA256": "lkCOkBzSWrrwyCXLzBKwKY1lk7HeQIAni5MdaZdA5t4="},
    ),
    "vercel": Known(
        Hmac(header="x-vercel-signature", algorithm="sha1"),
        "vercel_secret",
        {"x-vercel-signature": "12b15a4e47766159af502dbc32a4cfa4ca9ef3ce"},
    ),
    "sentry, older header": Known(
        SENTRY,
        "sentry_client_secret",
        {
            "Sentry-App-Signature": (
                "e6f6ccfd272e71e6407d2d9b436f8f99444e1a3441a31b2113c3cf282bc6bb8d"
            )
        },
    ),
    "pagerduty during rotation": Known(
        Hmac(header="X-PagerDuty-Signature", list=Pairs()),
        "pd_secret",
        {
            "X-PagerDuty-Signature": "v1="
            "6ebec9056cacfa9ebe21f54017e6a278928161aba65448cde9d7f6119d690b62,v1="
            "e8d8ccc68ab00bd813bd3d3c12768ecc9e2c67f141b4071b9f5b19cbd5f3bdfd"
        },
    ),
    "sha512 in base64": Known(
        Hmac(header="x-long", algorithm="sha512", encoding="base64"),
        "long_secret",
        {
            "x-long": "ZM17TCRREOk4Wa5TU4hhWIB2JBe+eAB8cQttGypxkho4IlXkhkGOY0KCMm5e"
            "/ehcclIGzs7Q5krGO20ZAP9L7g=="
        },
    ),
    "stripe": Known(
        STRIPE,
        "whsec_oracle",
        {
            "Stripe-Signature": stripe.WebhookSignature.generate_signature_header(
                BODY.decode(), "whsec_oracle", timestamp=1700000000
            )
        },
        at=1700000000,
    ),
}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_known_answers_verify(known: Known) -> None:
    delivered = delivery(known.body, known.headers, known.query)
    now = datetime.fromtimestamp(known.at, UTC)

    check(known.scheme, delivered, known.secret, now=now)
    check(known.scheme, delivered, "bm90IGl0", known.secret, now=now)
    with pytest.raises(SignatureMismatch):
        check(known.scheme, delivered, "bm90IGl0", now=now)


@pytest.mark.parametrize("scheme", ALL.values(), ids=ALL)
def test_what_is_signed_verifies_with_any_current_secret(scheme: Scheme) -> None:
    first, second = secret_for(scheme), secret_for(scheme, "two")
    signed = scheme.sign(delivery(), second, NOW)

    check(scheme, signed, second)
    check(scheme, signed, first, second)
    with pytest.raises(SignatureMismatch):
        check(scheme, signed, first)


@pytest.mark.parametrize("scheme", ALL.values(), ids=ALL)
def test_a_delivery_without_proof_is_told_so(scheme: Scheme) -> None:
    with pytest.raises(SignatureMissing, match="missing"):
        check(scheme, delivery(), secret_for(scheme))


@pytest.mark.parametrize("scheme", ALL.values(), ids=ALL)
def test_without_a_usable_secret_nothing_verifies(scheme: Scheme) -> None:
    signed = scheme.sign(delivery(), secret_for(scheme), NOW)

    for credentials in ({}, {"secret": ()}, {"secret": ("",)}, {"other": ("x",)}):
        with pytest.raises(SignatureMismatch):
            scheme.verify(signed, credentials, NOW)


@pytest.mark.parametrize("scheme", ALL.values(), ids=ALL)
def test_problems_of_secrets_are_told(scheme: Scheme) -> None:
    assert scheme.problem(secret_for(scheme)) == ""
    assert scheme.problem("")
    with pytest.raises(DefinitionError, match="cannot sign"):
        scheme.sign(delivery(), "", NOW)


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (STANDARD, "whsec_"),
        (STANDARD, "whsec_not base64"),
        (ALL_HMAC["sha512"], "abc"),
        (Bearer(), " padded "),
        (HeaderEquals("x"), "não"),
        (QueryEquals("x"), "line\nbreak"),
        (Basic(), "no colon"),
    ],
)
def test_secrets_that_cannot_work_are_refused(scheme: Scheme, secret: str) -> None:
    assert scheme.problem(secret)
    with pytest.raises(DefinitionError):
        scheme.sign(delivery(), secret, NOW)


def test_an_empty_key_is_no_key() -> None:
    """Everybody could sign with it."""
    forged = base64.b64encode(hmac.digest(b"", b"id.1.{}", "sha256")).decode()
    headers = {"webhook-id": "id", "webhook-timestamp": "1", "webhook-signature": f"v1,{forged}"}

    with pytest.raises(SignatureMismatch):
        check(replace(STANDARD, tolerance=None), delivery(b"{}", headers), "whsec_")


@pytest.mark.parametrize(
    ("secret", "encoding"),
    [("YWJj", "base64"), ("YWJjZA", "base64"), ("_-8", "base64"), ("/+8=", "base64")],
)
def test_base64_secrets_may_lack_padding_and_use_either_alphabet(
    secret: str, encoding: str
) -> None:
    scheme = Hmac(header="x", secret_encoding=encoding)

    check(scheme, scheme.sign(delivery(), secret, NOW), secret)


@pytest.mark.parametrize("seconds", [-300, 300, 0])
@pytest.mark.parametrize("scheme", [SLACK, STANDARD, STRIPE, GRAFANA])
def test_within_the_tolerance(scheme: Hmac, seconds: int) -> None:
    secret = secret_for(scheme)
    signed = scheme.sign(delivery(), secret, NOW)

    check(scheme, signed, secret, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
@pytest.mark.parametrize("scheme", [SLACK, STANDARD, STRIPE, GRAFANA])
def test_outside_the_tolerance(scheme: Hmac, seconds: int) -> None:
    secret = secret_for(scheme)
    signed = scheme.sign(delivery(), secret, NOW)

    with pytest.raises(SignatureStale, match="more than 300 s"):
        check(scheme, signed, secret, now=NOW + timedelta(seconds=seconds))


def test_a_forged_old_delivery_is_forged_and_not_old() -> None:
    signed = STRIPE.sign(delivery(), "other", NOW)

    with pytest.raises(SignatureMismatch):
        check(STRIPE, signed, SECRET, now=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("unit", "timestamp", "is_fresh"),
    [
        ("s", NOW.timestamp(), True),
        ("ms", NOW.timestamp() * 1000, True),
        ("auto", NOW.timestamp(), True),
        ("auto", NOW.timestamp() * 1000, True),
        ("s", NOW.timestamp() * 1000, False),
        ("ms", NOW.timestamp(), False),
    ],
)
def test_units_of_timestamps(unit: str, timestamp: float, is_fresh: bool) -> None:
    scheme = Hmac("x", "{timestamp}{body}", timestamp=Timestamp("t", unit), tolerance=5)
    text = str(int(timestamp))
    digest = hmac.new(SECRET.encode(), text.encode() + BODY, "sha256").hexdigest()
    delivered = delivery(headers={"x": digest, "t": text})

    if is_fresh:
        check(scheme, delivered, SECRET)
    else:
        with pytest.raises(SignatureStale):
            check(scheme, delivered, SECRET)


@pytest.mark.parametrize("unit", ["s", "ms", "auto"])
def test_senders_write_the_unit_that_is_read(unit: str) -> None:
    scheme = Hmac("x", "{timestamp}{body}", timestamp=Timestamp("t", unit), tolerance=1)

    check(scheme, scheme.sign(delivery(), SECRET, NOW), SECRET)


@pytest.mark.parametrize(
    "text", ["", "now", "-5", "1.5", "1e9", "\u0663", "1" * 18, " ", "0x10", "1_000", "+1"]
)
def test_timestamps_that_are_no_number(text: str) -> None:
    signed = SLACK.sign(delivery(), SECRET, NOW)
    changed = replace(signed, headers={**signed.headers, "x-slack-request-timestamp": text})

    with pytest.raises(SignatureMalformed):
        check(SLACK, changed, SECRET)


HEX = "ab" * 32
BASE64 = base64.b64encode(b"x" * 32).decode()


@pytest.mark.parametrize(
    ("scheme", "header"),
    [
        (GITHUB, HEX),
        (GITHUB, "SHA256=" + HEX),
        (GITHUB, "sha256="),
        (GITHUB, "sha256=" + HEX[:-1]),
        (GITHUB, "sha256=" + HEX[:-2]),
        (GITHUB, "sha256=" + HEX + "00"),
        (GITHUB, f"sha256={HEX[:32]} {HEX[32:]}"),
        (GITHUB, f"sha256={HEX},sha256={HEX}"),
        (GITHUB, "sha256=" + "zz" * 32),
        (GITHUB, "sha256=" + "é" * 64),
        (GITHUB, "sha256=" + "\u0660" * 64),
        (GITHUB, ""),
        (GITHUB, "  "),
        (GITHUB, "sha256=" + "a" * 5000),
        (ALL_HMAC["shopify"], BASE64 + "!"),
        (ALL_HMAC["shopify"], BASE64[:-1]),
        (ALL_HMAC["shopify"], BASE64[:20] + "\n" + BASE64[20:]),
        (CIRCLECI, HEX),
        (CIRCLECI, "v2=" + HEX),
        (CIRCLECI, "v1"),
        (CIRCLECI, ","),
        (CIRCLECI, ",".join(["v1=ab"] * 33)),
        (STRIPE, "v1=" + HEX),
        (STRIPE, "t=1,t=2,v1=" + HEX),
        (STRIPE, "t=,v1=" + HEX),
        (STRIPE, "t=1"),
        (STRIPE, "t=1,v1=zz"),
    ],
)
def test_malformed_signatures(scheme: Hmac, header: str) -> None:
    with pytest.raises(SignatureMalformed):
        check(scheme, delivery(headers={str(scheme.header): header}), SECRET)


def test_unreadable_signatures_do_not_spoil_a_good_one() -> None:
    signed = CIRCLECI.sign(delivery(), SECRET, NOW).headers["circleci-signature"]

    for header in (f"v1=zz,{signed}", f"{signed},v1=", f"{signed},", f"={HEX}, {signed}"):
        check(CIRCLECI, delivery(headers={"circleci-signature": header}), SECRET)


def test_the_first_header_that_is_present_counts() -> None:
    good = SENTRY.sign(delivery(), SECRET, NOW).headers["sentry-hook-signature"]
    older = {"sentry-app-signature": good}

    check(SENTRY, delivery(headers=older), SECRET)
    with pytest.raises(SignatureMismatch):
        check(SENTRY, delivery(headers=older | {"sentry-hook-signature": HEX}), SECRET)


def test_absent_parts_of_what_is_signed_are_told() -> None:
    signed = STANDARD.sign(delivery(), secret_for(STANDARD), NOW)
    headers = {k: v for k, v in signed.headers.items() if k != "webhook-id"}

    with pytest.raises(SignatureMissing, match="part of what is signed"):
        check(STANDARD, replace(signed, headers=headers), secret_for(STANDARD))


def test_senders_make_up_what_is_absent() -> None:
    scheme = Hmac("x", "{query.id|lower}{header.X-Id}{body}")
    empty = scheme.sign(delivery(), SECRET, NOW)
    given_one = scheme.sign(delivery(headers={"x-id": "7"}, query={"id": "A"}), SECRET, NOW)

    check(scheme, empty, SECRET)
    assert empty.headers["x-id"] == empty.query["id"] == hashlib.sha256(BODY).hexdigest()[:32]
    assert (given_one.headers["x-id"], given_one.query["id"]) == ("7", "A")


def test_nothing_at_all_is_not_signed_content() -> None:
    scheme = Hmac("x", Segments(("{header.a}", "{query.b}")))
    digest = hmac.new(SECRET.encode(), b"", "sha256").hexdigest()

    with pytest.raises(SignatureMissing):
        check(scheme, delivery(headers={"x": digest}), SECRET)
    with pytest.raises(DefinitionError, match="nothing to sign"):
        scheme.sign(delivery(), SECRET, NOW)


def test_headers_are_signed_as_the_bytes_that_came() -> None:
    scheme = Hmac("x", "{header.x-name}{query.city}")
    message = "é".encode("latin-1") + "São".encode()
    digest = hmac.new(SECRET.encode(), message, "sha256").hexdigest()
    headers = {"x": digest, "x-name": "é"}

    check(scheme, delivery(headers=headers, query={"city": "São"}), SECRET)


def test_bodies_need_not_be_text() -> None:
    for scheme in ALL_HMAC.values():
        secret = secret_for(scheme)
        check(scheme, scheme.sign(delivery(b"\xff\x00\xfe"), secret, NOW), secret)


def sign_native(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("sent", "signed"),
    [
        ('{"status": "up"}', '{"status":"up"}'),
        ('{ "a" : [ 1 , 2.50 ] }', '{"a":[1,2.5]}'),
        ('{"a": "S\\u00e3o \\/ \\n"}', '{"a":"São / \\n"}'),
        ('{"a": 1, "b": 2, "a": 3}', '{"a":3,"b":2}'),
        ('{"b": null, "10": true, "9": false}', '{"9":false,"10":true,"b":null}'),
    ],
)
def test_the_compact_form_is_a_second_form(sent: str, signed: str) -> None:
    for form in (sent, signed):
        headers = {"X-Webhook-Signature": sign_native(form)}
        check(NATIVE, delivery(sent.encode(), headers), SECRET)
    headers = {"X-Webhook-Signature": sign_native(signed)}
    with pytest.raises(SignatureMismatch):
        check(NATIVE, delivery(sent.encode() + b" x", headers), SECRET)


def test_a_scheme_of_the_compact_form_alone_needs_json() -> None:
    scheme = Hmac("x", "{body|json}")

    with pytest.raises(SignatureMissing):
        check(scheme, delivery(b"no json", {"x": HEX}), SECRET)


@pytest.mark.parametrize(
    ("scheme", "headers", "query"),
    [
        (Bearer(), {"Authorization": "Basic abc"}, {}),
        (Bearer(), {"Authorization": "Bearer"}, {}),
        (Bearer(), {"Authorization": "Bearer é"}, {}),
        (Basic(), {"Authorization": "Basic ==="}, {}),
        (Basic(), {"Authorization": "Basic dXN"}, {}),
        (HeaderEquals("X-Token"), {"X-Token": "não"}, {}),
        (HeaderEquals("X-Token"), {"X-Token": "a" * 5000}, {}),
        (QueryEquals("token"), {}, {"token": ""}),
        (QueryEquals("token"), {}, {"token": "ção"}),
    ],
)
def test_malformed_shared_secrets(
    scheme: Scheme, headers: dict[str, str], query: dict[str, str]
) -> None:
    with pytest.raises(SignatureMalformed):
        check(scheme, delivery(headers=headers, query=query), "a:b")


def test_authorization_schemes_are_case_insensitive() -> None:
    check(Bearer(), delivery(headers={"Authorization": "bearer  abc "}), "abc")
    # https://www.rfc-editor.org/rfc/rfc7617#section-2
    value = "BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    check(Basic(), delivery(headers={"Authorization": value}), "Aladdin:open sesame")


EITHER = AnyOf((HeaderEquals("X-Gitlab-Token"), replace(STANDARD, credential="signing_token")))


class TestAnyOf:
    key = secret_for(STANDARD)

    def test_each_way_works_with_its_credential(self) -> None:
        token = delivery(headers={"X-Gitlab-Token": "abc"})
        signed = EITHER.schemes[1].sign(delivery(), self.key, NOW)

        EITHER.verify(token, {"secret": ("abc",)}, NOW)
        EITHER.verify(token, {"secret": ("abc",), "signing_token": (self.key,)}, NOW)
        EITHER.verify(signed, {"secret": ("abc",), "signing_token": (self.key,)}, NOW)
        assert EITHER.credential_names == ("secret", "signing_token")

    def test_a_way_without_its_credential_is_closed(self) -> None:
        token = delivery(headers={"X-Gitlab-Token": ""})

        with pytest.raises(SignatureMissing):
            EITHER.verify(token, {"secret": (), "signing_token": (self.key,)}, NOW)
        with pytest.raises(SignatureMismatch, match="none of secret, signing_token"):
            EITHER.verify(token, {"other": ("x",)}, NOW)

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({}, SignatureMissing),
            ({"webhook-signature": "zz"}, SignatureMalformed),
            ({"x-gitlab-token": "wrong"}, SignatureMismatch),
            ({"x-gitlab-token": "wrong", "webhook-signature": "zz"}, SignatureMismatch),
        ],
    )
    def test_the_nearest_error_is_told(
        self, headers: dict[str, str], expected: type[SignatureError]
    ) -> None:
        with pytest.raises(expected):
            check(EITHER, delivery(headers=headers), self.key)

    def test_a_stale_proof_is_nearer_than_a_wrong_one(self) -> None:
        signed = EITHER.schemes[1].sign(delivery(headers={"x-gitlab-token": "no"}), self.key, NOW)

        with pytest.raises(SignatureStale):
            check(EITHER, signed, self.key, now=NOW + timedelta(hours=1))

    def test_senders_use_the_first_way(self) -> None:
        check(EITHER, EITHER.sign(delivery(), "abc", NOW), "abc")

    def test_a_secret_must_suit_one_way(self) -> None:
        assert EITHER.problem("plain text") == ""
        assert EITHER.problem("")

    def test_it_needs_ways_that_can_be_checked(self) -> None:
        with pytest.raises(DefinitionError, match="no scheme"):
            AnyOf(())
        with pytest.raises(DefinitionError, match="unsigned"):
            AnyOf((Bearer(), Unsigned("it cannot")))


class TestUnsigned:
    scheme = Unsigned("the platform has no signatures")

    def test_no_secret_can_be_satisfied(self) -> None:
        with pytest.raises(SignatureMismatch, match="cannot sign"):
            check(self.scheme, delivery(), SECRET)
        assert self.scheme.problem(SECRET)
        assert self.scheme.credential_names == ()

    def test_signing_changes_nothing(self) -> None:
        assert self.scheme.sign(delivery(), SECRET, NOW) == delivery()

    def test_it_needs_a_reason(self) -> None:
        with pytest.raises(DefinitionError, match="why"):
            Unsigned(" ")


class TestPolicy:
    def test_without_credentials_the_address_is_proof_enough(self) -> None:
        for credentials in ({}, {"secret": ()}, {"secret": ("",)}):
            verify(GITHUB, delivery(), credentials, NOW)

    def test_with_any_credential_it_never_is(self) -> None:
        with pytest.raises(SignatureMissing):
            verify(GITHUB, delivery(), {"secret": ("x",)}, NOW)
        with pytest.raises(SignatureMismatch):
            verify(GITHUB, GITHUB.sign(delivery(), "x", NOW), {"other": ("x",)}, NOW)
        with pytest.raises(SignatureMismatch):
            verify(Unsigned("it cannot"), delivery(), {"secret": ("x",)}, NOW)

    def test_empty_values_are_not_configured(self) -> None:
        assert configured({"a": ("", "x"), "b": ("",), "c": ()}) == {"a": ("x",)}


@pytest.mark.parametrize(
    ("arguments", "field_name", "message"),
    [
        ({"header": ()}, "header", "no header"),
        ({"header": "X Y"}, "header", "cannot be the name"),
        ({"header": ("ok", "")}, "header", "cannot be the name"),
        ({"algorithm": "md5"}, "algorithm", "md5"),
        ({"encoding": "hexx"}, "encoding", "hexx"),
        ({"secret_encoding": "rot13"}, "secret_encoding", "rot13"),
        ({"timestamp": Timestamp("t", "minutes")}, "unit", "minutes"),
        ({"credential": ""}, "credential", "no credential"),
        ({"signed": "body"}, "signed", "no placeholder"),
        ({"signed": ()}, "signed", "nothing is signed"),
        ({"signed": "{bod}"}, "signed", "unknown placeholder '{bod}'"),
        ({"signed": "{body"}, "signed", "unknown placeholder '{'"),
        ({"signed": "{body|lower}"}, "signed", "unknown placeholder"),
        ({"signed": "{body.x}"}, "signed", "unknown placeholder"),
        ({"signed": "{header}"}, "signed", "unknown placeholder"),
        ({"signed": "{header.x|json}"}, "signed", "unknown placeholder"),
        ({"signed": "{timestamp|lower}"}, "signed", "unknown placeholder"),
        ({"signed": Segments(())}, "signed", "no segment"),
        ({"signed": Segments(("a",))}, "signed", "no placeholder"),
        ({"signed": "{timestamp}"}, "signed", "nothing says"),
        ({"tolerance": 5}, "tolerance", "tolerance"),
        ({"tolerance": 5, "timestamp": Timestamp("t")}, "tolerance", "tolerance"),
        (
            {"tolerance": 0, "timestamp": Timestamp("t"), "signed": "{timestamp}"},
            "tolerance",
            "at least",
        ),
        (
            {"timestamp": Timestamp("t"), "list": Pairs(timestamp="t"), "signed": "{timestamp}"},
            "timestamp",
            "two",
        ),
    ],
)
def test_schemes_that_cannot_work(arguments: dict[str, Any], field_name: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        Hmac(**({"header": "x"} | arguments))
    assert caught.value.field == field_name


def test_errors_in_templates_point_into_them() -> None:
    with pytest.raises(DefinitionError) as caught:
        Hmac("x", "v0:{body}:{tiemstamp}")

    assert caught.value.offset == len("v0:{body}:")
    assert "{timestamp}" in caught.value.hint


def test_schemes_are_values() -> None:
    assert Hmac("X") == Hmac("X")
    assert hash(Hmac("X")) == hash(Hmac("X"))
    assert SECRET not in repr(STRIPE)


class TestOracles:
    @given(st.text(max_size=50), st.text(min_size=1, max_size=20))
    def test_stripe_signs(self, body: str, secret: str) -> None:
        header = stripe.WebhookSignature.generate_signature_header(
            body, secret, timestamp=int(NOW.timestamp())
        )

        check(STRIPE, delivery(body.encode(), {"Stripe-Signature": header}), secret)

    @given(st.text(max_size=50), st.text(min_size=1, max_size=20).filter(str.strip))
    def test_stripe_verifies(self, body: str, secret: str) -> None:
        signed = STRIPE.sign(delivery(body.encode()), secret, NOW)
        header = signed.headers["stripe-signature"]

        assert stripe.WebhookSignature.verify_header(body, header, secret)

    def test_standardwebhooks_signs_and_verifies(self) -> None:
        secret = secret_for(STANDARD)
        oracle = standardwebhooks.Webhook(secret)
        now = datetime.now(UTC)  # noqa: TID251  # the oracle reads the clock
        signature = oracle.sign("msg_1", now, BODY.decode())
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }

        check(STANDARD, delivery(headers=headers), secret, now=now)
        oracle.verify(BODY, dict(STANDARD.sign(delivery(), secret, now).headers))


@given(st.sampled_from(sorted(ALL_HMAC)), st.binary(max_size=64), st.data())
def test_any_changed_byte_fails(name: str, body: bytes, data: st.DataObject) -> None:
    scheme = ALL_HMAC[name]
    if scheme is MERCADO_PAGO:
        return  # its body is not signed
    secret = secret_for(scheme)
    signed = scheme.sign(delivery(body), secret, NOW)
    place = data.draw(st.integers(0, len(body)))
    changed = bytes([data.draw(st.integers(0, 255))])
    other = data.draw(
        st.sampled_from([body[:place] + changed + body[place:], body[:place] + body[place + 1 :]])
    )
    if other == body or (scheme is NATIVE and other.strip() == body.strip()):
        return

    with pytest.raises(SignatureMismatch):
        check(scheme, replace(signed, body=other), secret)


TEXT = st.one_of(
    st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")),
    st.text(max_size=80),
    st.text("tv01=,. abcdef", max_size=80),
)


@given(st.sampled_from(sorted(ALL)), TEXT, TEXT, TEXT)
def test_any_header_at_all_is_only_a_signature_error(
    name: str, proof: str, timestamp: str, other: str
) -> None:
    scheme = ALL[name]
    headers = dict.fromkeys(scheme.sign(delivery(), secret_for(scheme), NOW).headers, proof)
    headers |= {each: timestamp for each in headers if "timestamp" in each}
    headers |= {each: other for each in headers if each.endswith("-id")}

    with pytest.raises(SignatureError):
        check(scheme, delivery(headers=headers, query={"auth_token": proof}), secret_for(scheme))


class TestChallenges:
    """A 401 asks for what one of the configured credentials could answer."""

    BASIC = 'Basic realm="webhooks", charset="UTF-8"'

    @pytest.mark.parametrize(
        ("scheme", "credentials", "challenge"),
        [
            (Basic(), {"secret": ("user:password",)}, BASIC),
            (Bearer(), {"secret": ("s3cret",)}, ""),
            (AnyOf((Bearer(), Basic("login"))), {"login": ("user:password",)}, BASIC),
            (AnyOf((Bearer(), Basic("login"))), {"secret": ("s3cret",)}, ""),
            # One credential for either of two ways: by its form it is for one of them.
            (AnyOf((HeaderEquals("x-token"), Basic())), {"secret": ("s3cret",)}, ""),
            (AnyOf((HeaderEquals("x-token"), Basic())), {"secret": ("s", "a:b")}, BASIC),
            (AnyOf((Basic("one"), AnyOf((Basic("two"),)))), {"two": ("a:b",)}, BASIC),
            (Unsigned("it cannot"), {"secret": ("a:b",)}, ""),
        ],
    )
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}])
    def test_asked_for(
        self,
        scheme: Scheme,
        credentials: dict[str, tuple[str, ...]],
        challenge: str,
        headers: dict[str, str],
    ) -> None:
        with pytest.raises(SignatureError) as refused:
            verify(scheme, delivery(headers=headers), credentials, NOW)

        assert refused.value.challenge == challenge


class TestCompanions:
    TOKEN = Both(credential_names=("tenant", "application"))

    @pytest.mark.parametrize(
        ("scheme", "name", "given", "missing"),
        [
            (Bearer(), "secret", (), ()),
            (Bearer(), "verify_token", (), ("secret",)),
            (Bearer(), "verify_token", ("secret",), ()),
            (TOKEN, "tenant", (), ("application",)),
            (TOKEN, "tenant", ("application",), ()),
            (TOKEN, "other", (), ("tenant", "application")),
            (AnyOf((TOKEN, Bearer())), "secret", (), ()),
            (AnyOf((TOKEN, Bearer())), "tenant", ("secret",), ("application",)),
            (AnyOf((TOKEN, Bearer())), "other", (), ("secret",)),
            (AnyOf((TOKEN, Bearer())), "other", ("secret",), ()),
            (Unsigned("it cannot"), "secret", (), ()),
        ],
    )
    def test_what_is_missing(
        self, scheme: Scheme, name: str, given: tuple[str, ...], missing: tuple[str, ...]
    ) -> None:
        assert companions(scheme, name, given) == missing
