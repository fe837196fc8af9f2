"""decide: the table of the design, and that order and repetition do not matter."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import OBSERVABLE, Change, Event, Signal, Status, roll_up
from gateway.core.status import decide

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)

UP, DEGRADED, DOWN, PENDING = Status.UP, Status.DEGRADED, Status.DOWN, Status.PENDING


def signal(status: Status) -> Signal | None:
    return None if status is PENDING else Signal(status, since=NOON, occurred_at=NOON)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (PENDING, UP, None),
        (PENDING, DEGRADED, Change.OPENED),
        (PENDING, DOWN, Change.OPENED),
        (UP, UP, None),
        (UP, DEGRADED, Change.OPENED),
        (UP, DOWN, Change.OPENED),
        (DEGRADED, UP, Change.RESOLVED),
        (DEGRADED, DEGRADED, None),
        (DEGRADED, DOWN, Change.WORSENED),
        (DOWN, UP, Change.RESOLVED),
        (DOWN, DEGRADED, Change.EASED),
        (DOWN, DOWN, None),
    ],
)
def test_every_cell_of_the_table(before: Status, after: Status, change: Change | None) -> None:
    decision = decide(signal(before), Event(after, LATER))

    assert decision.signal.status is after
    assert not decision.late
    if change is None:
        assert decision.transition is None
    else:
        transition = decision.transition
        assert transition is not None
        assert (transition.change, transition.before, transition.after) == (change, before, after)
        assert transition.at == LATER


def test_a_status_that_stays_keeps_its_beginning() -> None:
    decision = decide(Signal(DOWN, since=NOON, occurred_at=NOON), Event(DOWN, LATER))

    assert decision.signal.since == NOON
    assert decision.signal.occurred_at == LATER


def test_an_older_event_changes_nothing() -> None:
    current = Signal(UP, since=LATER, occurred_at=LATER)

    decision = decide(current, Event(DOWN, NOON))

    assert decision.late
    assert decision.signal is current
    assert decision.transition is None


def test_at_the_same_instant_the_worse_status_wins() -> None:
    for order in permutations([Event(UP, NOON), Event(DOWN, NOON), Event(DEGRADED, NOON)]):
        current: Signal | None = None
        for event in order:
            current = decide(current, event).signal

        assert current is not None
        assert current.status is DOWN


@pytest.mark.parametrize(
    ("status", "expected"), [(DOWN, LATER + timedelta(minutes=30)), (UP, None)]
)
def test_resolve_after_counts_from_the_event(status: Status, expected: datetime | None) -> None:
    event = Event(status, LATER, resolve_after=timedelta(minutes=30))

    assert decide(None, event).signal.resolve_at == expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], PENDING),
        ([UP], UP),
        ([UP, DEGRADED, UP], DEGRADED),
        ([DEGRADED, DOWN, UP], DOWN),
    ],
)
def test_a_monitor_is_as_bad_as_its_worst_signal(statuses: list[Status], expected: Status) -> None:
    assert roll_up(statuses) is expected


events = st.builds(
    Event,
    status=st.sampled_from(OBSERVABLE),
    occurred_at=st.integers(0, 5).map(lambda second: NOON + timedelta(seconds=second)),
    event_id=st.sampled_from([None, "a", "b", "c"]),
    resolve_after=st.just(None),
)


@given(
    st.lists(events, min_size=1, max_size=8).flatmap(
        lambda es: st.tuples(st.just(es), st.permutations(es + es))
    )
)
def test_any_order_with_any_repetition_ends_in_the_same_state(
    case: tuple[list[Event], list[Event]],
) -> None:
    newest = max(case[0], key=lambda event: event.position)
    current: Signal | None = None

    for event in case[1]:
        current = decide(current, event).signal

    assert current is not None
    assert current.position == newest.position
