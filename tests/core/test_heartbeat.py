"""Deadlines, and the events that time makes."""

from datetime import UTC, datetime, timedelta

from gateway.core.heartbeat import Heartbeat, expired, missed, sign_of_life, switched_off
from gateway.core.model import HEARTBEAT_KEY, Status

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)


def test_the_deadline_is_the_last_sign_plus_interval_plus_grace() -> None:
    heartbeat = Heartbeat(interval=timedelta(minutes=5), grace=timedelta(seconds=60))

    assert heartbeat.deadline(NOON) == datetime(2026, 1, 20, 12, 6, tzinfo=UTC)


def test_a_missed_heartbeat_happened_at_the_deadline() -> None:
    event = missed(NOON)

    assert (event.status, event.occurred_at, event.key) == (Status.DOWN, NOON, HEARTBEAT_KEY)


def test_a_sign_of_life_is_an_up_with_the_heartbeat_key() -> None:
    event = sign_of_life(NOON)

    assert (event.status, event.occurred_at, event.key) == (Status.UP, NOON, HEARTBEAT_KEY)


def test_a_heartbeat_that_is_switched_off_is_up() -> None:
    event = switched_off(NOON)

    assert (event.status, event.occurred_at, event.key) == (Status.UP, NOON, HEARTBEAT_KEY)


def test_a_signal_that_expires_recovers_when_it_was_promised() -> None:
    event = expired("disk", NOON)

    assert (event.status, event.occurred_at, event.key) == (Status.UP, NOON, "disk")
