"""GCRA: a rate limit whose whole state is one moment in time.

Source: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` deliveries per ``period``, of which ``burst`` may come at once (1 or more)."""

    count: int
    period: timedelta
    burst: int

    @property
    def spacing(self) -> timedelta:
        """The time between two deliveries at the steady rate."""
        return self.period / self.count


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a delivery may pass, the state to keep, and how long to wait if not."""

    allowed: bool
    state: datetime | None
    retry_after: timedelta = timedelta(0)


def admit(state: datetime | None, limit: Limit, now: datetime) -> Admission:
    """Ask for one delivery; ``state`` is None at first, then what the last answer gave.

    A refused delivery costs nothing: the state stays as it was. A state further ahead than
    it can get was made by a clock that has since been set back, and is cut.
    """
    latest = now + limit.spacing * limit.burst
    earliest = now if state is None else min(max(state, now), latest)
    wait = earliest - now - limit.spacing * (limit.burst - 1)
    if wait > timedelta(0):
        return Admission(allowed=False, state=earliest, retry_after=wait)
    return Admission(allowed=True, state=earliest + limit.spacing)
