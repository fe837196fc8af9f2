"""When people are told: who hears of a transition, and when what failed is tried again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from gateway.core.model import Change, Status

MINIMUMS = (Status.DEGRADED, Status.DOWN)
"""What a channel can name as the least that it wants to hear of."""

BREAKER_AFTER = 5
"""How many failures in a row make a channel pause."""

_FIRST_RETRY = timedelta(seconds=5)
_LONGEST_RETRY = timedelta(hours=6)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(minutes=30)
_LONGEST_WAIT = timedelta(days=1)
_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """A transition of an incident, as it was just recorded as an incident event.

    ``noticed_at`` is when the gateway got to know of it.
    """

    event_id: str
    incident_id: str
    monitor_id: str
    change: Change
    after: Status
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """What a monitor is to those who choose what they hear of."""

    team_id: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Listener:
    """What a channel wants to hear of: some monitors (None: all), and those with some tags."""

    channel_id: str
    team_id: str
    minimum: Status
    monitor_ids: frozenset[str] | None
    tags: frozenset[str]

    def watches(self, monitor_id: str, subject: Subject) -> bool:
        """Whether the channel is for this monitor."""
        if subject.team_id != self.team_id:
            return False
        if self.monitor_ids is None or monitor_id in self.monitor_ids:
            return True
        return not self.tags.isdisjoint(subject.tags)


@dataclass(frozen=True, slots=True)
class Planned:
    """An alert to be: one step for one channel, ``sequence`` within the incident."""

    step: Step
    channel_id: str
    team_id: str
    sequence: int


def plan_alerts(
    steps: Iterable[Step],
    subjects: Mapping[str, Subject],
    listeners: Sequence[Listener],
    told: Mapping[tuple[str, str], int],
) -> Iterator[Planned]:
    """The alerts of these steps, in their order.

    A channel first hears of an incident when that reaches the channel's minimum; from then
    on it hears everything, so that nobody is left with half a story. ``told`` holds the
    last sequence by (incident, channel) for those that have heard something. Monitors that
    are not among ``subjects`` have no alerts.
    """
    last = dict(told)
    for step in steps:
        subject = subjects.get(step.monitor_id)
        if subject is None:
            continue
        for listener in listeners:
            place = (step.incident_id, listener.channel_id)
            begins = step.after.severity >= listener.minimum.severity
            if place in last or (begins and listener.watches(step.monitor_id, subject)):
                last[place] = last.get(place, 0) + 1
                yield Planned(step, listener.channel_id, listener.team_id, last[place])


def retry_delay(attempts: int, luck: float) -> timedelta:
    """How long to wait after so many failed attempts: 5 s, 15 s, 45 s ... 6 h, each ±20%.

    ``luck`` is from 0 to 1. Twelve attempts take about a day.
    """
    steps = min(attempts - 1, 20)
    return _spread(min(_FIRST_RETRY * 3**steps, _LONGEST_RETRY), luck)


def pause_of(failures: int, luck: float) -> timedelta:
    """How long a channel rests after so many failures in a row: from 1 to 30 minutes, ±20%."""
    if failures < BREAKER_AFTER:
        return timedelta(0)
    steps = min(failures - BREAKER_AFTER, 20)
    return _spread(min(_FIRST_PAUSE * 2**steps, _LONGEST_PAUSE), luck)


def _spread(delay: timedelta, luck: float) -> timedelta:
    return delay * (1 - _SPREAD + 2 * _SPREAD * luck)


def reminder_after(distances: Sequence[timedelta], number: int) -> timedelta | None:
    """How long after the alert before it reminder ``number`` (from 1) comes.

    The last distance repeats. None without distances.
    """
    if not distances:
        return None
    return distances[min(number, len(distances)) - 1]


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that a ``Retry-After`` header asks for, of a day at most; None without one.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        seconds = min(int(text[:9]), int(_LONGEST_WAIT.total_seconds()))
        return timedelta(seconds=seconds)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max(moment - now, timedelta(0)), _LONGEST_WAIT)
