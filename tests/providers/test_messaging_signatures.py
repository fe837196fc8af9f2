"""Known answers, and the vendors' own verifiers, for messaging, payments and shops."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mercadopago.webhook.validator import (
    InvalidWebhookSignatureError,
    WebhookSignatureValidator,
)
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from gateway.core.errors import (
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
)
from gateway.core.model import Delivery
from gateway.core.signatures import Credentials, Scheme, verify
from gateway.providers import load_providers

NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
NAMES = ("asaas", "dialog360", "mercadopago", "shopify", "twilio", "whatsapp")
PROVIDERS = load_providers()
SCHEMES = {name: PROVIDERS.get(name).provider.signature for name in NAMES}


def delivery(
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    url: str = "",
    method: str = "POST",
) -> Delivery:
    return Delivery(
        body=body,
        headers={name.lower(): value for name, value in (headers or {}).items()},
        received_at=NOW,
        query=query or dict(parse_qsl(url.partition("?")[2])),
        url=url,
        method=method,
    )


def refused(scheme: Scheme, received: Delivery, credentials: Credentials) -> type | None:
    try:
        verify(scheme, received, credentials, NOW)
    except SignatureError as error:
        return type(error)
    return None


class TestTwilio:
    TOKEN = "12345"
    URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
    PARAMS = (
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("Caller", "+14158675309"),
    )
    DUPLICATES = (
        ("Sid", "CA123"),
        ("SidAccount", "AC123"),
        ("Digits", "5678"),
        ("Digits", "1234"),
        ("Digits", "1234"),
    )
    BODY = b'{"property": "value", "boolean": true}'
    HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"

    def refused(self, received: Delivery, token: str = TOKEN) -> type | None:
        return refused(SCHEMES["twilio"], received, {"secret": (token,)})

    @pytest.mark.parametrize(
        ("url", "params", "signature"),
        [
            (URL, PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (URL.replace(".com", ".com:1234"), PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (URL.replace(".com", ".com:443"), PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (URL, PARAMS, "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (URL.replace("https", "http"), PARAMS, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
            (
                URL.replace("https", "http").replace(".com", ".com:1234"),
                PARAMS,
                "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
            ),
            (URL, DUPLICATES, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
            (URL, DUPLICATES[:-1], "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        ],
    )
    def test_forms(self, url: str, params: tuple[tuple[str, str], ...], signature: str) -> None:
        body = urlencode(params).encode()
        right = delivery(body, {**FORM, "X-Twilio-Signature": signature}, url=url)
        order = urlencode(params[::-1]).encode()

        assert self.refused(right) is None
        assert self.refused(replace(right, body=order)) is None
        assert self.refused(right, "other") is SignatureMismatch
        assert self.refused(replace(right, body=body + b"&Digits=")) is SignatureMismatch
        assert self.refused(replace(right, url=url + "&baz=3")) is SignatureMismatch

    def test_json(self) -> None:
        url = f"{self.URL}&bodySHA256={self.HASH}"
        headers = {**JSON, "X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4="}
        right = delivery(self.BODY, headers, url=url)

        assert self.refused(right) is None
        assert self.refused(replace(right, body=self.BODY + b" ")) is SignatureMismatch
        # The address that is signed counts, and not a hash that fits the body.
        other = hashlib.sha256(b"{}").hexdigest()
        forged = delivery(b"{}", headers, url=f"{self.URL}&bodySHA256={other}")
        assert self.refused(forged) is SignatureMismatch

    def test_a_signed_address_does_not_vouch_for_any_body(self) -> None:
        validator = RequestValidator(self.TOKEN)
        signature = validator.compute_signature(self.URL, {})
        empty = delivery(headers={"X-Twilio-Signature": signature}, url=self.URL, method="GET")

        assert self.refused(empty) is None
        assert self.refused(replace(empty, body=b"{}")) is SignatureMismatch

    def test_shared_keys_sign_with_sha256(self) -> None:
        settings = {"X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=HMAC_SHA256"}
        body = urlencode(self.PARAMS).encode()
        unsigned = delivery(body, {**FORM, **settings}, url=self.URL)
        right = SCHEMES["twilio"].sign(unsigned, self.TOKEN, NOW)
        signature = right.header("x-twilio-signature")

        assert RequestValidator(self.TOKEN).validate(
            self.URL, dict(self.PARAMS), signature, "HMAC_SHA256"
        )
        assert self.refused(right) is None
        for name in settings:
            older = {**right.headers, name.lower(): "key=k,algorithm=MD5"}
            assert self.refused(replace(right, headers=older)) is SignatureMalformed

    def test_too_many_fields(self) -> None:
        body = b"&".join(b"a=1" for _ in range(1001))
        headers = {**FORM, "X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}

        assert self.refused(delivery(body, headers)) is SignatureMalformed

    @pytest.mark.parametrize("url", ["", "https://x:y/", "https://[::1", "https://:80/", "x"])
    def test_addresses_of_any_kind(self, url: str) -> None:
        signed = SCHEMES["twilio"].sign(delivery(b"{}", JSON, url=url), self.TOKEN, NOW)

        assert self.refused(signed) is None
        assert self.refused(replace(signed, url=url + "/other")) is SignatureMismatch

    @given(
        params=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6),
        host=st.sampled_from(["acme.example", "acme.example:443", "acme.example:8443"]),
        secure=st.booleans(),
    )
    def test_as_the_vendor(self, params: list[tuple[str, str]], host: str, *, secure: bool) -> None:
        url = f"http{'s' * secure}://{host}/webhooks/1?a=b"
        body = urlencode([("Sid", "1"), *params]).encode()
        signed = SCHEMES["twilio"].sign(delivery(body, FORM, url=url), self.TOKEN, NOW)
        fields = MultiDict(parse_qsl(body.decode(), keep_blank_values=True))
        validator = RequestValidator(self.TOKEN)

        assert validator.validate(url, fields, signed.header("x-twilio-signature"))
        assert self.refused(signed) is None
        for variant in ("https://acme.example/webhooks/1?a=b", url):
            signature = validator.compute_signature(variant, fields)
            received = delivery(body, {**FORM, "X-Twilio-Signature": signature}, url=url)
            vendor = validator.validate(url, fields, signature)
            assert (self.refused(received) is None) is vendor

    @given(body=st.text(min_size=1))
    def test_json_as_the_vendor(self, body: str) -> None:
        unsigned = delivery(body.encode(), JSON, url=self.URL)
        signed = SCHEMES["twilio"].sign(unsigned, self.TOKEN, NOW)
        signature = signed.header("x-twilio-signature")

        assert RequestValidator(self.TOKEN).validate(signed.url, body, signature)
        assert self.refused(signed) is None


class TestMercadoPago:
    SECRET = "your_secret_key_here"
    REQUEST = "2066ca19-c6f1-498a-be75-1923005edd06"
    ID = "ord01jq4s4ky8hwq6na5pxb65b3d3"
    KNOWN = "ts=1742505638683,v1=633f91233312dd391ec75fa0bea539cfc2d6c4918873305b84a96cc1c58db71c"

    def refused(self, received: Delivery) -> type | None:
        return refused(SCHEMES["mercadopago"], received, {"secret": (self.SECRET,)})

    def received(self, signature: str, data_id: str | None, request: str | None) -> Delivery:
        headers = {"x-signature": signature}
        if request is not None:
            headers["x-request-id"] = request
        return delivery(b"{}", headers, query={} if data_id is None else {"data.id": data_id})

    @pytest.mark.parametrize("data_id", [ID, ID.upper()])
    def test_known_answer(self, data_id: str) -> None:
        assert self.refused(self.received(self.KNOWN, data_id, self.REQUEST)) is None
        assert self.refused(self.received(self.KNOWN, "1", self.REQUEST)) is SignatureMismatch
        assert self.refused(self.received(self.KNOWN, data_id, None)) is SignatureMismatch
        assert self.refused(self.received(self.KNOWN, None, self.REQUEST)) is SignatureMismatch

    @pytest.mark.parametrize("timestamp", ["1704908010", "1742505638683"])
    @pytest.mark.parametrize("data_id", [ID, ID.upper(), "123", None])
    @pytest.mark.parametrize("request_id", [REQUEST, None])
    def test_as_the_vendor(
        self, timestamp: str, data_id: str | None, request_id: str | None
    ) -> None:
        parts = {"id": data_id, "request-id": request_id, "ts": timestamp}
        manifest = "".join(f"{name}:{value};" for name, value in parts.items() if value)
        digest = hmac.new(self.SECRET.encode(), manifest.encode(), hashlib.sha256).hexdigest()
        signature = f"ts={timestamp},v1={digest}"

        WebhookSignatureValidator.validate(signature, request_id, data_id, self.SECRET)
        assert self.refused(self.received(signature, data_id, request_id)) is None

    def test_the_vendor_accepts_what_we_sign(self) -> None:
        unsigned = delivery(b"{}", {"x-request-id": self.REQUEST}, query={"data.id": self.ID})
        signature = SCHEMES["mercadopago"].sign(unsigned, self.SECRET, NOW).header("x-signature")

        WebhookSignatureValidator.validate(signature, self.REQUEST, self.ID, self.SECRET)
        with pytest.raises(InvalidWebhookSignatureError):
            WebhookSignatureValidator.validate(signature, self.REQUEST, "1", self.SECRET)

    @pytest.mark.parametrize(
        "signature", ["ts=1742505638683", "v1=00", "ts=now,v1=" + "0" * 64, "ts=1,v2=" + "0" * 64]
    )
    def test_refused_by_both(self, signature: str) -> None:
        with pytest.raises(InvalidWebhookSignatureError):
            WebhookSignatureValidator.validate(signature, self.REQUEST, self.ID, self.SECRET)
        assert self.refused(self.received(signature, self.ID, self.REQUEST)) is SignatureMalformed


def test_shopify_signs_with_base64() -> None:
    digest = hmac.new(b"shpss", b"{}", hashlib.sha256)
    right = delivery(b"{}", {"X-Shopify-Hmac-SHA256": base64.b64encode(digest.digest()).decode()})
    hexadecimal = delivery(b"{}", {"X-Shopify-Hmac-SHA256": digest.hexdigest()})

    assert refused(SCHEMES["shopify"], right, {"secret": ("shpss",)}) is None
    assert refused(SCHEMES["shopify"], hexadecimal, {"secret": ("shpss",)}) is SignatureMalformed
