"""The kit must find what is wrong, in providers that do not come with the gateway."""

from dataclasses import dataclass

import pytest

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
)
from gateway.known_answers import KnownAnswer
from gateway.provider import Provider
from gateway.testing import (
    NOW,
    SignatureCase,
    delivery,
    known_answer_cases,
    secret_for,
    signature_cases,
    signed,
)

STANDARD = Hmac(
    header="webhook-signature",
    signed="{header.webhook-id}.{timestamp}.{body}",
    encoding="base64",
    list=Pairs(separator=" ", pair=","),
    timestamp=Timestamp("webhook-timestamp"),
    tolerance=300,
    secret_encoding="base64",
    secret_prefix="whsec_",
    credential="signing_token",
)

SCHEMES: dict[str, Scheme] = {
    "gitlab": AnyOf((HeaderEquals("X-Gitlab-Token"), STANDARD)),
    "nested": AnyOf((Bearer(), AnyOf((Basic("login"), QueryEquals("token", "token"))))),
    "parts": Hmac("x", Segments(("{query.id}", "{timestamp}")), list=Pairs(timestamp="t")),
    "hex": Hmac("x", secret_encoding="hex"),
    "unsigned": Unsigned("it cannot"),
}
CASES = [
    case
    for name, scheme in SCHEMES.items()
    for case in signature_cases(Provider(name, title=name, signature=scheme))
]


@dataclass(frozen=True)
class Open:
    """What no scheme may be: everything passes."""

    credential_names: tuple[str, ...] = ("secret",)

    def verify(self, *_: object) -> None:
        pass

    def sign(self, delivery: Delivery, *_: object) -> Delivery:
        return delivery

    def problem(self, _: str) -> str:
        return ""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_schemes_conform(case: SignatureCase) -> None:
    case.check()


def test_a_scheme_that_lets_everything_pass_is_found() -> None:
    failed = []
    for case in signature_cases(Provider("open", title="Open", signature=Open())):
        try:
            case.check()
        except AssertionError as error:
            failed.append(str(error))

    assert [message.partition(": expected")[0] for message in failed] == [
        "open: a secret that nothing uses",
        "open: secret: wrong secret",
        "open: secret: missing",
        "open: secret: malformed",
    ]


def test_known_answers_find_it_too() -> None:
    sent = delivery(b'{"id": 1}', headers={"x-proof": "1"})
    answer = KnownAnswer("theirs", sent, {"secret": ("s3cret",)})
    failed = []
    for case in known_answer_cases(Provider("open", title="Open", signature=Open()), [answer]):
        try:
            case.check()
        except AssertionError as error:
            failed.append(str(error))

    assert [message.partition(": expected")[0] for message in failed] == [
        f"open: theirs: {title}" for title in ("wrong secret", "missing", "malformed")
    ]


@pytest.mark.parametrize(
    ("scheme", "headers", "titles"),
    [
        (
            Hmac("x-sign", signed="{timestamp}.{body}", timestamp=Timestamp("x-at"), tolerance=9),
            {"x-at": "1768905000"},
            ["tampered", "stale by 3650 days", "stale by -3650 days"],
        ),
        (Bearer(), {}, []),
    ],
)
def test_what_is_made_of_a_known_answer(
    scheme: Scheme, headers: dict[str, str], titles: list[str]
) -> None:
    sent = scheme.sign(delivery(headers=headers), "s3cret", NOW)
    answer = KnownAnswer("theirs", sent, {"secret": ("s3cret",)})
    cases = list(known_answer_cases(Provider("acme", title="A", signature=scheme), [answer]))
    for case in cases:
        case.check()

    assert [case.name.removeprefix("theirs: ") for case in cases] == [
        "known answer",
        "second of two secrets",
        "wrong secret",
        "missing",
        "malformed",
        *titles,
    ]


def test_a_secret_without_letters_can_be_wrong_too() -> None:
    sent = Bearer().sign(delivery(), "---", NOW)
    answer = KnownAnswer("theirs", sent, {"secret": ("---",)})

    for case in known_answer_cases(Provider("acme", title="A", signature=Bearer()), [answer]):
        case.check()


def test_every_check_that_a_scheme_calls_for_is_there() -> None:
    provider = Provider("standard", title="Standard", signature=STANDARD)
    names = [case.name.rpartition(": ")[2] for case in signature_cases(provider)]

    assert names == [
        "token only",
        "a secret that nothing uses",
        "signed",
        "second of two secrets",
        "not UTF-8",
        "wrong secret",
        "missing",
        "malformed",
        "tampered",
        "stale by 301 s",
        "stale by -301 s",
    ]


def test_deliveries_are_signed_as_the_provider_does() -> None:
    bearer = Provider("acme", title="Acme", signature=Bearer())
    unsigned = Provider("open", title="Open", signature=SCHEMES["unsigned"])

    assert signed(bearer, b"x", "abc", headers={"X-Event": "y"}).headers == {
        "x-event": "y",
        "authorization": "Bearer abc",
    }
    assert signed(bearer).headers["authorization"] == f"Bearer {secret_for(Bearer())}"
    assert signed(unsigned, b"x", now=NOW) == delivery(b"x")
