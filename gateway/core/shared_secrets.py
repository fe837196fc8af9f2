"""Schemes without a signature: the sender passes a shared secret along.

They prove who sent the delivery, but nothing about its body.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.core.errors import (
    DefinitionError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
)
from gateway.core.model import Delivery
from gateway.core.proofs import (
    Credentials,
    OneCredential,
    checked,
    header_names,
    present_header,
)

BASIC_CHALLENGE = 'Basic realm="webhooks", charset="UTF-8"'

_AUTHORIZATION = ("authorization",)


class _SentAlong(OneCredential):
    """The secret itself stands in a header or parameter."""

    __slots__ = ()

    def problem(self, secret: str) -> str:
        """Why this text cannot stand there; empty if it can."""
        if not secret:
            return "it is empty"
        plain = secret.isascii() and secret.isprintable() and secret == secret.strip()
        return "" if plain else "it is not ASCII, or has spaces at its ends, and cannot be sent so"

    def _sendable(self, secret: str) -> str:
        if problem := self.problem(secret):
            raise DefinitionError(f"cannot sign: {problem}")
        return secret


@dataclass(frozen=True, slots=True)
class HeaderEquals(_SentAlong):
    """A header whose value is the secret. Of several names the first present counts."""

    header: str | tuple[str, ...]
    credential: str = "secret"
    _headers: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_headers", header_names(self.header))

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:  # noqa: ARG002
        """Return if the header holds a current secret."""
        secrets = _current(credentials, self.credential)
        _compare(present_header(delivery, self._headers).encode(), secrets, self.credential)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:  # noqa: ARG002
        """Add the header."""
        return _with_header(delivery, self._headers[0], self._sendable(secret))


@dataclass(frozen=True, slots=True)
class Bearer(_SentAlong):
    """``Authorization: Bearer`` with the secret as token."""

    credential: str = "secret"

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:  # noqa: ARG002
        """Return if the token is a current secret."""
        secrets = _current(credentials, self.credential)
        _compare(_authorization(delivery, "Bearer").encode(), secrets, self.credential)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:  # noqa: ARG002
        """Add the ``Authorization`` header."""
        return _with_header(delivery, "authorization", f"Bearer {self._sendable(secret)}")


@dataclass(frozen=True, slots=True)
class Basic(OneCredential):
    """``Authorization: Basic``; the secret is ``user:password``.

    Many senders give it only when asked for it.
    """

    credential: str = "secret"

    @property
    def challenge(self) -> str:
        """https://www.rfc-editor.org/rfc/rfc7617#section-2."""
        return BASIC_CHALLENGE

    def problem(self, secret: str) -> str:
        """Why this text cannot be user and password; empty if it can."""
        if not secret:
            return "it is empty"
        return "" if ":" in secret else "it is not of the form user:password"

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:  # noqa: ARG002
        """Return if user and password are a current secret."""
        secrets = _current(credentials, self.credential)
        text = _authorization(delivery, "Basic")
        try:
            given = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            raise SignatureMalformed("authorization holds no base64") from None
        _compare(given, secrets, self.credential)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:  # noqa: ARG002
        """Add the ``Authorization`` header."""
        if problem := self.problem(secret):
            raise DefinitionError(f"cannot sign: {problem}")
        value = base64.b64encode(_bytes(secret)).decode()
        return _with_header(delivery, "authorization", f"Basic {value}")


@dataclass(frozen=True, slots=True)
class QueryEquals(_SentAlong):
    """A parameter in the address whose value is the secret."""

    parameter: str
    credential: str = "secret"

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:  # noqa: ARG002
        """Return if the parameter holds a current secret."""
        secrets = _current(credentials, self.credential)
        given = delivery.query.get(self.parameter)
        if given is None:
            raise SignatureMissing(f"the parameter {self.parameter} is missing")
        _compare(checked(given, self.parameter).encode(), secrets, self.credential)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:  # noqa: ARG002
        """Add the parameter."""
        return replace(delivery, query={**delivery.query, self.parameter: self._sendable(secret)})


def _authorization(delivery: Delivery, scheme: str) -> str:
    found, _, rest = present_header(delivery, _AUTHORIZATION).partition(" ")
    if found.lower() != scheme.lower() or not rest.strip():
        raise SignatureMalformed(f"authorization is not {scheme}")
    return rest.strip()


def _current(credentials: Credentials, name: str) -> list[bytes]:
    secrets = [_bytes(secret) for secret in credentials.get(name, ()) if secret]
    if not secrets:
        raise SignatureMismatch(f"no usable {name} is configured")
    return secrets


def _compare(given: bytes, secrets: list[bytes], name: str) -> None:
    # No early end: how long it takes does not tell which of several secrets is near.
    if not sum(hmac.compare_digest(given, secret) for secret in secrets):
        raise SignatureMismatch(f"no current {name} is what was sent")


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


def _with_header(delivery: Delivery, name: str, value: str) -> Delivery:
    return replace(delivery, headers={**delivery.headers, name: value})
