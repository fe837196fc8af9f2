"""When signs are due, also where clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.blindness import Blindness, blindness
from gateway.core.rhythm import Cron, Every, ScheduleError, check_cron

HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every() -> None:
    assert Every(HOUR).due(utc("2026-01-20T12:00")) == utc("2026-01-20T13:00")


# Expression, zone, last sign (UTC), when the next one is due (UTC).
CRON = [
    ("0 3 * * *", "UTC", "2026-01-20T03:00:00", "2026-01-21T03:00"),
    ("0 3 * * *", "UTC", "2026-01-20T02:59:59", "2026-01-20T03:00"),
    ("0 3 * * *", "America/Sao_Paulo", "2026-01-20T05:59:59", "2026-01-20T06:00"),
    ("*/15 9-17 * * mon-fri", "America/Sao_Paulo", "2026-01-23T20:46", "2026-01-26T12:00"),
    ("0 0 1 * *", "Asia/Kolkata", "2026-01-31T18:30", "2026-02-28T18:30"),
    ("0 0 L * *", "UTC", "2026-02-01T00:00", "2026-02-28T00:00"),
    ("0 0 29 2 *", "UTC", "2026-02-01T00:00", "2028-02-29T00:00"),
    # Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T01:30", "2026-03-29T01:00"),
    ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00", "2026-03-30T00:30"),
    ("0 3 * * *", "Europe/Berlin", "2026-03-28T02:00", "2026-03-29T01:00"),
    ("0 4 * * *", "Europe/Berlin", "2026-03-28T03:00", "2026-03-29T02:00"),
    ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
    ("0 * * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:00"),
    ("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T02:00"),
    # Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T00:30", "2026-10-25T00:30"),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", "2026-10-26T01:30"),
    ("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T01:00"),
    ("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:00", "2026-10-25T01:30"),
    ("0 * * * *", "Europe/Berlin", "2026-10-25T00:00", "2026-10-25T01:00"),
    ("0 * * * *", "Europe/Berlin", "2026-10-25T01:00", "2026-10-25T02:00"),
    # New York, and half an hour on Lord Howe Island, where 02:00 becomes 02:30.
    ("30 2 * * *", "America/New_York", "2026-03-07T07:30", "2026-03-08T07:00"),
    ("30 1 * * *", "America/New_York", "2026-11-01T05:30", "2026-11-02T06:30"),
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T15:45", "2026-10-03T15:30"),
    # Midnight does not exist: Beirut, 29 March 2026, 00:00 becomes 01:00.
    ("0 0 * * *", "Asia/Beirut", "2026-03-27T22:00", "2026-03-28T22:00"),
]


@pytest.mark.parametrize(("expression", "zone", "since", "due"), CRON)
def test_cron(expression: str, zone: str, since: str, due: str) -> None:
    found = Cron(expression, ZoneInfo(zone)).due(utc(since))

    assert found == utc(due)
    assert found.tzinfo is UTC


ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut"]
EXPRESSIONS = ["30 2 * * *", "*/20 * * * *", "0 */6 * * *", "15,45 1-3 * * *", "0 0 1 * mon"]


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
    st.sampled_from(EXPRESSIONS),
)
def test_what_is_due_lies_ahead(since: datetime, zone: str, expression: str) -> None:
    cron = Cron(expression, ZoneInfo(zone))
    times = [since]
    for _ in range(4):
        times.append(cron.due(times[-1]))

    assert all(earlier < later for earlier, later in pairwise(times))


@pytest.mark.parametrize(
    ("rhythm", "gap", "due"),
    [
        (Cron("0 12 * * *", UTC), ("11:30", "11:40"), "12:00"),
        (Every(HOUR), ("11:30", "11:40"), "12:40"),
        (Every(HOUR), ("10:30", "11:10"), "12:10"),
        (Every(HOUR), ("11:30", "11:30:30"), "12:00:30"),
        (Every(3 * HOUR), ("11:50", "12:00"), "15:00"),
    ],
)
def test_what_is_forgiven(rhythm: Every | Cron, gap: tuple[str, str], due: str) -> None:
    start, end = (utc(f"2026-01-20T{each}") for each in gap)
    since = utc("2026-01-20T11:00")

    found = rhythm.forgive(rhythm.due(since), since, Blindness(start, end))

    assert found == utc(f"2026-01-20T{due}")


@pytest.mark.parametrize(
    "expression", ["* * * * *", "0 3 * * mon-fri", "*/5 0-6,22 1,15 jan,JUL *", "0 0 * * 5#2"]
)
def test_schedules_that_can_be_read(expression: str) -> None:
    check_cron(expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("* * * * ?", "five fields"),
        ("0 ३ * * *", "five fields"),
        ("60 * * * *", "bad minute"),
        ("* 24 * * *", "bad hour"),
        ("* * 0 * *", "bad day-of-month"),
        ("* * * 13 *", "bad month"),
        ("* * * * 8", "bad day-of-week"),
        ("5-1 * * * *", "bad minute"),
        ("*/0 * * * *", "bad minute"),
        ("* * * * mon#1/2", "bad day-of-week"),
        ("* * * * 5L/2", "bad day-of-week"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 */8 * mon#5", "never comes"),
        ("0 0 * 2 mon#5/1,x", "bad day-of-week"),
        (f"{'1,' * 100}1 * * * *", "longer than 200"),
    ],
)
def test_schedules_that_cannot(expression: str, problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        check_cron(expression)


@given(st.text("0123456789*/,-# LWlwmonfebtue", max_size=40))
def test_no_schedule_raises_anything_else(expression: str) -> None:
    try:
        check_cron(expression)
    except ScheduleError:
        return
    cron = Cron(expression, ZoneInfo("Europe/Berlin"))
    assert cron.due(utc("2026-10-25T00:30")) > utc("2026-10-25T00:30")


@pytest.mark.parametrize(
    ("seconds", "gap"), [(None, None), (0, None), (5, None), (5.001, 5.001), (-30, None)]
)
def test_a_gap_is_longer_than_patience(seconds: float | None, gap: float | None) -> None:
    now = utc("2026-01-20T12:00")
    mark = None if seconds is None else now - timedelta(seconds=seconds)

    found = blindness(mark, now, timedelta(seconds=5))

    assert (found.length if found else None) == (timedelta(seconds=gap) if gap else None)
