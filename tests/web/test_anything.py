"""Any request to any provider's monitor gets one of the answers that are documented."""

import json

import pytest
from falcon.testing import Result
from gateways import Gateway, signed_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.core.signatures import AnyOf, Hmac, Scheme
from gateway.providers import load_providers

PROVIDERS = load_providers()
NAMES = PROVIDERS.names
TAKEN = {200, 201, 202, 204}
REFUSED = {400, 401, 413}
CODES = {
    "payload_malformed",
    "signature_missing",
    "signature_malformed",
    "signature_mismatch",
    "signature_stale",
    "body_too_large",
}


def signature_headers(scheme: Scheme) -> set[str]:
    if isinstance(scheme, AnyOf):
        return set().union(*map(signature_headers, scheme.schemes))
    header = (
        scheme.header if isinstance(scheme, Hmac) else getattr(scheme, "header", "authorization")
    )
    return {header} if isinstance(header, str) else set(header)


HEADERS = sorted(
    {name.lower() for each in PROVIDERS for name in signature_headers(each.provider.signature)}
    | {name.lower() for each in PROVIDERS for name in each.rules.headers}
    | {"content-type", "authorization", "user-agent"}
)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
values = printable | st.sampled_from(
    ["application/x-www-form-urlencoded", "application/json", "sha256=00", "t=1,v1=00", "Basic e"]
)
headers = st.dictionaries(st.sampled_from(HEADERS), values, max_size=4)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("up"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.just("status"), inner, max_size=3)
    ),
    max_leaves=6,
)


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


bodies = st.binary(max_size=200) | json_like.map(encoded) | st.just(b"payload=%7B%7D")
loose = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@loose
@given(name=st.sampled_from(NAMES), body=bodies, headers=headers, signed=st.booleans())
def test_any_body_with_any_headers(
    gateway: Gateway, name: str, body: bytes, headers: dict[str, str], signed: bool
) -> None:
    loaded = gateway.providers.get(name)
    if signed and loaded.provider.signature.credential_names:
        monitor, _ = gateway.signed_monitor(name)
    else:
        monitor = gateway.monitor(name)

    answer = gateway.post(monitor, body, headers)

    expect_documented(answer)
    [(outcome, _)] = gateway.log(monitor)
    accepted = answer.status_code in TAKEN
    assert accepted is (outcome not in {"rejected", "malformed"})


def expect_documented(answer: Result) -> None:
    assert answer.status_code in TAKEN | REFUSED, answer.text
    if answer.status_code in REFUSED:
        assert answer.json["code"] in CODES


@loose
@given(name=st.sampled_from(NAMES), body=bodies, data=st.data())
def test_any_signed_body(gateway: Gateway, name: str, body: bytes, data: st.DataObject) -> None:
    """Rightly signed, so that parsing and rules are reached."""
    loaded = gateway.providers.get(name)
    if not loaded.provider.signature.credential_names:
        return
    example = data.draw(st.sampled_from([each.headers for each in loaded.examples]))
    monitor, secret = gateway.signed_monitor(name)

    try:
        delivery = signed_for(loaded, body, secret, headers=example)
    except GatewayError:
        return  # nothing to sign in a body like this
    answer = gateway.deliver(monitor, delivery)

    expect_documented(answer)
    assert gateway.log(monitor)[0][0] != "failed"


@pytest.mark.parametrize("name", NAMES)
def test_detection_knows_the_examples(gateway: Gateway, name: str) -> None:
    """An automatic monitor treats a delivery as one that names the provider, or as native."""
    loaded = gateway.providers.get(name)
    monitor = gateway.monitor("auto")

    for example in loaded.examples[:2]:
        answer = gateway.post(monitor, example.body, example.headers)
        expect_documented(answer)
