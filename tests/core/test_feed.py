"""Feeds that fall silent: by hand, and as learned from their own gaps."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.blindness import Blindness
from gateway.core.feed import AUTO, Feed

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def told(stale_after: int, *hours: float) -> Feed:
    feed = Feed(stale_after)
    for each in hours:
        feed = feed.heard(START + each * HOUR)
    return feed


def test_a_feed_that_never_talked_is_not_silent() -> None:
    assert Feed(60).stale_at() is None
    assert Feed(AUTO).stale_at() is None


def test_by_hand() -> None:
    assert told(3600, 0, 5).stale_at() == START + 6 * HOUR


def test_nothing_is_said_while_it_is_learned() -> None:
    assert told(AUTO, *range(7 * 24)).stale_at() is None
    assert told(AUTO, *range(7 * 24 + 1)).stale_at() is not None


@pytest.mark.parametrize(
    ("name", "hours", "threshold"),
    [
        ("each hour", list(range(24 * 14)), 2),
        ("each minute", [n / 60 for n in range(60 * 24 * 8)], 1),
        ("each day at nine", [9 + 24 * n for n in range(14)], 48),
        # Friday 17:00 to Monday 9:00 is 64 hours; the week after it counts a little less.
        ("office hours", [24 * d + h for d in range(28) for h in range(9, 18) if d % 7 < 5], 103),
    ],
)
def test_the_longest_usual_silence_counts_twice(
    name: str, hours: list[float], threshold: float
) -> None:
    assert name
    found = told(AUTO, *hours).threshold

    assert found is not None
    assert found / HOUR == pytest.approx(threshold, abs=1)


def test_office_hours_survive_a_weekend() -> None:
    feed = Feed(AUTO)
    for day in range(70):
        for hour in range(9, 18):
            now = START + day * DAY + hour * HOUR
            if day % 7 < 5:
                due = feed.stale_at()
                assert due is None or due > now
                feed = feed.heard(now)


def test_a_long_outage_is_forgotten() -> None:
    feed = told(AUTO, *range(24 * 8), *range(24 * 20, 24 * 80))

    assert feed.threshold is not None
    assert feed.threshold < 4 * HOUR


def test_an_older_delivery_changes_nothing() -> None:
    feed = told(3600, 5)

    assert feed.heard(START) == feed
    assert feed.heard(START + 5 * HOUR) == feed


def test_the_gateways_own_silence_is_not_the_feeds() -> None:
    feed = told(3600, 0)
    gap = Blindness(START + HOUR / 4, START + HOUR / 2)

    assert feed.stale_at([gap]) == START + 1.5 * HOUR
