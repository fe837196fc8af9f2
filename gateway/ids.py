"""Public ids: opaque, unique, and sortable by the time they were made.

The form is that of ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80
random bits in 26 characters of Crockford's base 32.
"""

import secrets
import threading
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


_lock = threading.Lock()
_last = 0


def new_id(now: datetime) -> str:
    """A new id whose first ten characters tell the millisecond of ``now``.

    Ids that one process makes within the same millisecond sort in the order they were made.
    """
    global _last  # noqa: PLW0603 - the order of ids is a property of the whole process
    number = _least_number(now) | secrets.randbits(80)
    with _lock:
        if number >> 80 == _last >> 80:
            number = _last + 1
        _last = number
    return _text(number)


def least_id(time: datetime) -> str:
    """The least id of the millisecond of ``time``: all that were made before are less."""
    return _text(_least_number(time))


def _least_number(time: datetime) -> int:
    return ((time - _EPOCH) // _MILLISECOND) << 80


def _text(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def first_id(moment: datetime) -> str:
    """What every id made from the millisecond of ``moment`` on is not smaller than."""
    number = ((moment - _EPOCH) // _MILLISECOND) << 80
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def new_token() -> str:
    """A secret for a URL or an API client: 32 random bytes as 64 hex characters."""
    return secrets.token_hex(32)
