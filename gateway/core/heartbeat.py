"""Signs of life: when the next one is due, and the events that deadlines make."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.core.blindness import Blindness
from gateway.core.model import HEARTBEAT_KEY, Event, Status
from gateway.core.rhythm import Rhythm

RULE = "heartbeat"
RESOLVE_RULE = "resolve_after"
_LAST_EXIT_CODE = 255
_EXIT_CODE = re.compile(r"[0-9]{1,3}")
_RUN = re.compile(r"[0-9A-Za-z._:\-]{0,64}")


class Beat(StrEnum):
    """What kind of sign a sender gives on its heartbeat address."""

    ALIVE = "alive"
    START = "start"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Word:
    """All that a heartbeat says. ``run`` is the sender's own name for one run of its job."""

    beat: Beat = Beat.ALIVE
    run: str = ""
    exit_code: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a sign of life and nothing else."""
        return self.beat is Beat.ALIVE and not self.run and self.exit_code is None


ALIVE = Word()


def word_of(said: str, run: str) -> Word | None:
    """What stands behind a heartbeat's address: nothing, a word, or an exit code up to 255."""
    if said in {"", Beat.START, Beat.FAIL}:
        return Word(Beat(said or Beat.ALIVE), run)
    if not _EXIT_CODE.fullmatch(said) or int(said) > _LAST_EXIT_CODE:
        return None
    code = int(said)
    return Word(Beat.FAIL if code else Beat.ALIVE, run, code)


def is_run(name: str) -> bool:
    """Whether a run may be called so: up to 64 letters, digits and ``._:-``, as in a UUID."""
    return _RUN.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Expectation:
    """When a monitor wants signs of life, and how long a missing one is forgiven.

    Both allowances count from when a sign is due: after ``late_after`` the monitor is
    degraded, after ``grace`` it is down. Without ``late_after`` it is never degraded.
    """

    rhythm: Rhythm
    grace: timedelta
    late_after: timedelta | None = None

    def deadline(self, since: datetime) -> datetime:
        """When something happens if nothing is heard after ``since``."""
        allowance = self.grace if self.late_after is None else self.late_after
        return self.rhythm.due(since) + allowance

    def silence(self, since: datetime, blind: Sequence[Blindness] = ()) -> Iterator[Event]:
        """What happens, in order, if nothing is heard after ``since``.

        ``blind``, in the order of time, are the intervals in which nothing could be heard.
        """
        if self.late_after is not None:
            yield late(passes(self.rhythm, since, self.late_after, blind))
        yield missed(passes(self.rhythm, since, self.grace, blind))


def passes(
    rhythm: Rhythm, since: datetime, allowance: timedelta, blind: Sequence[Blindness]
) -> datetime:
    """When ``allowance`` has passed since a sign was due, seen by whoever was not blind.

    A sign that was due before sight came back may have been sent and lost: then the wait
    begins anew. So no outage makes a living sender red, and a dead one is found as long
    after the outage as after its last sign.
    """
    due = rhythm.due(since)
    for each in blind:
        if not each.meets(since, due + allowance):
            continue
        if due < each.end:
            since = each.end
            due = rhythm.due(since)
        else:
            due = rhythm.forgive(due, since, each)
    return due + allowance


@dataclass(frozen=True, slots=True)
class Silence:
    """The events that have happened by now, and when the next one will."""

    events: tuple[Event, ...]
    next_at: datetime | None


def silence_until(
    expectation: Expectation,
    since: datetime,
    horizon: datetime,
    *,
    status: Status = Status.PENDING,
    told: datetime | None = None,
    blind: Sequence[Blindness] = (),
) -> Silence:
    """What the silence from ``since`` to ``horizon`` has led to.

    ``status`` is that of the heartbeat signal, which silence never eases: a job that failed
    and is late is still down. ``told`` is the time of its newest event: what happened up
    to then is known. No event is dated later than ``horizon``.
    """
    events: list[Event] = []
    for event in expectation.silence(since, blind):
        if told is not None and event.occurred_at <= told:
            continue
        if event.status.severity < status.severity:
            continue
        if event.occurred_at > horizon:
            return Silence(tuple(events), event.occurred_at)
        events.append(event)
    return Silence(tuple(events), None)


def sign_of_life(at: datetime) -> Event:
    """The event that a heartbeat is."""
    return _event(Status.UP, at, "heartbeat received")


def late(at: datetime) -> Event:
    """The event that a sign of life is overdue, and may still come."""
    return _event(Status.DEGRADED, at, "the heartbeat is late")


def missed(deadline: datetime) -> Event:
    """The event that a passed deadline is. It happened at the deadline, not when noticed."""
    return _event(Status.DOWN, deadline, "no heartbeat by the deadline")


def failed(at: datetime, exit_code: int | None) -> Event:
    """The event of a job that says itself that it went wrong."""
    how = "the job failed" if exit_code is None else f"the job ended with exit code {exit_code}"
    return _event(Status.DOWN, at, how)


def overran(deadline: datetime) -> Event:
    """The event of a job that began and did not end in its time."""
    return _event(Status.DOWN, deadline, "the job did not end in its time")


def switched_off(at: datetime) -> Event:
    """The end of a heartbeat that is not expected any more."""
    return _event(Status.UP, at, "heartbeats are not expected any more")


def expired(key: str, resolve_at: datetime) -> Event:
    """The recovery that a rule's ``resolve_after`` promised for senders that never send one."""
    return Event(
        Status.UP, resolve_at, key=key, message="resolved after the set time", rule=RESOLVE_RULE
    )


def _event(status: Status, at: datetime, message: str) -> Event:
    return Event(status, at, key=HEARTBEAT_KEY, message=message, rule=RULE)
