"""Limits kept in memory: a cheap first refusal in front of the exact one in the store."""

from collections import OrderedDict
from datetime import datetime, timedelta

from gateway.core.errors import RateLimited
from gateway.core.ratelimit import Limit, admit


class Buckets:
    """One rate limit for each of many names, of which the latest ``capacity`` are kept.

    The bound keeps a stranger who invents names from filling the memory.
    """

    def __init__(self, limit: Limit, *, capacity: int = 10_000) -> None:
        self._limit = limit
        self._capacity = capacity
        self._states: OrderedDict[str, datetime | None] = OrderedDict()

    def take(self, name: str, now: datetime) -> None:
        """Count one for ``name``; raises `RateLimited` when it had too many."""
        admission = admit(self._states.get(name), self._limit, now)
        self._states[name] = admission.state
        self._states.move_to_end(name)
        if len(self._states) > self._capacity:
            self._states.popitem(last=False)
        if not admission.allowed:
            raise self._refusal(admission.retry_after)

    def check(self, name: str, now: datetime) -> None:
        """Raise `RateLimited` when ``name`` already had too many; counts nothing."""
        admission = admit(self._states.get(name), self._limit, now)
        if not admission.allowed:
            raise self._refusal(admission.retry_after)

    def _refusal(self, retry_after: timedelta) -> RateLimited:
        seconds = retry_after / timedelta(seconds=1)
        return RateLimited("too many requests", retry_after=seconds)
