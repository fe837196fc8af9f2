"""Ed25519: the sender signs with a key that it keeps, and everybody may know the other one."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.core.encodings import ENCODINGS, decode_secret, encode_signature
from gateway.core.errors import DefinitionError, SignatureMismatch
from gateway.core.model import Delivery
from gateway.core.proofs import Credentials
from gateway.core.signed_headers import SignedScheme, check_word

_KEY_SIZE = 32
_SIGNATURE_SIZE = 64


@dataclass(frozen=True, slots=True)
class Ed25519(SignedScheme):
    """An Ed25519 signature of the sender.

    RFC 8032, over the raw body or over ``signed``. The credential is the sender's public
    key, in ``key_encoding`` after ``key_prefix``. All else is as in `Hmac`. `sign` needs
    the private key that belongs to it: its 32 bytes in the same encoding, after
    ``private_prefix``. Raises `DefinitionError` if the scheme cannot work.
    """

    _: KW_ONLY
    key_encoding: str = "hex"
    key_prefix: str = ""
    private_prefix: str = ""
    credential: str = "public_key"

    def __post_init__(self) -> None:
        check_word("key_encoding", self.key_encoding, ENCODINGS)
        self._find_place(_SIGNATURE_SIZE)

    def problem(self, secret: str) -> str:
        """Why this text cannot be a public key; empty if it can."""
        if self._bytes(secret, self.key_prefix):
            return ""
        return f"it is not a key of {_KEY_SIZE} bytes in {self.key_encoding}"

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if the owner of a current public key signed the delivery.

        Raises `SignatureMissing`, `SignatureMalformed`, `SignatureMismatch`, and
        `SignatureStale` only for what was signed rightly.
        """
        texts = credentials.get(self.credential, ())
        found = [self._bytes(text, self.key_prefix) for text in texts]
        keys = [Ed25519PublicKey.from_public_bytes(key) for key in found if key]
        if not keys:
            raise SignatureMismatch(f"no usable {self.credential} is configured")
        self._place.verify(delivery, partial(_matches, keys), now)

    def sign(self, delivery: Delivery, secret: str, now: datetime) -> Delivery:
        """Add the signature that the owner of a private key would.

        Raises `DefinitionError` if the secret is not a private key.
        """
        return self._place.sign(delivery, self._private(secret).sign, now)

    def credential_for(self, secret: str) -> str:
        """The public key that verifies what `sign` makes of a private one."""
        public = self._private(secret).public_key().public_bytes_raw()
        return self.key_prefix + encode_signature(public, self.key_encoding)

    def _private(self, secret: str) -> Ed25519PrivateKey:
        key = self._bytes(secret, self.private_prefix)
        if key is None:
            raise DefinitionError(f"cannot sign: this is no private key in {self.key_encoding}")
        return Ed25519PrivateKey.from_private_bytes(key)

    def _bytes(self, text: str, prefix: str) -> bytes | None:
        key = decode_secret(text, self.key_encoding, prefix)
        return key if key is not None and len(key) == _KEY_SIZE else None


def _matches(keys: Sequence[Ed25519PublicKey], message: bytes, signatures: Sequence[bytes]) -> bool:
    return any(_verifies(key, message, signature) for key in keys for signature in signatures)


def _verifies(key: Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
