"""The scheme of most providers: a keyed hash over the raw body, in a header."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from gateway.core.encodings import (
    ENCODINGS,
    SECRET_ENCODINGS,
    decode_secret,
    decode_signature,
    encode_signature,
)
from gateway.core.errors import (
    DefinitionError,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    SignatureStale,
)
from gateway.core.model import Delivery
from gateway.core.nodes import suggest
from gateway.core.proofs import Credentials, header_names, present_header
from gateway.core.signed_content import Compiled, Segments, compile_content

DIGEST_SIZES = {"sha256": 32, "sha1": 20, "sha512": 64}
UNITS = ("auto", "s", "ms")

MOST_SIGNATURES = 32
LONGEST_TIMESTAMP = 17
MILLISECONDS_FROM = 10**11
"""A larger timestamp is in milliseconds: as seconds it would lie beyond the year 5000."""


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
class Hmac:
    """An HMAC over the raw body, or over ``signed`` with the body and other parts in it.

    ``header`` may be several names, of which the first that is present counts. ``signed``
    may be several alternatives; each is tried. ``list`` reads a header of several parts.
    ``tolerance`` is in seconds, into the past and into the future. A secret is used as
    UTF-8, or decoded by ``secret_encoding`` after its ``secret_prefix`` is taken off.
    Raises `DefinitionError` if the scheme cannot work.
    """

    header: str | tuple[str, ...]
    signed: str | Segments | tuple[str | Segments, ...] = "{body}"
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    prefix_optional: bool = False
    list: Pairs | None = None
    timestamp: Timestamp | None = None
    tolerance: int | None = None
    secret_encoding: str = "utf8"  # noqa: S105  # names an encoding
    secret_prefix: str = ""
    credential: str = "secret"
    _headers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _time_headers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _contents: tuple[Compiled, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        signed = self.signed if isinstance(self.signed, tuple) else (self.signed,)
        times = header_names(self.timestamp.header) if self.timestamp else ()
        object.__setattr__(self, "_headers", header_names(self.header))
        object.__setattr__(self, "_time_headers", times)
        object.__setattr__(self, "_contents", tuple(map(compile_content, signed)))
        self._check_words()
        self._check_time()

    def _check_words(self) -> None:
        for name, known in (
            ("algorithm", DIGEST_SIZES),
            ("encoding", ENCODINGS),
            ("secret_encoding", SECRET_ENCODINGS),
            ("unit", UNITS),
        ):
            word = getattr(self, name)
            if word not in known:
                hint = suggest(word, known)
                raise DefinitionError(f"unknown {name} {word!r}", field=name, hint=hint)
        if not self.credential:
            raise DefinitionError("no credential is named", field="credential")
        if not self._contents:
            raise DefinitionError("nothing is signed", field="signed")

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
    def credential_names(self) -> tuple[str, ...]:
        """The one credential whose values are keys."""
        return (self.credential,)

    @property
    def unit(self) -> str:
        """What timestamps count: ``s``, ``ms`` or ``auto``."""
        return self.timestamp.unit if self.timestamp else "auto"

    def problem(self, secret: str) -> str:
        """Why this text cannot be a key; empty if it can."""
        if self._key(secret):
            return ""
        return f"it is not a key in {self.secret_encoding}" if secret else "it is empty"

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if a current key gives a signature of the delivery.

        Raises `SignatureMissing`, `SignatureMalformed`, `SignatureMismatch`, and
        `SignatureStale` only for what was signed rightly.
        """
        keys = self._keys(credentials)
        proof = self._proof(delivery)
        applies = False
        for content in self._contents:
            message = content.render(delivery, proof.timestamp)
            if message is not None:
                applies = True
                if self._matches(message, keys, proof.signatures):
                    return self._check_age(proof.timestamp, now)
        if not applies:
            raise SignatureMissing("a header or parameter that is part of what is signed is absent")
        raise SignatureMismatch(f"no current {self.credential} gives this signature")

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """Add the signature, and made-up values for absent parts of what is signed.

        Raises `DefinitionError` if the secret is not a key or the body does not fit.
        """
        timestamp = str(int(now.timestamp() * (1000 if self.unit == "ms" else 1)))
        delivery = _completed(delivery, self._contents[0])
        message = self._contents[0].render(delivery, timestamp)
        key = self._key(secret)
        if key is None or message is None:
            raise DefinitionError(f"cannot sign: {self.problem(secret) or 'nothing to sign'}")
        text = encode_signature(hmac.digest(key, message, self.algorithm), self.encoding)
        value = self.list.write(text, timestamp) if self.list else text
        times = dict.fromkeys(self._time_headers[:1], timestamp)
        headers = {**delivery.headers, **times, self._headers[0]: self.prefix + value}
        return replace(delivery, headers=headers)

    def _key(self, secret: str) -> bytes | None:
        return decode_secret(secret, self.secret_encoding, self.secret_prefix)

    def _keys(self, credentials: Credentials) -> Sequence[bytes]:
        found = map(self._key, credentials.get(self.credential, ()))
        keys = [key for key in found if key is not None]
        if not keys:
            raise SignatureMismatch(f"no usable {self.credential} is configured")
        return keys

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
        size = DIGEST_SIZES[self.algorithm]
        decoded = (decode_signature(text, self.encoding, size) for text in signatures)
        readable = [signature for signature in decoded if signature is not None]
        if not readable:
            raise SignatureMalformed(f"no {self.algorithm} signature in {self.encoding}")
        return _Proof(readable, timestamp)

    def _matches(self, message: bytes, keys: Sequence[bytes], signatures: Sequence[bytes]) -> bool:
        for key in keys:
            expected = hmac.digest(key, message, self.algorithm)
            for signature in signatures:
                if hmac.compare_digest(expected, signature):
                    return True
        return False

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
