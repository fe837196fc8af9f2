"""Decides what an event does to its signal. The heart of the gateway, and pure."""

from dataclasses import dataclass
from datetime import datetime

from gateway.core.model import Change, Event, Signal, Status, Transition


@dataclass(frozen=True, slots=True)
class Decision:
    """The signal after an event, and what that means for the incident.

    ``late`` is true when a newer event was already known; the signal is then unchanged.
    """

    signal: Signal
    transition: Transition | None = None
    late: bool = False


def decide(signal: Signal | None, event: Event) -> Decision:
    """Fold one event into the signal of its key.

    The signal always follows the newest event by `Event.position`, so any order of
    arrival, with any repetition, ends in the same status.
    """
    if signal is not None and event.position <= signal.position:
        return Decision(signal, late=True)
    before = signal.status if signal is not None else Status.PENDING
    since = event.occurred_at
    if signal is not None and before is event.status:
        since = signal.since
    after = Signal(
        status=event.status,
        since=since,
        occurred_at=event.occurred_at,
        event_id=event.event_id,
        resolve_at=_resolve_at(event),
    )
    return Decision(after, _transition(before, event))


def _resolve_at(event: Event) -> datetime | None:
    if event.resolve_after is None or event.status is Status.UP:
        return None
    return event.occurred_at + event.resolve_after


def _transition(before: Status, event: Event) -> Transition | None:
    change = _change(before, event.status)
    if change is None:
        return None
    return Transition(change, before, event.status, event.occurred_at)


def _change(before: Status, after: Status) -> Change | None:
    well = before.severity <= Status.UP.severity
    if after is Status.UP:
        return None if well else Change.RESOLVED
    if well:
        return Change.OPENED
    if after is before:
        return None
    return Change.WORSENED if after.severity > before.severity else Change.EASED
