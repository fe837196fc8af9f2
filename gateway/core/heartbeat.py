"""Signs of life: when the next one is due, and the events that deadlines make."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.core.model import HEARTBEAT_KEY, Event, Status

RULE = "heartbeat"
RESOLVE_RULE = "resolve_after"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How often a monitor wants a sign of life, and how long a late one is forgiven."""

    interval: timedelta
    grace: timedelta

    def deadline(self, last_sign: datetime) -> datetime:
        """When the monitor goes down if nothing is heard after ``last_sign``."""
        return last_sign + self.interval + self.grace


def sign_of_life(at: datetime) -> Event:
    """The event that a heartbeat is."""
    return Event(Status.UP, at, key=HEARTBEAT_KEY, message="heartbeat received", rule=RULE)


def missed(deadline: datetime) -> Event:
    """The event that a passed deadline is. It happened at the deadline, not when noticed."""
    return Event(
        Status.DOWN, deadline, key=HEARTBEAT_KEY, message="no heartbeat by the deadline", rule=RULE
    )


def switched_off(at: datetime) -> Event:
    """The end of a heartbeat that is not expected any more."""
    return Event(
        Status.UP, at, key=HEARTBEAT_KEY, message="heartbeats are not expected any more", rule=RULE
    )


def expired(key: str, resolve_at: datetime) -> Event:
    """The recovery that a rule's ``resolve_after`` promised for senders that never send one."""
    return Event(
        Status.UP, resolve_at, key=key, message="resolved after the set time", rule=RESOLVE_RULE
    )
