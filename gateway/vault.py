"""Encrypts the secrets that the store keeps: AES-256-GCM, bound to where they belong."""

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core.errors import GatewayError

KEY_BYTES = 32
_NONCE_BYTES = 12


class VaultError(GatewayError):
    """The encryption key is unusable, or does not belong to this data."""

    code = "encryption_key"


class Vault:
    """Seals and opens secrets with one key.

    ``purpose`` names the place a secret belongs to (``monitor/<id>/token``); a sealed
    value that is copied to another place does not open there.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise VaultError(f"the encryption key must be {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Encrypt; two seals of the same secret differ."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt what `seal` gave for the same purpose; raises `VaultError`."""
        nonce, box = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, box, purpose.encode())
        except InvalidTag:
            raise VaultError(
                "a stored secret does not open with this encryption key; "
                "was the key replaced, or the database moved without its key file?"
            ) from None


def hash_token(token: str) -> str:
    """What a token is looked up by: the hex SHA-256 of its text."""
    return hashlib.sha256(token.encode()).hexdigest()


def decode_key(text: str) -> bytes:
    """The key in its written form (base64 of 32 bytes); raises `VaultError`."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise VaultError("the encryption key is not base64") from None


def load_or_make_key(path: Path) -> bytes:
    """Read the key file, or make it (mode 0600) on first start."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return decode_key(path.read_text())
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key
