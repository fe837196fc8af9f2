"""GCRA: a rate limit whose whole state is one moment in time.

Source: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` deliveries per ``period``, of which ``burst`` may come at once (1 or more).

    ``spacing`` is the time between two deliveries at the steady rate.
    """

    count: int
    period: timedelta
    burst: int
    spacing: timedelta = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing", self.period / self.count)


class Admission(NamedTuple):
    """Whether a delivery may pass, the state to keep, and how long to wait if not."""

    allowed: bool
    state: datetime | None
    retry_after: timedelta = timedelta(0)


def admit(state: datetime | None, limit: Limit, now: datetime) -> Admission:
    """Ask for one delivery; ``state`` is None at first, then what the last answer gave.

    A refused delivery costs nothing: the state stays as it was. A state further ahead than
    it can get was made by a clock that has since been set back, and is cut.
    """
    if state is None or state <= now:
        return Admission(allowed=True, state=now + limit.spacing)
    earliest = min(state, now + limit.spacing * limit.burst)
    wait = earliest - now - limit.spacing * (limit.burst - 1)
    if wait > timedelta(0):
        return Admission(allowed=False, state=earliest, retry_after=wait)
    return Admission(allowed=True, state=earliest + limit.spacing)
