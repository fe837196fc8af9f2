"""Buckets: many rate limits in bounded memory."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.admission import Buckets
from gateway.core.errors import RateLimited
from gateway.core.ratelimit import Limit

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
LIMIT = Limit(2, timedelta(minutes=1), burst=2)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def refusals(buckets: Buckets, *asks: tuple[str, float]) -> list[float | None]:
    """For each ask by a name at a second: how long to wait, or None if it may pass."""
    told: list[float | None] = []
    for name, seconds in asks:
        try:
            buckets.take(name, after(seconds))
        except RateLimited as error:
            told.append(error.retry_after)
        else:
            told.append(None)
    return told


@pytest.mark.parametrize(
    ("asks", "told"),
    [
        ([("a", 0), ("a", 0), ("a", 0)], [None, None, 30]),
        ([("a", 0), ("a", 0), ("b", 0)], [None, None, None]),
        ([("a", 0), ("a", 0), ("a", 20), ("a", 30)], [None, None, 10, None]),
        ([("a", 0), ("a", 0), ("a", 0), ("a", 0)], [None, None, 30, 30]),
    ],
)
def test_each_name_has_a_limit_of_its_own(
    asks: list[tuple[str, float]], told: list[float | None]
) -> None:
    assert refusals(Buckets(LIMIT), *asks) == told


def test_checking_counts_nothing() -> None:
    buckets = Buckets(LIMIT)
    for _ in range(5):
        buckets.check("a", NOON)
    assert refusals(buckets, ("a", 0), ("a", 0)) == [None, None]

    with pytest.raises(RateLimited) as refused:
        buckets.check("a", NOON)
    assert refused.value.retry_after == 30
    buckets.check("a", after(30))
    buckets.check("b", NOON)


def test_the_memory_is_bounded_and_the_latest_names_are_kept() -> None:
    buckets = Buckets(LIMIT, capacity=2)
    refusals(buckets, ("a", 0), ("a", 0), ("b", 0), ("b", 0), ("a", 0), ("c", 0))

    assert refusals(buckets, ("a", 0)) == [30]
    assert refusals(buckets, ("b", 0)) == [None]  # forgotten, because "a" was asked for later
    assert len(buckets._states) == 2
