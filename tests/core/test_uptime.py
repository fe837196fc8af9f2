"""The figures of days: how time is attributed, and what is made of it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import OBSERVABLE, Status
from gateway.core.uptime import DAY, Day, Tally, complete, day_of, total

MIDNIGHT = datetime(2026, 1, 20, tzinfo=UTC)
TODAY = day_of(MIDNIGHT)
UP, DEGRADED, DOWN, UNKNOWN = Status.UP, Status.DEGRADED, Status.DOWN, Status.PENDING


def at(seconds: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


def known(tally: Tally) -> dict[int, Day]:
    return {day.number: day for day in (*tally.ended, tally.day)}


def seconds(day: Day) -> dict[str, int]:
    return {str(status): count for status, count in day.seconds.items() if count}


def test_days_have_numbers_and_dates() -> None:
    assert day_of(datetime(1970, 1, 1, 23, 59, tzinfo=UTC)) == 0
    assert day_of(at(-1)) == TODAY - 1
    assert Day(TODAY).date == date(2026, 1, 20)


# What happens (second, status that ends then), and the seconds of the day as of its evening.
TIMELINES: list[tuple[str, list[tuple[float, Status]], Status, dict[str, int]]] = [
    ("nothing", [], UP, {"up": DAY}),
    ("one change", [(100, UNKNOWN)], UP, {"pending": 100, "up": DAY - 100}),
    ("down and up", [(100, UP), (160, DOWN)], UP, {"up": DAY - 60, "down": 60}),
    ("fractions", [(99.7, UP), (100.2, DOWN)], UP, {"up": DAY - 1, "down": 1}),
    ("at once", [(100, UP), (100, DOWN)], UP, {"up": DAY}),
    ("backwards", [(100, UP), (40, DOWN)], DEGRADED, {"up": 100, "degraded": DAY - 100}),
    ("from yesterday", [(-50, UP)], DOWN, {"down": DAY}),
    ("at midnight", [(0, UP)], DOWN, {"down": DAY}),
    ("to the last second", [(DAY - 1, UP)], DOWN, {"up": DAY - 1, "down": 1}),
]


@pytest.mark.parametrize(
    ("ends", "status", "expected"),
    [case[1:] for case in TIMELINES],
    ids=[case[0] for case in TIMELINES],
)
def test_time_belongs_to_the_status_that_ends(
    ends: list[tuple[float, Status]], status: Status, expected: dict[str, int]
) -> None:
    tally = Tally(Day(TODAY))
    for second, ended in ends:
        tally.end(ended, at(second))

    [day] = complete(known(tally), status, at(DAY - 0.001), 1)

    expected = Counter(expected)
    expected[status] -= 1  # the last second of the day is not over yet
    assert seconds(day) == +expected


def test_a_day_without_a_change_goes_on_as_it_began() -> None:
    tally = Tally(Day(TODAY))
    tally.end(UP, at(100))
    tally.count(DOWN, at(3 * DAY + 5))
    tally.end(DOWN, at(5 * DAY + 10))

    days = complete(known(tally), UP, at(6 * DAY + 30), 8)

    assert [seconds(day) for day in days] == [
        {"up": DAY},
        {"up": 100, "down": DAY - 100},
        *[{"down": DAY}] * 4,
        {"down": 10, "up": DAY - 10},
        {"up": 30},
    ]
    assert [day.checks[DOWN] for day in days] == [0, 0, 0, 0, 1, 0, 0, 0]
    assert [day.number - TODAY for day in days] == list(range(-1, 7))


def test_news_of_yesterday_counts_where_it_belongs_unless_today_has_begun() -> None:
    early, late = Tally(Day(TODAY)), Tally(Day(TODAY))
    late.count(UP, at(DAY + 20))
    for tally in (early, late):
        tally.end(UP, at(DAY - 60))

    assert [seconds(day) for day in complete(known(early), DOWN, at(DAY + 30), 2)] == [
        {"up": DAY - 60, "down": 60},
        {"down": 30},
    ]
    # A day that is over does not change any more.
    assert [seconds(day) for day in complete(known(late), DOWN, at(DAY + 30), 2)] == [
        {"up": DAY},
        {"down": 30},
    ]


def test_checks_and_incidents_are_counted_on_the_day_they_come() -> None:
    tally = Tally(Day(0))
    tally.count(DOWN, at(10), incidents=1)
    tally.count(UP, at(20))
    tally.count(DEGRADED, at(DAY), incidents=1)
    tally.count(DEGRADED, at(DAY - 1))  # from a clock that is a little behind

    assert [day.number for day in tally.ended] == [TODAY]
    assert (tally.ended[0].checks, tally.ended[0].incidents) == ({UP: 1, DEGRADED: 0, DOWN: 1}, 1)
    assert (tally.day.number, tally.day.checks[DEGRADED], tally.day.incidents) == (TODAY + 1, 2, 1)


def test_a_clock_that_reads_behind_the_one_that_wrote() -> None:
    tally = Tally(Day(TODAY))
    tally.end(UP, at(DAY))

    days = complete(known(tally), DOWN, at(DAY - 0.5), 2)

    assert [(day.number - TODAY, seconds(day)) for day in days] == [(0, {"up": DAY}), (1, {})]
    assert seconds(complete({}, UP, at(-0.5), 1)[0]) == {"up": DAY - 1}


@pytest.mark.parametrize(
    ("spent", "uptime"),
    [
        ({}, None),
        ({UNKNOWN: 500}, None),
        ({UP: 10}, 1.0),
        ({DEGRADED: 10}, 1.0),
        ({DOWN: 10, UNKNOWN: 90}, 0.0),
        ({UP: 50, DEGRADED: 25, DOWN: 25}, 0.75),
        ({UP: 2, DOWN: 1}, 0.666666),
        ({UP: 10**9, DOWN: 1}, 0.999999),
    ],
)
def test_uptime_is_the_known_time_that_was_not_down(
    spent: dict[Status, int], uptime: float | None
) -> None:
    day = Day(TODAY, None, [spent.get(each, 0) for each in (UP, DEGRADED, DOWN, UNKNOWN)] + [0] * 4)

    assert day.uptime == uptime


def test_a_total_adds_everything_and_leaves_the_days_alone() -> None:
    days = [Day(TODAY + number, UP, [number] * 8) for number in (1, 2, 3)]

    whole = total(days)

    assert (whole.number, whole.opening) == (TODAY + 1, None)
    assert {*whole.seconds.values(), *whole.checks.values(), whole.incidents} == {6}
    assert [day.figures for day in days] == [[1] * 8, [2] * 8, [3] * 8]


class Naive:
    """The same by keeping every second's owner as a list of spans."""

    def __init__(self) -> None:
        self.status = UNKNOWN
        self.spans: list[tuple[int, int, Status]] = []
        self.mark = -400 * DAY
        self.counts: Counter[tuple[int, Status]] = Counter()
        self.latest = -400

    def count(self, status: Status, second: int) -> None:
        self.latest = max(self.latest, second // DAY)
        self.counts[self.latest, status] += 1
        self.mark_if_later(self.latest * DAY)

    def mark_if_later(self, moment: int) -> None:
        if moment > self.mark:
            self.spans.append((self.mark, moment, self.status))
            self.mark = moment

    def change(self, status: Status, second: int) -> None:
        self.mark_if_later(second)
        self.latest = max(self.latest, self.mark // DAY)
        self.status = status

    def day(self, number: int, now: int) -> dict[str, int]:
        found: Counter[str] = Counter()
        for start, end, status in [*self.spans, (self.mark, now, self.status)]:
            inside = min(end, (number + 1) * DAY, now) - max(start, number * DAY)
            found[str(status)] += max(inside, 0)
        return dict(+found)


STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 300), st.integers(0, 4 * DAY)),  # how much later
        st.one_of(st.just(0), st.integers(0, 2 * DAY)),  # how late it is heard of
        st.sampled_from(Status),
        st.booleans(),  # whether a check comes without a change
    ),
    max_size=30,
)


@given(STEPS, st.integers(0, 3 * DAY))
def test_figures_are_those_of_the_spans(
    steps: list[tuple[int, int, Status, bool]], rest: int
) -> None:
    tally, naive, now = Tally(Day(0)), Naive(), 0
    for later, late, status, only_a_check in steps:
        now += later
        if status is UNKNOWN or not only_a_check:
            tally.end(naive.status, at(now - late))
            naive.change(status, now - late)
        if status is not UNKNOWN:
            tally.count(status, at(now))
            naive.count(status, now)
    now += rest

    days = complete(known(tally), naive.status, at(now), 100)

    first = now // DAY - 99
    assert [seconds(day) for day in days] == [
        naive.day(first + number, now) for number in range(100)
    ]
    assert [sum(day.seconds.values()) for day in days] == [*[DAY] * 99, now % DAY]
    assert sum(total(days).seconds.values()) == now - first * DAY
    assert counted(days) == {k: n for k, n in naive.counts.items() if k[0] >= first}


def counted(days: list[Day]) -> dict[Any, int]:
    return {
        (day.number - TODAY, status): day.checks[status]
        for day in days
        for status in OBSERVABLE
        if day.checks[status]
    }
