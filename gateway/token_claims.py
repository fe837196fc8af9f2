"""What a signed token must claim, and until when it may."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.core.errors import (
    DefinitionError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureStale,
)
from gateway.core.proofs import Credentials

LEEWAY = 60
"""Seconds by which the clocks of sender and receiver may differ."""

LIFETIME = 3600


@dataclass(frozen=True, slots=True)
class FromCredential:
    """A current value of a credential, standing for ``{}`` in one of the ``forms``."""

    credential: str
    forms: tuple[str, ...] = ("{}",)

    def __post_init__(self) -> None:
        if not self.credential:
            raise DefinitionError("no credential is named", field="credential")
        if not self.forms or any(form.count("{}") != 1 for form in self.forms):
            raise DefinitionError("a form has one {} for the credential", field="form")

    def texts(self, value: str) -> list[str]:
        """What a claim can be for one value of the credential."""
        return [form.replace("{}", value) for form in self.forms]


ClaimValue = str | bool | tuple[str, ...] | FromCredential
"""One value, one of several, or the value of a credential."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that a token must have; ``a|b`` is the first of both that it has.

    A claim that is a list must have one of the values in it. Raises `DefinitionError`.
    """

    wanted: Mapping[str, ClaimValue]

    def __post_init__(self) -> None:
        for name, value in self.wanted.items():
            if value in ("", ()):
                raise DefinitionError(f"nothing is wanted of the claim {name!r}", field="claims")

    @property
    def credential_names(self) -> tuple[str, ...]:
        """The credentials that claims are compared with."""
        values = self.wanted.values()
        return tuple(each.credential for each in values if isinstance(each, FromCredential))

    def check(self, claims: Mapping[str, Any], credentials: Credentials) -> None:
        """Raise `SignatureMismatch` if a claim is absent or something else."""
        for names, value in self.wanted.items():
            found = next((claims[name] for name in names.split("|") if name in claims), None)
            given = found if isinstance(found, list) else [found]
            # Python takes 1 for True; a claim of 1 is not one of true.
            if not any(
                type(one) is type(each) and one == each
                for one in given
                for each in _allowed(value, credentials)
            ):
                raise SignatureMismatch(f"the token claims another {names}")

    def made_up(self, secret: str) -> dict[str, Any]:
        """Claims that are right where every credential is this secret."""
        credentials = dict.fromkeys(self.credential_names, (secret,))
        return {
            names.split("|")[0]: next(_allowed(value, credentials))
            for names, value in self.wanted.items()
        }


def check_times(claims: Mapping[str, Any], now: datetime) -> None:
    """Raise `SignatureStale` for a token of another time, `SignatureMalformed` for none."""
    at = now.timestamp()
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SignatureMalformed(f"the claim {name} is not a time")
        if (at - LEEWAY >= value) if name == "exp" else (value > at + LEEWAY):
            raise SignatureStale(f"by its {name}, the token is not for now")


def _allowed(value: ClaimValue, credentials: Credentials) -> Iterator[str | bool]:
    if isinstance(value, FromCredential):
        for current in filter(None, credentials.get(value.credential, ())):
            yield from value.texts(current)
    elif isinstance(value, tuple):
        yield from value
    else:
        yield value
