"""The kit for the tests of plugin authors; the gateway tests its own providers with it.

A provider's whole conformance test::

    @pytest.mark.parametrize("case", signature_cases(ACME), ids=str)
    def test_signature(case):
        case.check()
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.core import signatures
from gateway.core.errors import (
    DefinitionError,
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.signatures import AnyOf, Credentials, Scheme, alternatives
from gateway.known_answers import KnownAnswer
from gateway.provider import Provider

NOW = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)
"""The time of deliveries for which no other is given."""

BODY = b'{"status": "up"}'

_UNREADABLE = "\N{LATIN SMALL LETTER E WITH ACUTE}"


def secret_for(scheme: Scheme, seed: str = "one") -> str:
    """A text that can be a secret of the scheme; the same for the same seed.

    Raises `DefinitionError` for a scheme with secrets of another kind.
    """
    key = hashlib.sha256(seed.encode()).digest()
    texts = (key.hex(), base64.b64encode(key).decode(), f"user:{seed}")
    for text in texts:
        if not scheme.problem(text):
            return text
    raise DefinitionError("no secret can be made up for this scheme")


def credentials_for(scheme: Scheme, secret: str) -> Credentials:
    """What a monitor holds to verify deliveries that were signed with ``secret``.

    That is the secret itself, but for schemes that sign with a key which only the sender
    has: these say what belongs to it in a method ``credential_for``. Every credential of a
    scheme gets the same value; of `AnyOf` those of the scheme that signs with this secret.
    """
    if isinstance(scheme, AnyOf):
        return credentials_for(scheme.scheme_for(secret), secret)
    counterpart = getattr(scheme, "credential_for", str)
    return dict.fromkeys(scheme.credential_names, (counterpart(secret),))


def delivery(
    body: bytes = BODY, *, now: datetime = NOW, headers: Mapping[str, str] | None = None
) -> Delivery:
    """A delivery without any proof of its origin."""
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Delivery(body=body, headers=lower, received_at=now)


def signed(
    provider: Provider,
    body: bytes = BODY,
    secret: str = "",
    now: datetime = NOW,
    headers: Mapping[str, str] | None = None,
) -> Delivery:
    """A delivery as the provider would send it; without a secret one is made up."""
    scheme = provider.signature
    text = secret or (secret_for(scheme) if scheme.credential_names else "")
    return scheme.sign(delivery(body, now=now, headers=headers), text, now)


@dataclass(frozen=True, slots=True)
class SignatureCase:
    """A delivery to a provider, and the error that it must lead to, if any."""

    name: str
    provider: Provider
    delivery: Delivery
    credentials: Credentials
    expected: type[SignatureError] | None = None
    now: datetime = NOW

    def __str__(self) -> str:
        return f"{self.provider.name}: {self.name}"

    def check(self) -> None:
        """Raise `AssertionError` if the provider does anything but what is expected."""
        raised: type[SignatureError] | None = None
        try:
            signatures.verify(self.provider.signature, self.delivery, self.credentials, self.now)
        except SignatureError as error:
            raised = type(error)
        if raised is not self.expected:
            raise AssertionError(f"{self}: expected {self.expected}, got {raised}")


def signature_cases(provider: Provider) -> Iterator[SignatureCase]:
    """What every provider must do with deliveries that are signed, and that are not.

    Each scheme of the provider is tried: signed, signed with an older secret, a wrong
    secret, no proof, unreadable proof, a changed body, an old delivery, a body that is
    not UTF-8. A scheme that nobody but the platform can sign with (no text that
    `secret_for` knows suits it, or `sign` raises) is left to tests of its own.
    """
    plain = delivery()
    yield SignatureCase("token only", provider, plain, {})
    yield SignatureCase(
        "a secret that nothing uses", provider, plain, {"none": ("x",)}, SignatureMismatch
    )
    for scheme in filter(_can_sign, alternatives(provider.signature)):
        yield from _cases(provider, scheme)


def _cases(provider: Provider, scheme: Scheme) -> Iterator[SignatureCase]:
    name = scheme.credential_names[0]
    new, old = secret_for(scheme, "new"), secret_for(scheme, "old")
    plain = delivery()
    right = scheme.sign(plain, new, NOW)
    binary = scheme.sign(delivery(b"\xff\x00"), new, NOW)

    def case(
        title: str,
        delivery: Delivery,
        expected: type[SignatureError] | None = None,
        secrets: tuple[str, ...] = (new,),
        now: datetime = NOW,
    ) -> SignatureCase:
        title = f"{name}: {title}"
        held = [credentials_for(scheme, secret) for secret in secrets]
        credentials = {each: sum((some[each] for some in held), ()) for each in held[0]}
        return SignatureCase(title, provider, delivery, credentials, expected, now)

    yield case("signed", right)
    yield case("second of two secrets", right, secrets=(old, new))
    yield case("not UTF-8", binary)
    yield case("wrong secret", right, SignatureMismatch, (old,))
    yield case("missing", plain, SignatureMissing)
    yield case("malformed", _unreadable(plain, right), SignatureMalformed)
    if scheme.sign(delivery(b"[]"), new, NOW) != replace(right, body=b"[]"):
        yield case("tampered", replace(right, body=BODY + b"\0"), SignatureMismatch)
    tolerance = getattr(scheme, "tolerance", None)
    if tolerance is not None:
        for seconds in (tolerance + 1, -tolerance - 1):
            now = NOW + timedelta(seconds=seconds)
            yield case(f"stale by {seconds} s", right, SignatureStale, now=now)


def known_answer_cases(
    provider: Provider, answers: Iterable[KnownAnswer]
) -> Iterator[SignatureCase]:
    """What the provider must do with known answers, and with what is made out of them.

    Each is accepted, also beside another secret. It is refused with another secret alone,
    without its proof, with an unreadable one; with another byte in the body if that is what
    is signed; years before and after, if its time counts.
    """
    for answer in answers:
        yield from _known_cases(provider, answer)


def _known_cases(provider: Provider, answer: KnownAnswer) -> Iterator[SignatureCase]:
    right, now = answer.delivery, answer.delivery.received_at
    others = {name: tuple(map(_altered, values)) for name, values in answer.credentials.items()}
    both = {name: others[name] + values for name, values in answer.credentials.items()}
    bare = _bare(right)
    is_in_body = not replace(answer, delivery=bare).problem(provider.signature)

    def case(
        title: str,
        delivery: Delivery,
        expected: type[SignatureError] | None = None,
        credentials: Credentials = answer.credentials,
        now: datetime = now,
    ) -> SignatureCase:
        title = f"{answer.name}: {title}"
        return SignatureCase(title, provider, delivery, credentials, expected, now)

    yield case("known answer", right)
    yield case("second of two secrets", right, credentials=both)
    yield case("wrong secret", right, SignatureMismatch, others)
    yield case("missing", replace(bare, body=b"{}"), SignatureMissing)
    unreadable = _unreadable_body(right) if is_in_body else _unreadable(bare, right)
    yield case("malformed", unreadable, SignatureMalformed)
    scheme = next(
        (each for each in alternatives(provider.signature) if not answer.problem(each)), None
    )
    if scheme is not None and _covers_body(scheme, right):
        yield case("tampered", replace(right, body=_tampered(right.body)), SignatureMismatch)
    if getattr(scheme, "tolerance", None) is not None:
        for days in (3650, -3650):
            then = now + timedelta(days=days)
            yield case(f"stale by {days} days", right, SignatureStale, now=then)


def _bare(delivery: Delivery) -> Delivery:
    """The delivery without headers and parameters, but for the type of its body."""
    kept = {name: text for name, text in delivery.headers.items() if name == "content-type"}
    return replace(delivery, headers=kept, query={})


def _covers_body(scheme: Scheme, delivery: Delivery) -> bool:
    """Whether the proof is another one for another body; so it is where only the sender signs."""
    try:
        secret = secret_for(scheme)
        one, two = (
            scheme.sign(replace(_bare(delivery), body=body), secret, NOW) for body in (b"1", b"2")
        )
    except DefinitionError:
        return True
    return (one.headers, one.query) != (two.headers, two.query)


def _tampered(body: bytes) -> bytes:
    """The body with another letter or digit in its middle."""
    return _altered(body.decode("latin-1")).encode("latin-1")


def _altered(text: str) -> str:
    """The text with another letter or digit in its middle, so that it keeps its form."""
    for index in (*range(len(text) // 2, len(text)), *range(len(text) // 2)):
        letter = text[index]
        if letter.isascii() and letter.isalnum():
            other = next(each for each in "0aA1bB" if each != letter and _alike(each, letter))
            return text[:index] + other + text[index + 1 :]
    return text + "0"


def _alike(one: str, other: str) -> bool:
    return (one.isdigit(), one.isupper()) == (other.isdigit(), other.isupper())


def _can_sign(scheme: Scheme) -> bool:
    if not scheme.credential_names:
        return False
    try:
        scheme.sign(delivery(), secret_for(scheme), NOW)
    except DefinitionError:
        return False
    return True


def _unreadable(plain: Delivery, right: Delivery) -> Delivery:
    """The signed delivery with everything that proves something made unreadable."""
    headers = right.headers.keys() - plain.headers.keys()
    query = right.query.keys() - plain.query.keys()
    return replace(
        right,
        headers={**right.headers, **dict.fromkeys(headers, _UNREADABLE)},
        query={**right.query, **dict.fromkeys(query, _UNREADABLE)},
    )


def _unreadable_body(delivery: Delivery) -> Delivery:
    """The same for a proof that is among the fields of a JSON body."""
    unreadable = dict.fromkeys(json.loads(delivery.body), _UNREADABLE)
    return replace(delivery, body=json.dumps(unreadable).encode())
