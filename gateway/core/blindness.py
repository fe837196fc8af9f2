"""The times in which the gateway could not know: found by the marks that it leaves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Duty(StrEnum):
    """What the gateway leaves a mark for while it does it."""

    RECEIVING = "receiving"
    SWEEPING = "sweeping"


@dataclass(frozen=True, slots=True)
class Blindness:
    """From the last mark before a gap to the first one after it."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it lasted, at most."""
        return self.end - self.start

    def meets(self, since: datetime, until: datetime) -> bool:
        """Whether it has a part between two times."""
        return self.start < until and self.end > since


def blindness(mark: datetime | None, now: datetime, patience: timedelta) -> Blindness | None:
    """The gap between the last mark and ``now``, if it is longer than ``patience``."""
    if mark is None or now - mark <= patience:
        return None
    return Blindness(mark, now)
