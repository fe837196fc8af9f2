"""The values that everything else passes around. All are frozen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

HEARTBEAT_KEY = "heartbeat"
"""The correlation key of signals that are about a missing sign of life."""


class Status(StrEnum):
    """What a monitor or a signal is, in order of severity.

    ``PENDING`` belongs to monitors that have seen nothing yet; no event carries it.
    """

    PENDING = "pending"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def severity(self) -> int:
        """0 for pending to 3 for down; comparable."""
        return _SEVERITY[self]


_SEVERITY = {status: rank for rank, status in enumerate(Status)}

OBSERVABLE = (Status.UP, Status.DEGRADED, Status.DOWN)
"""The statuses an event can carry."""


class Outcome(StrEnum):
    """What became of a delivery."""

    RECORDED = "recorded"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"
    LATE = "late"
    HANDSHAKE = "handshake"
    REJECTED = "rejected"
    MALFORMED = "malformed"
    LIMITED = "limited"
    FAILED = "failed"


class Change(StrEnum):
    """How an event moved the incident of its signal."""

    OPENED = "opened"
    WORSENED = "worsened"
    EASED = "eased"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request to a webhook URL, as it arrived.

    Header names are lower case. ``received_at`` is aware and UTC. ``url`` is the public
    address that the sender called, query string included. ``fetched`` is what the proof
    of origin refers to (certificates, key sets), by address; no sender can put it there.
    """

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    url: str = ""
    remote_address: str = ""
    fetched: Mapping[str, bytes] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The header of this name in any case, or None."""
        return self.headers.get(name.lower())


@dataclass(frozen=True, slots=True)
class Event:
    """One observation taken out of a delivery, or made by a deadline that passed.

    Events of one key are totally ordered by ``position``, so that any order of arrival
    leads to the same signal.
    """

    status: Status
    occurred_at: datetime
    key: str = ""
    message: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_id: str | None = None
    resolve_after: timedelta | None = None
    rule: str = ""

    @property
    def position(self) -> tuple[datetime, int, str]:
        """Where the event stands among those of its key: time, then severity, then id.

        At the same instant the worse status wins: a failure is never hidden by a success
        that bears the same second.
        """
        return self.occurred_at, self.status.severity, self.event_id or ""


@dataclass(frozen=True, slots=True)
class Signal:
    """The current state of one (monitor, key): what its newest event says.

    ``since`` is when the present status began, ``resolve_at`` when it ends by itself.
    """

    status: Status
    since: datetime
    occurred_at: datetime
    event_id: str | None = None
    resolve_at: datetime | None = None

    @property
    def position(self) -> tuple[datetime, int, str]:
        """The position of the event that made this state; see `Event.position`."""
        return self.occurred_at, self.status.severity, self.event_id or ""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of one signal that concerns its incident, and when it happened."""

    change: Change
    before: Status
    after: Status
    at: datetime


def roll_up(statuses: Iterable[Status]) -> Status:
    """The status of a monitor: the worst of its signals, pending if it has none."""
    return max(statuses, key=lambda status: status.severity, default=Status.PENDING)
