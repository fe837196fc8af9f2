"""What schemes that sign have in common: where signatures stand, and what they cover."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from gateway.core.encodings import ENCODINGS, decode_signature, encode_signature
from gateway.core.errors import (
    DefinitionError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.nodes import suggest
from gateway.core.proofs import OneCredential, header_names, present_header
from gateway.core.signed_content import Compiled, Segments, compile_content

UNITS = ("auto", "s", "ms")

MOST_SIGNATURES = 32
LONGEST_TIMESTAMP = 17
MILLISECONDS_FROM = 10**11
"""A larger timestamp is in milliseconds: as seconds it would lie beyond the year 5000."""

Proves = Callable[[bytes, Sequence[bytes]], bool]
"""Whether one of some signatures is right for a message."""

Signed = str | Segments | tuple[str | Segments, ...]
"""A template, several pieces of one, or alternatives of these."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The parts of a header such as ``t=1531420618,v1=5257a8,v1=6ffbb5``.

    ``signature`` names the parts that hold a signature, ``timestamp`` the one with the time.
    """

    signature: str = "v1"
    timestamp: str = ""
    separator: str = ","
    pair: str = "="

    def read(self, text: str) -> tuple[list[str], str]:
        """The signatures, and the timestamp or ``""``. Raises `SignatureMalformed`."""
        signatures: list[str] = []
        times: list[str] = []
        for part in text.split(self.separator):
            name, _, value = part.strip().partition(self.pair)
            if name == self.signature:
                signatures.append(value)
            elif self.timestamp and name == self.timestamp:
                times.append(value)
        if not 0 < len(signatures) <= MOST_SIGNATURES:
            raise SignatureMalformed(f"{len(signatures)} signatures {self.signature!r}")
        if len(times) != bool(self.timestamp):
            raise SignatureMalformed(f"{len(times)} timestamps {self.timestamp!r}")
        return signatures, "".join(times)

    def write(self, signature: str, timestamp: str) -> str:
        """A header's value with one signature."""
        parts = [f"{self.timestamp}{self.pair}{timestamp}"] if self.timestamp else []
        return self.separator.join([*parts, f"{self.signature}{self.pair}{signature}"])


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The header that bears the signed time, in Unix ``s`` or ``ms``; ``auto``: by magnitude.

    Of several names the first that is present counts.
    """

    header: str | tuple[str, ...]
    unit: str = "auto"


class _Proof(NamedTuple):
    signatures: Sequence[bytes]
    timestamp: str


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header with signatures of ``size`` bytes over ``signed``; see `Hmac` for the rest.

    Raises `DefinitionError` if that cannot work.
    """

    header: str | tuple[str, ...]
    size: int
    signed: Signed
    encoding: str
    prefix: str = ""
    prefix_optional: bool = False
    list: Pairs | None = None
    timestamp: Timestamp | None = None
    tolerance: int | None = None
    _headers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _time_headers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _contents: tuple[Compiled, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        signed = self.signed if isinstance(self.signed, tuple) else (self.signed,)
        times = header_names(self.timestamp.header) if self.timestamp else ()
        object.__setattr__(self, "_headers", header_names(self.header))
        object.__setattr__(self, "_time_headers", times)
        object.__setattr__(self, "_contents", tuple(map(compile_content, signed)))
        check_word("encoding", self.encoding, ENCODINGS)
        check_word("unit", self.unit, UNITS)
        if not self._contents:
            raise DefinitionError("nothing is signed", field="signed")
        self._check_time()

    def _check_time(self) -> None:
        """A time that nobody signed proves nothing, so a tolerance needs a signed one."""
        sources = self._time_sources()
        signs_time = [
            any(token.kind == "timestamp" for token in each.tokens()) for each in self._contents
        ]
        if sources > 1:
            raise DefinitionError("there are two timestamps", field="timestamp")
        if any(signs_time) and not sources:
            raise DefinitionError(
                "{timestamp} is signed, but nothing says where it stands",
                field="signed",
                hint="name the timestamp's header, or its part of the list",
            )
        if self.tolerance is not None and (self.tolerance <= 0 or not all(signs_time)):
            raise DefinitionError(
                "a tolerance needs {timestamp} in what is signed, and at least 1 s",
                field="tolerance",
            )

    @property
    def unit(self) -> str:
        """What timestamps count: ``s``, ``ms`` or ``auto``."""
        return self.timestamp.unit if self.timestamp else "auto"

    def verify(self, delivery: Delivery, proves: Proves, now: datetime) -> None:
        """Return if ``proves`` says so of the signed content and the signatures.

        Raises `SignatureMissing`, `SignatureMalformed`, `SignatureMismatch`, and
        `SignatureStale` only for what was signed rightly.
        """
        proof = self._proof(delivery)
        applies = False
        for content in self._contents:
            message = content.render(delivery, proof.timestamp)
            if message is not None:
                applies = True
                if proves(message, proof.signatures):
                    return self._check_age(proof.timestamp, now)
        if not applies:
            raise SignatureMissing("a header or parameter that is part of what is signed is absent")
        raise SignatureMismatch("no current key gives this signature")

    def sign(self, delivery: Delivery, make: Callable[[bytes], bytes], now: datetime) -> Delivery:
        """Add the signature, and made-up values for absent parts of what is signed.

        Raises `DefinitionError` for a body that cannot be signed so.
        """
        timestamp = str(int(now.timestamp() * (1000 if self.unit == "ms" else 1)))
        delivery = _completed(delivery, self._contents[0])
        message = self._contents[0].render(delivery, timestamp)
        if message is None:
            raise DefinitionError("cannot sign: nothing to sign")
        text = encode_signature(make(message), self.encoding)
        value = self.list.write(text, timestamp) if self.list else text
        times = dict.fromkeys(self._time_headers[:1], timestamp)
        headers = {**delivery.headers, **times, self._headers[0]: self.prefix + value}
        return replace(delivery, headers=headers)

    def _proof(self, delivery: Delivery) -> _Proof:
        text = present_header(delivery, self._headers)
        if text.startswith(self.prefix):
            text = text[len(self.prefix) :]
        elif not self.prefix_optional:
            raise SignatureMalformed(f"the signature does not begin with {self.prefix!r}")
        signatures, timestamp = self.list.read(text) if self.list else ([text], "")
        if self.timestamp:
            timestamp = present_header(delivery, self._time_headers)
        if self._time_sources() and not _is_timestamp(timestamp):
            raise SignatureMalformed("the timestamp is not a Unix time")
        decoded = (decode_signature(text, self.encoding, self.size) for text in signatures)
        readable = [signature for signature in decoded if signature is not None]
        if not readable:
            raise SignatureMalformed(f"no signature of {self.size} bytes in {self.encoding}")
        return _Proof(readable, timestamp)

    def _time_sources(self) -> int:
        return (self.timestamp is not None) + (self.list is not None and self.list.timestamp != "")

    def _check_age(self, timestamp: str, now: datetime) -> None:
        if self.tolerance is None:
            return
        signed_at = float(timestamp)
        if self.unit == "ms" or (self.unit == "auto" and signed_at > MILLISECONDS_FROM):
            signed_at /= 1000
        age = now.timestamp() - signed_at
        if abs(age) > self.tolerance:
            raise SignatureStale(f"signed {age:.0f} s ago, more than {self.tolerance} s from now")


def check_word(field: str, word: str, known: Collection[str]) -> None:
    """Raise `DefinitionError` unless the word is one of the known."""
    if word not in known:
        hint = suggest(word, known)
        raise DefinitionError(f"unknown {field} {word!r}", field=field, hint=hint)


def _is_timestamp(text: str) -> bool:
    return text.isdigit() and len(text) <= LONGEST_TIMESTAMP


def _completed(delivery: Delivery, content: Compiled) -> Delivery:
    """The delivery with every part that is signed; the same body gets the same parts."""
    value = hashlib.sha256(delivery.body).hexdigest()[:32]
    absent = [token for token in content.required() if token.is_absent(delivery)]
    headers = {token.name: value for token in absent if token.kind == "header"}
    query = {token.name: value for token in absent if token.kind == "query"}
    return replace(
        delivery, headers={**delivery.headers, **headers}, query={**delivery.query, **query}
    )


@dataclass(frozen=True, slots=True)
class SignedScheme(OneCredential):
    """What `Hmac` and `Ed25519` have in common: a signature of theirs stands in a header."""

    header: str | tuple[str, ...]
    signed: Signed = "{body}"
    _: KW_ONLY
    encoding: str = "hex"
    prefix: str = ""
    prefix_optional: bool = False
    list: Pairs | None = None
    timestamp: Timestamp | None = None
    tolerance: int | None = None
    _place: SignedHeader = field(init=False, repr=False, compare=False)

    def _find_place(self, size: int) -> None:
        """Check where signatures of so many bytes stand; raises `DefinitionError`."""
        if not self.credential:
            raise DefinitionError("no credential is named", field="credential")
        place = SignedHeader(
            header=self.header,
            size=size,
            signed=self.signed,
            encoding=self.encoding,
            prefix=self.prefix,
            prefix_optional=self.prefix_optional,
            list=self.list,
            timestamp=self.timestamp,
            tolerance=self.tolerance,
        )
        object.__setattr__(self, "_place", place)
