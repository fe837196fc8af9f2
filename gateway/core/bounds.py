"""Fits what a sender wrote into what is stored: bounded, and without forbidden characters."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

LONGEST_IDENTIFIER = 300
LONGEST_MESSAGE = 2000
LARGEST_METADATA = 8 * 1024
LEFT_OUT = "_left_out"

# PostgreSQL refuses NUL, UTF-8 has no lone surrogates.
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_ESCAPED = re.compile("\\\\u0000|[\ud800-\udfff]")
_LONG_NUMBER = re.compile(r"\d{19}")
# As JSON these are less than a half of what may be stored.
_FEW_VALUES = 32
_FEW_CHARACTERS = 500
_LEAST, _GREATEST = -(2**63), 2**64 - 1
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def fit_identifier(text: str) -> str:
    """A key or event id of at most 300 characters; long ones keep their start and a hash."""
    text = clean_text(text)
    if len(text) <= LONGEST_IDENTIFIER:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{text[: LONGEST_IDENTIFIER - 33]}~{digest}"


def fit_message(text: str) -> str:
    """A message of at most 2000 characters."""
    text = clean_text(text)
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def clean_text(text: str) -> str:
    """``text`` with U+FFFD for the characters that cannot be stored."""
    return _FORBIDDEN.sub("\ufffd", text)


def fit_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Metadata of at most 8 KiB as JSON.

    Values that are too large are left out, in order; ``_left_out`` then says how many.
    Integers beyond 64 bits, which not every reader of JSON keeps exact, become text.
    """
    if not metadata or _is_plain(metadata):
        return metadata
    try:
        text = _encode(metadata)
    except (ValueError, RecursionError):
        return _fit_piecewise(metadata)
    if len(text) > LARGEST_METADATA // 4 or _ESCAPED.search(text) or _LONG_NUMBER.search(text):
        return _fit_piecewise(metadata)
    return metadata


def _is_plain(metadata: Mapping[str, Any]) -> bool:
    """Whether it is as metadata mostly is: a few short texts and numbers, that fit as they are."""
    if len(metadata) > _FEW_VALUES:
        return False
    texts = []
    for piece in chain(metadata, metadata.values()):
        if isinstance(piece, str):
            texts.append(piece)
        elif piece is not None and not _is_plain_number(piece):
            return False
    text = "".join(texts)
    # A printable character is neither forbidden nor escaped: JSON has four bytes for it at most.
    return len(text) <= _FEW_CHARACTERS and text.isprintable()


def _is_plain_number(value: Any) -> bool:
    return isinstance(value, int | float) and _LEAST <= value <= _GREATEST


def _fit_piecewise(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    left_out = 0
    room = LARGEST_METADATA - len(f'{{"{LEFT_OUT}":{len(metadata)}}}')
    for name, value in metadata.items():
        try:
            piece = {clean_text(name): _clean(value)}
            size = len(_encode(piece).encode()) - 1
        except RecursionError:
            size = room + 1
        if size > room:
            left_out += 1
            continue
        room -= size
        kept |= piece
    return {**kept, LEFT_OUT: left_out} if left_out else kept


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(name): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    if isinstance(value, int) and not _LEAST <= value <= _GREATEST:
        return str(value)
    # No JSON, but a sum or product of large numbers can give them.
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
