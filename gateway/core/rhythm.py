"""When the next sign of life is due: at an interval, or by a cron schedule."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from gateway.core.blindness import Blindness

_A_MOMENT = 0.01  # of the interval: a call is lost in it once in a hundred times
_FIELDS = 5
_LONGEST = 200
_ALPHABET = re.compile(r"[0-9A-Za-z*/,\-# ]+")
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


class ScheduleError(ValueError):
    """A cron expression that cannot be read, or that never comes true."""


@dataclass(frozen=True, slots=True)
class Every:
    """At least one sign of life in each ``interval``."""

    interval: timedelta

    def due(self, since: datetime) -> datetime:
        """When the next sign is due after one at ``since``."""
        return since + self.interval

    def forgive(self, due: datetime, since: datetime, blind: Blindness) -> datetime:
        """When it is due, not before, if nobody looked during ``blind``, which is over by ``due``.

        A sender that calls more often than it must may have called and not been heard, and
        has an ``interval`` for its next sign. But only one such interval is given, and none
        for a moment: else a gateway that restarts daily would never miss a weekly sign.
        """
        length = blind.end - max(blind.start, since)
        shifted = due + length
        if length < self.interval * _A_MOMENT:
            return shifted
        return max(shifted, min(blind.end + self.interval, since + 2 * self.interval))


@dataclass(frozen=True, slots=True)
class Cron:
    """A sign of life at each time of a cron schedule, by the clock of a time zone.

    At clock changes as in Debian: a job of a fixed time that is skipped runs right after
    the gap, one whose time comes twice runs the first time; jobs with ``*`` in the minute
    or hour run by real time. https://manpages.debian.org/stable/cron/cron.8.en.html
    """

    expression: str
    zone: tzinfo

    def due(self, since: datetime) -> datetime:
        """The first time of the schedule after ``since``."""
        times = CronSim(self.expression, since.astimezone(self.zone))
        found = next(times).astimezone(UTC)
        # In the hour that comes twice, its first answer can be the one before ``since``.
        while found <= since:
            found = next(times).astimezone(UTC)
        return found

    def forgive(self, due: datetime, since: datetime, blind: Blindness) -> datetime:  # noqa: ARG002
        """When it is due if nobody looked before: no sooner or later."""
        return due


Rhythm = Every | Cron


def check_cron(expression: str) -> None:
    """Raise `ScheduleError` unless ``expression`` has five fields and comes true some day."""
    if len(expression) > _LONGEST:
        raise ScheduleError(f"is longer than {_LONGEST} characters")
    if not _ALPHABET.fullmatch(expression) or len(expression.split()) != _FIELDS:
        raise ScheduleError("should be five fields: minute, hour, day of month, month, day of week")
    try:
        next(CronSim(expression, _ANY_TIME))
    except StopIteration:
        raise ScheduleError("names a day that never comes") from None
    except CronSimError as error:
        raise ScheduleError(f"cannot be read: {str(error).lower()}") from None
