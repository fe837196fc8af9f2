"""GCRA: bursts, the steady rate, and how long to wait."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ratelimit import Limit, admit

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def admitted(limit: Limit, moments: list[datetime]) -> list[bool]:
    state, answers = None, []
    for now in moments:
        admission = admit(state, limit, now)
        state = admission.state
        answers.append(admission.allowed)
    return answers


def test_a_burst_passes_and_the_next_is_refused() -> None:
    assert admitted(Limit(60, MINUTE, burst=3), [NOON] * 4) == [True, True, True, False]


def test_the_refusal_says_how_long_to_wait() -> None:
    limit = Limit(60, MINUTE, burst=1)
    first = admit(None, limit, NOON)

    refused = admit(first.state, limit, NOON + timedelta(milliseconds=250))
    assert not refused.allowed
    assert refused.retry_after == timedelta(milliseconds=750)
    assert admit(refused.state, limit, NOON + timedelta(seconds=1)).allowed


def test_a_refused_delivery_costs_nothing() -> None:
    limit = Limit(60, MINUTE, burst=1)
    state = admit(None, limit, NOON).state

    assert admit(state, limit, NOON).state == state


def test_what_was_not_used_long_ago_is_not_saved_up() -> None:
    limit = Limit(60, MINUTE, burst=2)
    state = admit(None, limit, NOON).state

    late = NOON + timedelta(hours=1)
    assert admitted(limit, [late, late, late]) == [True, True, False]
    assert admit(state, limit, late).allowed


def test_a_clock_that_is_set_back_does_not_block_for_long() -> None:
    limit = Limit(60, MINUTE, burst=2)
    state = admit(None, limit, NOON + timedelta(hours=1)).state

    refused = admit(state, limit, NOON)
    assert refused.retry_after <= limit.spacing
    assert admit(refused.state, limit, NOON + limit.spacing).allowed


@given(
    st.lists(st.integers(0, 20_000), max_size=60),
    st.integers(1, 10),
    st.integers(1, 20),
)
def test_never_more_than_burst_plus_rate(steps: list[int], burst: int, per_second: int) -> None:
    limit = Limit(per_second, timedelta(seconds=1), burst)
    moments = [NOON]
    for step in steps:
        moments.append(moments[-1] + timedelta(milliseconds=step % 500))

    passed = sum(admitted(limit, moments))

    elapsed = (moments[-1] - NOON).total_seconds()
    assert passed <= burst + elapsed * per_second + 1e-6
