"""Finds the monitor of a token without asking the database each time.

What the cache shows may be old: the record transaction compares revisions and sends
whoever comes with an old one back here.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.store.monitors import Monitor

Find = Callable[[str], Awaitable[Monitor | None]]
"""Reads the monitor of a token from the store, outside the event loop."""

_FRESH = timedelta(minutes=5)
_RECENT = timedelta(seconds=1)
_CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    monitor: Monitor
    read_at: datetime


class Directory:
    """Monitors by token, the latest ``_CAPACITY`` of them, each for ``_FRESH``.

    They may stay long, because nothing is recorded for a monitor that has changed since.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def cached(self, token: str, now: datetime) -> Monitor | None:
        """The monitor as it was a moment ago, if it was asked for."""
        known = self._known.get(token)
        if known is None or now - known.read_at > _FRESH:
            return None
        self._known.move_to_end(token)
        return known.monitor

    async def read(self, token: str, now: datetime) -> Monitor | None:
        """The monitor as the store has it now; kept for the next time."""
        monitor = await self._find(token)
        if monitor is None:
            self._known.pop(token, None)
            return None
        self._known[token] = _Known(monitor, now)
        self._known.move_to_end(token)
        if len(self._known) > _CAPACITY:
            self._known.popitem(last=False)
        return monitor

    def is_recent(self, token: str, now: datetime) -> bool:
        """Whether the monitor was read so lately that asking again is no use."""
        known = self._known.get(token)
        return known is not None and now - known.read_at <= _RECENT

    def forget(self, token: str) -> None:
        """Drop what is known of a token, because it has proved old."""
        self._known.pop(token, None)
