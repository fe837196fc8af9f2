"""Signature schemes: how a delivery proves that it comes from its sender.

A scheme is a value. ``verify`` compares in constant time, tries every current secret and
raises a `SignatureError`; ``sign`` does what the sender does, for tests and ``taco send``.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.core.errors import (
    DefinitionError,
    SignatureError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.hmac_scheme import Hmac
from gateway.core.model import Delivery
from gateway.core.proofs import Challenging, Credentials, Scheme
from gateway.core.shared_secrets import Basic, Bearer, HeaderEquals, QueryEquals
from gateway.core.signed_content import Segments
from gateway.core.signed_headers import Pairs, Timestamp

__all__ = [
    "AnyOf",
    "Basic",
    "Bearer",
    "Credentials",
    "HeaderEquals",
    "Hmac",
    "Pairs",
    "QueryEquals",
    "Scheme",
    "Segments",
    "Timestamp",
    "Unsigned",
    "alternatives",
    "companions",
    "configured",
    "problem",
    "verify",
]

_NEAREST: tuple[type[SignatureError], ...] = (
    SignatureStale,
    SignatureMismatch,
    SignatureMalformed,
    SignatureMissing,
)
"""Of the errors of several schemes, the one is told that came nearest to a proof."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The provider cannot prove its origin: the address is the only secret.

    ``reason`` says why, for whoever reviews it. With a secret configured nothing passes.
    """

    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise DefinitionError("say why the provider cannot sign", field="reason")

    @property
    def credential_names(self) -> tuple[str, ...]:
        """No credential proves anything here."""
        return ()

    def problem(self, secret: str) -> str:  # noqa: ARG002
        """Any secret is one too many."""
        return "this provider cannot be verified"

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:  # noqa: ARG002
        """Raise `SignatureMismatch`: nothing can satisfy a secret."""
        raise SignatureMismatch("a secret is set, but this provider cannot sign")

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:  # noqa: ARG002
        """The delivery as it is."""
        return delivery


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Several schemes of one provider; each counts only if its credential is configured."""

    schemes: tuple[Scheme, ...]

    def __post_init__(self) -> None:
        if not self.schemes:
            raise DefinitionError("no scheme is named", field="any_of")
        if not all(scheme.credential_names for scheme in self.schemes):
            raise DefinitionError("an unsigned way in would open all of them", field="any_of")

    @property
    def credential_names(self) -> tuple[str, ...]:
        """Every credential of the schemes, once."""
        names = (name for scheme in self.schemes for name in scheme.credential_names)
        return tuple(dict.fromkeys(names))

    def problem(self, secret: str) -> str:
        """Why no scheme could use this text; empty if one can."""
        problems = [scheme.problem(secret) for scheme in self.schemes]
        return problems[0] if all(problems) else ""

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if one scheme with a configured credential is satisfied."""
        errors: list[SignatureError] = []
        for scheme in self.schemes:
            if any(credentials.get(name) for name in scheme.credential_names):
                try:
                    return scheme.verify(delivery, credentials, now)
                except SignatureError as error:
                    errors.append(error)
        if not errors:
            raise SignatureMismatch(f"none of {', '.join(self.credential_names)} is configured")
        raise min(errors, key=_distance)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """Add the proof of the first scheme that this secret suits."""
        return self.scheme_for(secret).sign(delivery, secret, now)

    def scheme_for(self, secret: str) -> Scheme:
        """The first scheme that can use this text, else the first of all."""
        suiting = (scheme for scheme in self.schemes if not scheme.problem(secret))
        return next(suiting, self.schemes[0])


def _distance(error: SignatureError) -> int:
    return next((i for i, kind in enumerate(_NEAREST) if isinstance(error, kind)), len(_NEAREST))


def configured(credentials: Credentials) -> Credentials:
    """The credentials that have a value; an empty text is not one."""
    return {
        name: kept for name, values in credentials.items() if (kept := tuple(filter(None, values)))
    }


def alternatives(scheme: Scheme) -> Iterator[Scheme]:
    """The schemes of which one is enough: those in `AnyOf`, else the scheme itself."""
    if isinstance(scheme, AnyOf):
        for each in scheme.schemes:
            yield from alternatives(each)
    else:
        yield scheme


def companions(scheme: Scheme, name: str, given: Collection[str] = ()) -> tuple[str, ...]:
    """The credentials that are missing beside this one, so that a delivery can be verified.

    A scheme needs all of its credentials, and what only a handshake uses needs any scheme.
    """
    ways = [each.credential_names for each in alternatives(scheme)]
    using = [names for names in ways if name in names] or ways
    missing = (tuple(each for each in names if each not in {*given, name}) for names in using)
    return min(missing, key=len)


def problem(scheme: Scheme, credential: str, secret: str) -> str:
    """Why a text cannot be a value of a credential of the scheme; empty if it can."""
    users = (each for each in alternatives(scheme) if credential in each.credential_names)
    problems = [each.problem(secret) for each in users]
    return problems[0] if problems and all(problems) else ""


def verify(scheme: Scheme, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
    """The policy: without credentials the address is proof enough, with any it never is.

    Raises a `SignatureError` for a delivery that the scheme does not accept, also if the
    configured credentials are of no use to the scheme: a way in that cannot be checked
    must not become an open one.
    """
    current = configured(credentials)
    if not current:
        return
    try:
        scheme.verify(delivery, current, now)
    except SignatureError as error:
        error.challenge = ", ".join(_challenges(scheme, current))
        raise


def _challenges(scheme: Scheme, credentials: Credentials) -> Iterator[str]:
    """What the schemes ask for that one of the credentials could satisfy."""
    for each in alternatives(scheme):
        if isinstance(each, Challenging):
            secrets = (text for name in each.credential_names for text in credentials.get(name, ()))
            if not all(map(each.problem, secrets)):
                yield each.challenge
