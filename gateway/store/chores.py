"""What the sweep is made of: kinds of deadlines, each found and settled in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

Place = tuple[str, ...]
"""The key of a row with a deadline."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The time of a sweep, and up to which time it can know what did not happen.

    ``due`` is never later than the last moment in which signs were surely received.
    """

    now: datetime
    due: datetime


@dataclass(frozen=True, slots=True)
class Swept:
    """How much one sweep handled, and how late the oldest deadline was noticed."""

    missed: int = 0
    resolved: int = 0
    lag: timedelta = timedelta(0)
    late: int = 0
    overran: int = 0
    stale: int = 0
    put_off: int = 0

    def __str__(self) -> str:
        counts = {
            "heartbeats missed": self.missed,
            "signals resolved by time": self.resolved,
            "heartbeats late": self.late,
            "runs over their time": self.overran,
            "feeds silent": self.stale,
            "deadlines put off": self.put_off,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            self.missed + other.missed,
            self.resolved + other.resolved,
            max(self.lag, other.lag),
            self.late + other.late,
            self.overran + other.overran,
            self.stale + other.stale,
            self.put_off + other.put_off,
        )


class Chore(Protocol):
    """One kind of deadline. Its transactions are the sweep's."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    def claim(self, connection: Connection, sight: Sight, limit: int) -> list[Place]:
        """Find and lock what is due, oldest first, passing over what others have locked."""

    def settle(self, connection: Connection, places: Sequence[Place], sight: Sight) -> Swept:
        """Do what is due, and move each deadline beyond ``sight.due``, or drop it.

        Reads again under the lock: what is not due any more is left alone.
        """

    def put_off(self, connection: Connection, place: Place, until: datetime) -> None:
        """Move one deadline that cannot be settled."""
