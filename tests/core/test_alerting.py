"""Who hears of a transition, when what failed is tried again, how often people are reminded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.alerting import (
    BREAKER_AFTER,
    Listener,
    Step,
    Subject,
    pause_of,
    plan_alerts,
    read_retry_after,
    reminder_after,
    retry_delay,
)
from gateway.core.model import Change, Status

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
UP, DEGRADED, DOWN = Status.UP, Status.DEGRADED, Status.DOWN
CHANGES = {
    (UP, DEGRADED): Change.OPENED,
    (UP, DOWN): Change.OPENED,
    (DEGRADED, DOWN): Change.WORSENED,
    (DOWN, DEGRADED): Change.EASED,
    (DEGRADED, UP): Change.RESOLVED,
    (DOWN, UP): Change.RESOLVED,
}
SUBJECTS = {"m": Subject("team", frozenset({"shop"}))}


def steps(*statuses: Status, incident: str = "i") -> list[Step]:
    before = [UP, *statuses]
    return [
        Step(f"e{n}", incident, "m", CHANGES[pair], pair[1], NOON)
        for n, pair in enumerate(zip(before, statuses, strict=False))
    ]


def listener(minimum: Status = DEGRADED, **fields: Any) -> Listener:
    values: dict[str, Any] = {"monitor_ids": None, "tags": frozenset(), **fields}
    return Listener("c", values.pop("team_id", "team"), minimum, **values)


@pytest.mark.parametrize(
    ("minimum", "statuses", "heard"),
    [
        (DEGRADED, [DEGRADED, UP], [0, 1]),
        (DEGRADED, [DOWN, DEGRADED, DOWN, UP], [0, 1, 2, 3]),
        (DOWN, [DEGRADED, UP], []),
        (DOWN, [DOWN, UP], [0, 1]),
        (DOWN, [DEGRADED, DOWN, UP], [1, 2]),
        # Told once, told to the end: nobody is left with half a story.
        (DOWN, [DEGRADED, DOWN, DEGRADED, UP], [1, 2, 3]),
    ],
)
def test_what_is_heard(minimum: Status, statuses: list[Status], heard: list[int]) -> None:
    planned = list(plan_alerts(steps(*statuses), SUBJECTS, [listener(minimum)], {}))

    assert [each.step.event_id for each in planned] == [f"e{n}" for n in heard]
    assert [each.sequence for each in planned] == [*range(1, len(heard) + 1)]


def test_what_was_told_before_goes_on() -> None:
    rest = steps(DOWN, DEGRADED, UP)[1:]

    assert list(plan_alerts(rest, SUBJECTS, [listener(DOWN)], {})) == []
    planned = list(plan_alerts(rest, SUBJECTS, [listener(DOWN)], {("i", "c"): 3}))
    assert [each.sequence for each in planned] == [4, 5]


@pytest.mark.parametrize(
    ("fields", "hears"),
    [
        ({}, True),
        ({"monitor_ids": frozenset({"m"})}, True),
        ({"monitor_ids": frozenset({"other"})}, False),
        ({"monitor_ids": frozenset()}, False),
        ({"monitor_ids": frozenset(), "tags": frozenset({"shop"})}, True),
        ({"monitor_ids": frozenset({"other"}), "tags": frozenset({"shop", "x"})}, True),
        ({"monitor_ids": frozenset(), "tags": frozenset({"x"})}, False),
        ({"team_id": "another"}, False),
    ],
)
def test_who_is_told(fields: dict[str, Any], hears: bool) -> None:
    assert bool(list(plan_alerts(steps(DOWN), SUBJECTS, [listener(**fields)], {}))) is hears


def test_a_monitor_without_alerts_is_not_told_of() -> None:
    assert list(plan_alerts(steps(DOWN, UP), {}, [listener()], {("i", "c"): 1})) == []


def test_incidents_are_numbered_apart() -> None:
    mixed = [*steps(DOWN, incident="a"), *steps(DOWN, incident="b"), *steps(DOWN, UP, incident="a")]
    planned = plan_alerts(mixed, SUBJECTS, [listener()], {})

    assert [(each.step.incident_id, each.sequence) for each in planned] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("a", 3),
    ]


class TestDelays:
    def test_they_grow_to_six_hours(self) -> None:
        seconds = [retry_delay(n, 0.5).total_seconds() for n in range(1, 13)]

        assert seconds[:7] == [5, 15, 45, 135, 405, 1215, 3645]
        assert seconds[-3:] == [21600] * 3
        assert 20 < sum(seconds[:-1]) / 3600 < 30

    @given(st.integers(1, 10_000), st.floats(0, 1))
    def test_they_are_spread_by_a_fifth(self, attempts: int, luck: float) -> None:
        middle = retry_delay(attempts, 0.5)

        assert middle * 0.79 <= retry_delay(attempts, luck) <= middle * 1.21
        assert retry_delay(attempts, luck) <= timedelta(hours=7.3)

    def test_pauses(self) -> None:
        minutes = [pause_of(n, 0.5) / timedelta(minutes=1) for n in range(1, 13)]

        assert minutes[: BREAKER_AFTER - 1] == [0] * (BREAKER_AFTER - 1)
        assert minutes[BREAKER_AFTER - 1 :] == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("999999999999999999999", 86400),
        ("Tue, 20 Jan 2026 12:00:30 GMT", 30),
        ("Tue, 20 Jan 2026 12:00:30", 30),
        ("Tue, 20 Jan 2026 11:00:00 GMT", 0),
        ("Tue, 20 Jan 2029 11:00:00 GMT", 86400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661\u0662", None),
    ],
)
def test_retry_after(value: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)

    assert read_retry_after(value, NOON) == expected


@given(st.text())
def test_any_retry_after_is_read_or_not(value: str) -> None:
    wait = read_retry_after(value, NOON)

    assert wait is None or timedelta(0) <= wait <= timedelta(days=1)


def test_reminders_repeat_the_last_distance() -> None:
    distances = [timedelta(minutes=30), timedelta(hours=2)]

    assert [reminder_after(distances, n) for n in (1, 2, 3, 9)] == [
        timedelta(minutes=30),
        *[timedelta(hours=2)] * 3,
    ]
    assert reminder_after([], 1) is None
