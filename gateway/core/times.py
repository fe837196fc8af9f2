"""Reads the many ways in which platforms write a time, and writes our one."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 2000, 2200
_FIRST, _END = 946_684_800, 7_289_654_400  # the same years in unix seconds
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?")
_SPACED_ZONE = re.compile(r" (?:(UTC|GMT|Z)|(?=[+-]\d\d))", re.ASCII)
_LONGEST = 64


def parse_time(value: Any) -> datetime | None:
    """The aware UTC time that a payload's value means, or None.

    Reads ISO 8601 in its common variants (no zone means UTC) and unix seconds or
    milliseconds, as number or text. Years before 2000 and after 2200 are None: senders
    write year 1 or 0 where they mean "none". Never raises.
    """
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _LONGEST:
            return None
        return _from_number(float(text)) if _NUMBER.fullmatch(text) else _from_iso(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    return None


def format_time(time: datetime) -> str:
    """``time``, which must be aware, as ``2026-01-20T10:30:00.000Z``."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _from_number(number: float) -> datetime | None:
    if _FIRST <= number < _END:
        return _EPOCH + timedelta(seconds=number)
    if _FIRST * 1000 <= number < _END * 1000:
        return _EPOCH + timedelta(milliseconds=number)
    return None


def _from_iso(text: str) -> datetime | None:
    joined = _SPACED_ZONE.sub(lambda zone: "Z" if zone[1] else "", text.upper())
    try:
        time = datetime.fromisoformat(joined)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if _FIRST_YEAR <= time.year <= _LAST_YEAR else None
