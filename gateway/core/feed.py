"""Feeds of events that used to talk and fell silent: stale, which is not down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.core.blindness import Blindness
from gateway.core.heartbeat import passes
from gateway.core.rhythm import Every

AUTO = 0
"""In the place of a number of seconds: learn the threshold from the feed's own gaps."""

_HALF_LIFE = timedelta(days=14)
_FACTOR = 2
_SHORTEST = timedelta(hours=1)
_LEARNING = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Feed:
    """What is remembered of a monitor's accepted deliveries.

    ``stale_after`` is in seconds, or `AUTO`. ``longest_gap`` is the longest silence so far,
    where older ones count less: half after two weeks, so that a weekend is remembered and
    an outage of last month is not.
    """

    stale_after: int
    first_at: datetime | None = None
    last_at: datetime | None = None
    longest_gap: timedelta = timedelta(0)

    @property
    def threshold(self) -> timedelta | None:
        """How long a silence is usual; None while that is being learned."""
        if self.stale_after != AUTO:
            return timedelta(seconds=self.stale_after)
        if self.first_at is None or self.last_at is None:
            return None
        if self.last_at - self.first_at < _LEARNING:
            return None
        return max(self.longest_gap * _FACTOR, _SHORTEST)

    def heard(self, at: datetime) -> "Feed":
        """The feed after a delivery at ``at``; one from before the last changes nothing."""
        if self.first_at is None or self.last_at is None:
            return replace(self, first_at=at, last_at=at)
        if at <= self.last_at:
            return self
        gap = at - self.last_at
        remembered = self.longest_gap * 0.5 ** (gap / _HALF_LIFE)
        # A gap that was stale is not usual. If it becomes so, twice as much is, each time.
        usual = gap if self.threshold is None else min(gap, self.threshold)
        return replace(self, last_at=at, longest_gap=max(usual, remembered))

    def stale_at(self, blind: Sequence[Blindness] = ()) -> datetime | None:
        """When the feed is stale if nothing more is heard; None if that is not known."""
        if self.threshold is None or self.last_at is None:
            return None
        return passes(Every(self.threshold), self.last_at, timedelta(0), blind)
