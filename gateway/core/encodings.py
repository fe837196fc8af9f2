"""Text to bytes and back: signatures and secrets as hexadecimal or base64."""

import base64
import binascii
from collections.abc import Callable, Mapping

_URL_SAFE = str.maketrans("-_", "+/")


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)


_DECODERS: Mapping[str, Callable[[str], bytes]] = {
    "hex": binascii.unhexlify,
    "base64": _from_base64,
}

ENCODINGS = tuple(_DECODERS)
"""How a signature can be written."""

SECRET_ENCODINGS = ("utf8", *ENCODINGS)
"""How the text of a secret can stand for the key's bytes."""


def decode_signature(text: str, encoding: str, size: int) -> bytes | None:
    """The bytes of a signature, or None if the text is not ``size`` encoded bytes."""
    try:
        decoded = _DECODERS[encoding](text)
    except ValueError:
        return None
    return decoded if len(decoded) == size else None


def encode_signature(digest: bytes, encoding: str) -> str:
    """The text of a signature."""
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def decode_secret(text: str, encoding: str, prefix: str) -> bytes | None:
    """The key that a secret stands for, or None if there is none in it.

    An empty key is no key: everybody could sign with it. Base64 may lack its padding and
    may use the URL alphabet.
    """
    text = text.removeprefix(prefix)
    if encoding == "utf8":
        return text.encode("utf-8", "surrogatepass") or None
    if encoding == "base64":
        text = text.rstrip("=").translate(_URL_SAFE)
        text += "=" * (-len(text) % 4)
    try:
        return _DECODERS[encoding](text) or None
    except ValueError:
        return None
