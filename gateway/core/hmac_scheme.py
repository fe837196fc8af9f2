"""The scheme of most providers: a keyed hash over the raw body, in a header."""

import hmac
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import partial

from gateway.core.encodings import SECRET_ENCODINGS, decode_secret
from gateway.core.errors import DefinitionError, SignatureMismatch
from gateway.core.model import Delivery
from gateway.core.proofs import Credentials
from gateway.core.signed_headers import SignedScheme, check_word

DIGEST_SIZES = {"sha256": 32, "sha1": 20, "sha512": 64}


@dataclass(frozen=True, slots=True)
class Hmac(SignedScheme):
    """An HMAC over the raw body, or over ``signed`` with the body and other parts in it.

    ``header`` may be several names, of which the first that is present counts. ``signed``
    may be several alternatives; each is tried. ``list`` reads a header of several parts.
    ``tolerance`` is in seconds, into the past and into the future. A secret is used as
    UTF-8, or decoded by ``secret_encoding`` after its ``secret_prefix`` is taken off.
    Raises `DefinitionError` if the scheme cannot work.
    """

    algorithm: str = "sha256"
    _: KW_ONLY
    secret_encoding: str = "utf8"  # noqa: S105  # names an encoding
    secret_prefix: str = ""
    credential: str = "secret"

    def __post_init__(self) -> None:
        check_word("algorithm", self.algorithm, DIGEST_SIZES)
        check_word("secret_encoding", self.secret_encoding, SECRET_ENCODINGS)
        self._find_place(DIGEST_SIZES[self.algorithm])

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
        self._place.verify(delivery, partial(self._matches, self._keys(credentials)), now)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """Add the signature, and made-up values for absent parts of what is signed.

        Raises `DefinitionError` if the secret is not a key or the body does not fit.
        """
        key = self._key(secret)
        if key is None:
            raise DefinitionError(f"cannot sign: {self.problem(secret)}")
        return self._place.sign(delivery, partial(self._digest, key), now)

    def _key(self, secret: str) -> bytes | None:
        return decode_secret(secret, self.secret_encoding, self.secret_prefix)

    def _keys(self, credentials: Credentials) -> Sequence[bytes]:
        found = map(self._key, credentials.get(self.credential, ()))
        keys = [key for key in found if key is not None]
        if not keys:
            raise SignatureMismatch(f"no usable {self.credential} is configured")
        return keys

    def _matches(self, keys: Sequence[bytes], message: bytes, signatures: Sequence[bytes]) -> bool:
        for key in keys:
            expected = self._digest(key, message)
            for signature in signatures:
                if hmac.compare_digest(expected, signature):
                    return True
        return False

    def _digest(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self.algorithm)
