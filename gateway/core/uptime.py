"""How long a monitor was what, day by day, from running figures instead of from its history.

Days are UTC, numbered from 1970-01-01; seconds are whole. ``docs/explanation/uptime.md``
says what the figures mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from gateway.core.model import Status

DAY = 86_400
KEPT_DAYS = 400
"""How many days of figures a monitor keeps: a year to show, and some to spare."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.toordinal()
_SECOND = timedelta(seconds=1)
_DIGITS = 1_000_000

# Where everything stands among the figures of a day: the order of their columns.
_SECONDS = {Status.UP: 0, Status.DEGRADED: 1, Status.DOWN: 2, Status.PENDING: 3}
_CHECKS = {Status.UP: 4, Status.DEGRADED: 5, Status.DOWN: 6}
_INCIDENTS = 7
_WIDTH = 8


def day_of(time: datetime) -> int:
    """The number of the day of ``time``, which must be UTC."""
    return time.toordinal() - _FIRST_DAY


@dataclass(slots=True)
class Day:
    """What is known of one day of a monitor.

    ``seconds`` are those up to its last change of status; the rest of the day has the status
    of what follows. ``opening`` is the status with which a day that had a change began,
    None where there was no change. `Status.PENDING` stands for all time of which nothing is
    known: before the first event, and while the monitor is paused.

    ``figures`` are kept as they are stored, because every delivery reads and writes them:
    seconds up, degraded, down, unknown; checks up, degraded, down; incidents opened.
    """

    number: int
    opening: Status | None = None
    figures: list[int] = field(default_factory=lambda: [0] * _WIDTH)

    @property
    def date(self) -> date:
        """The day in the calendar."""
        return date.fromordinal(self.number + _FIRST_DAY)

    @property
    def seconds(self) -> dict[Status, int]:
        """How long it had each status."""
        return {status: self.figures[place] for status, place in _SECONDS.items()}

    @property
    def checks(self) -> dict[Status, int]:
        """How many checks came, by their status."""
        return {status: self.figures[place] for status, place in _CHECKS.items()}

    @property
    def incidents(self) -> int:
        """How many incidents were opened."""
        return self.figures[_INCIDENTS]

    @property
    def elapsed(self) -> int:
        """How many of its seconds are counted: those up to its last change."""
        return sum(self.figures[: len(_SECONDS)])

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened on this day."""
        return self.opening is None and not any(self.figures)

    @property
    def uptime(self) -> float | None:
        """The share of the known time that was not down; None where nothing is known.

        Degraded counts as up. Rounded down, so that 1.0 means never down.
        """
        up, degraded, down = self.figures[:3]
        known = up + degraded + down
        return (up + degraded) * _DIGITS // known / _DIGITS if known else None

    def with_rest(self, status: Status, length: int) -> "Day":
        """The day with all of its ``length`` seconds; those that are left had ``status``."""
        figures = list(self.figures)
        figures[_SECONDS[status]] += max(length - self.elapsed, 0)
        return replace(self, figures=figures)


@dataclass(slots=True)
class Tally:
    """The figures of a monitor's latest day, and those of days that have ended meanwhile."""

    day: Day
    ended: list[Day] = field(default_factory=list)

    def count(self, status: Status, now: datetime, *, incidents: int = 0) -> None:
        """Count a check that came ``now``, with the incidents that it opened."""
        number = day_of(now)
        if number > self.day.number:
            self._turn(number)
        self.day.figures[_CHECKS[status]] += 1
        self.day.figures[_INCIDENTS] += incidents

    def end(self, status: Status, at: datetime) -> None:
        """Count the time since the last change for ``status``, which ended ``at``.

        Time that is counted already stays as it is: an ``at`` in it counts as its end. So
        does one on a day before the latest: a day that is over does not change any more.
        """
        moment = (at - _EPOCH) // _SECOND
        if moment >= (self.day.number + 1) * DAY:
            self._turn(moment // DAY)
        day = self.day
        if day.opening is None:
            day.opening = status
        last = day.number * DAY + day.elapsed
        day.figures[_SECONDS[status]] += max(moment - last, 0)

    def _turn(self, number: int) -> None:
        if not self.day.is_empty:
            self.ended.append(self.day)
        self.day = Day(number)


def complete(known: Mapping[int, Day], status: Status, now: datetime, count: int) -> list[Day]:
    """The last ``count`` days up to ``now``, oldest first, each with all of its seconds.

    ``known`` are the days of which something was written, the latest included, and
    ``status`` is what the monitor has been since its last change.
    """
    # The clock that wrote the latest day may be a moment ahead of the one that reads it.
    last = max([day_of(now), *known])
    elapsed = max((now - _EPOCH) // _SECOND - last * DAY, 0)
    days = []
    for number in range(last, last - count, -1):
        day = known.get(number) or Day(number)
        days.append(day.with_rest(status, elapsed if number == last else DAY))
        status = day.opening or status
    return days[::-1]


def total(days: Sequence[Day]) -> Day:
    """The figures of several days as those of one, which has the number of the first."""
    columns = zip(*(day.figures for day in days), strict=True)
    return Day(days[0].number, figures=[sum(column) for column in columns])
