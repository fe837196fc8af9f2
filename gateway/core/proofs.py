"""What every signature scheme has in common: its interface, credentials and limits."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from gateway.core.errors import DefinitionError, SignatureMalformed, SignatureMissing
from gateway.core.model import Delivery

Credentials = Mapping[str, tuple[str, ...]]
"""Every current value of each named credential; several while one is being replaced."""

LONGEST_PROOF = 4096
"""Headers and parameters with more characters are not read as proof of anything."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@runtime_checkable
class Scheme(Protocol):
    """How one provider signs, or how else it proves its origin."""

    @property
    def credential_names(self) -> tuple[str, ...]:
        """The names of the credentials that prove the origin, all of them together."""

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if a current credential proves the origin, else raise a `SignatureError`."""

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """The delivery with the proof that its sender would add.

        Raises `DefinitionError` for text that cannot be a secret here.
        """

    def problem(self, secret: str) -> str:
        """Why this text cannot be a secret of the scheme; empty if it can."""


class OneCredential:
    """What schemes with one credential have in common; its name is their ``credential``."""

    __slots__ = ()
    credential: str

    @property
    def credential_names(self) -> tuple[str, ...]:
        """The one credential, whose values are keys or secrets."""
        return (self.credential,)


@runtime_checkable
class Challenging(Protocol):
    """A scheme whose senders wait for a 401 that asks for the proof before they give it."""

    @property
    def challenge(self) -> str:
        """What stands in ``WWW-Authenticate``: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1."""


def header_names(header: str | tuple[str, ...]) -> tuple[str, ...]:
    """One or more header names in lower case. Raises `DefinitionError`."""
    names = (header,) if isinstance(header, str) else header
    if not names:
        raise DefinitionError("no header is named", field="header")
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            raise DefinitionError(f"{name!r} cannot be the name of a header", field="header")
    return tuple(name.lower() for name in names)


def present_header(delivery: Delivery, names: tuple[str, ...]) -> str:
    """The value of the first header that is present.

    Raises `SignatureMissing`, and `SignatureMalformed` for one that cannot be a proof.
    """
    for name in names:
        value = delivery.headers.get(name)
        if value is not None:
            return checked(value.strip(), name)
    raise SignatureMissing(f"the header {' or '.join(names)} is missing")


def checked(value: str, name: str) -> str:
    """The value if it is plain text of sensible length. Raises `SignatureMalformed`."""
    if not value or not value.isascii() or len(value) > LONGEST_PROOF:
        raise SignatureMalformed(f"{name} is empty, too long or not ASCII")
    return value
