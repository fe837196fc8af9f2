"""The bytes that ``JSON.stringify(JSON.parse(body))`` gives in JavaScript.

Some senders sign this form and send another one, e.g. with spaces after the commas.
"""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

LIMIT = 65_536
"""Bodies longer than this many bytes are not rewritten: strangers can ask for the work."""

_write_text = json.encoder.encode_basestring
_ARRAY_INDEX = re.compile(r"0|[1-9]\d{0,9}")
_HIGHEST_INDEX = 2**32 - 2
_EXACT_INTEGER = 15  # digits that a double always holds


def compact(body: bytes) -> bytes | None:
    """The compact form of a JSON body, or None if it is not JSON or too long.

    Keys keep their order (but array indexes come first, ascending), the last of repeated
    keys wins, numbers are written as doubles, nothing but control characters is escaped.
    https://tc39.es/ecma262/#sec-json.stringify
    """
    if len(body) > LIMIT:
        return None
    try:
        value = json.loads(
            body.decode(), parse_int=_number, parse_float=_number, parse_constant=_refuse
        )
        return _write(value).encode()
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _write(value: Any) -> str:
    if isinstance(value, str):
        return _write_text(value)
    if isinstance(value, dict):
        pairs = (f"{_write_text(key)}:{_write(item)}" for key, item in _in_order(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, _Number):
        return value.text
    return {True: "true", False: "false", None: "null"}[value]


def _in_order(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs = list(mapping.items())
    pairs.sort(key=lambda pair: int(pair[0]) if _is_index(pair[0]) else _HIGHEST_INDEX + 1)
    return pairs


def _is_index(key: str) -> bool:
    return _ARRAY_INDEX.fullmatch(key) is not None and int(key) <= _HIGHEST_INDEX


class _Number:
    """A number as JavaScript writes it; wrapped, so that it is told from text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _number(text: str) -> _Number:
    if text.isdigit() and len(text) <= _EXACT_INTEGER:
        return _Number(text)
    return _Number(_double(float(text)))


def _double(value: float) -> str:
    """A double in the digits of https://tc39.es/ecma262/#sec-numeric-types-number-tostring."""
    parts = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(parts.exponent, int):
        raise ValueError(value)  # noqa: TRY004  # the text was a number, but beyond doubles
    digits = "".join(map(str, parts.digits))
    point = len(digits) + parts.exponent
    sign = "-" if value < 0 else ""
    return sign + (_positional(digits, point) or _scientific(digits, point))


def _positional(digits: str, point: int) -> str:
    """Digits with a decimal point at ``point``; empty where JavaScript uses an exponent."""
    if len(digits) <= point <= 21:  # noqa: PLR2004  # the limits are the standard's
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:  # noqa: PLR2004
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:  # noqa: PLR2004
        return "0." + "0" * -point + digits
    return ""


def _scientific(digits: str, point: int) -> str:
    rest = f".{digits[1:]}" if digits[1:] else ""
    return f"{digits[0]}{rest}e{point - 1:+d}"
