from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.times import format_time, parse_time

HALF_PAST_TEN = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-20T10:30:00Z",
        "2026-01-20t10:30:00z",
        "2026-01-20T10:30:00+00:00",
        "2026-01-20T10:30:00+0000",
        "2026-01-20T07:30:00-03:00",
        "2026-01-20T10:30:00.0Z",
        "2026-01-20T10:30:00.000000000Z",
        "2026-01-20T10:30:00",
        "2026-01-20 10:30:00",
        "2026-01-20 10:30:00 UTC",
        "2026-01-20 10:30:00 GMT",
        "2026-01-20 10:30:00 +0000",
        "2026-01-20 11:30:00 +01:00",
        " 2026-01-20T10:30Z\n",
        1768905000,
        1768905000.0,
        1768905000000,
        "1768905000",
        "1768905000.000",
        "1768905000000",
    ],
)
def test_the_variants_of_one_time(value: Any) -> None:
    assert parse_time(value) == HALF_PAST_TEN


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [],
        {},
        "",
        "soon",
        "2026-13-01T00:00:00Z",
        "2026-01-20T10:30:00 PST",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+09:00",
        "1999-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
        "9999-12-31T23:59:59-09:00",
        0,
        -1,
        "0",
        10**30,
        float("nan"),
        float("inf"),
        "9" * 20,
        "1" * 65,
    ],
)
def test_what_is_no_time(value: Any) -> None:
    assert parse_time(value) is None


def test_fractions_are_kept() -> None:
    tenth = timedelta(milliseconds=100)

    assert parse_time("2026-01-20T10:30:00.1234567Z") == HALF_PAST_TEN + timedelta(
        microseconds=123456
    )
    assert parse_time(1768905000.1) == HALF_PAST_TEN + tenth
    assert parse_time(1768905000100) == HALF_PAST_TEN + tenth


@given(st.text() | st.integers() | st.floats() | st.datetimes().map(str))
def test_no_value_raises(value: Any) -> None:
    time = parse_time(value)

    assert time is None or (time.tzinfo is UTC and 2000 <= time.year <= 2200)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (HALF_PAST_TEN, "2026-01-20T10:30:00.000Z"),
        (HALF_PAST_TEN + timedelta(microseconds=1999), "2026-01-20T10:30:00.001Z"),
        (
            datetime(2026, 1, 20, 7, 30, tzinfo=timezone(-timedelta(hours=3))),
            "2026-01-20T10:30:00.000Z",
        ),
    ],
)
def test_times_are_written_in_one_form(time: datetime, text: str) -> None:
    assert format_time(time) == text


@given(st.datetimes(datetime(2000, 1, 1), datetime(2200, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  the zone is the strategy's
def test_what_is_written_can_be_read(time: datetime) -> None:
    assert parse_time(format_time(time)) == time.replace(
        microsecond=time.microsecond // 1000 * 1000
    )
