"""Deadlines, and the events that time makes."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.blindness import Blindness
from gateway.core.heartbeat import (
    Beat,
    Expectation,
    Silence,
    Word,
    expired,
    failed,
    is_run,
    late,
    missed,
    overran,
    sign_of_life,
    silence_until,
    switched_off,
    word_of,
)
from gateway.core.model import HEARTBEAT_KEY, Event, Status
from gateway.core.rhythm import Every

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USUAL = Expectation(Every(5 * MINUTE), grace=MINUTE)
TIERED = Expectation(Every(5 * MINUTE), grace=10 * MINUTE, late_after=MINUTE)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def blind(*minutes: tuple[float, float]) -> list[Blindness]:
    return [Blindness(after(start), after(end)) for start, end in minutes]


@pytest.mark.parametrize(
    ("event", "status", "key"),
    [
        (sign_of_life(NOON), Status.UP, HEARTBEAT_KEY),
        (late(NOON), Status.DEGRADED, HEARTBEAT_KEY),
        (missed(NOON), Status.DOWN, HEARTBEAT_KEY),
        (failed(NOON, None), Status.DOWN, HEARTBEAT_KEY),
        (failed(NOON, 3), Status.DOWN, HEARTBEAT_KEY),
        (overran(NOON), Status.DOWN, HEARTBEAT_KEY),
        (switched_off(NOON), Status.UP, HEARTBEAT_KEY),
        (expired("disk", NOON), Status.UP, "disk"),
    ],
)
def test_an_event_of_time_happened_at_its_time(event: Event, status: Status, key: str) -> None:
    assert (event.status, event.occurred_at, event.key) == (status, NOON, key)


def test_a_failure_tells_its_exit_code() -> None:
    assert failed(NOON, 3).message == "the job ended with exit code 3"
    assert failed(NOON, None).message == "the job failed"


@pytest.mark.parametrize(
    ("said", "run", "word"),
    [
        ("", "", Word()),
        ("", "r1", Word(run="r1")),
        ("start", "r1", Word(Beat.START, "r1")),
        ("fail", "", Word(Beat.FAIL)),
        ("0", "", Word(exit_code=0)),
        ("00", "", Word(exit_code=0)),
        ("1", "r1", Word(Beat.FAIL, "r1", 1)),
        ("255", "", Word(Beat.FAIL, exit_code=255)),
        ("256", "", None),
        ("1000", "", None),
        ("-1", "", None),
        ("\u0661", "", None),
        ("alive", "", None),
        ("START", "", None),
    ],
)
def test_what_stands_behind_the_address(said: str, run: str, word: Word | None) -> None:
    assert word_of(said, run) == word


@pytest.mark.parametrize(
    ("word", "plain"),
    [(Word(), True), (Word(run="x"), False), (Word(exit_code=0), False), (Word(Beat.FAIL), False)],
)
def test_a_plain_sign_says_nothing_else(word: Word, plain: bool) -> None:
    assert word.is_plain is plain


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("", True),
        ("0b7b9d35-8f1e-4f0c-9d3a-3f2d7e1c5a11", True),
        ("nightly:2026-01-20.1_a", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a b", False),
        ("é", False),
        ("x\n", False),
        ("'; --", False),
    ],
)
def test_names_of_runs(name: str, good: bool) -> None:
    assert is_run(name) is good


@pytest.mark.parametrize(
    ("expectation", "minutes"),
    [(USUAL, 6), (TIERED, 6), (Expectation(Every(5 * MINUTE), 10 * MINUTE), 15)],
)
def test_the_deadline_is_the_first_thing_that_happens(
    expectation: Expectation, minutes: float
) -> None:
    assert expectation.deadline(NOON) == after(minutes)


# Expectation, blind intervals, last told, horizon -> what happened, and when to look again.
# All in minutes after the last sign of life; "d" is degraded, "D" down.
MOMENTS = [(n / 2 + 0.4, n / 2 + 0.5) for n in range(19)]
SILENCES: list[
    tuple[str, Expectation, list[tuple[float, float]], float | None, float, str, float | None]
] = [
    ("nothing yet", USUAL, [], None, 5.9, "", 6),
    ("down at the deadline", USUAL, [], None, 6, "D6", None),
    ("down long ago", USUAL, [], None, 6000, "D6", None),
    ("down and told", USUAL, [], 6, 6000, "", None),
    ("told of an older sign", USUAL, [], -3, 6, "D6", None),
    ("late, not yet down", TIERED, [], None, 6, "d6", 15),
    ("late and told", TIERED, [], 6, 14, "", 15),
    ("late and told, then down", TIERED, [], 6, 15, "D15", None),
    ("late and down at once", TIERED, [], None, 99, "d6 D15", None),
    # Blind while the sign was due: the sender has the whole interval again.
    ("due while blind", USUAL, [(4, 14)], None, 14, "", 20),
    ("due while blind, then dead", USUAL, [(4, 14)], None, 20, "D20", None),
    ("in its grace when sight went", USUAL, [(5.5, 8)], None, 8, "", 14),
    ("due just as sight came back", USUAL, [(2, 5)], None, 5, "", 11),
    # Blind before it was due: an early call may be lost; one more interval, once.
    ("blind before it was due", USUAL, [(1, 2)], None, 7.5, "", 8),
    ("blind before it was due, then dead", USUAL, [(1, 2)], None, 8, "D8", None),
    ("the sign came while blind began", USUAL, [(-3, 2)], None, 6, "", 8),
    ("blind before the sign", USUAL, [(-30, -20)], None, 6, "D6", None),
    ("blind up to the sign", USUAL, [(-30, 0)], None, 6, "D6", None),
    ("blind after the deadline", USUAL, [(6, 16)], None, 16, "D6", None),
    ("blind all the time, for moments", USUAL, MOMENTS, None, 99, "D11.9", None),
    ("blind for a moment", USUAL, [(1, 1.01)], None, 6, "", 6.01),
    ("blind twice", USUAL, [(1, 2), (5, 8)], None, 8, "", 14),
    ("blind again after a new start", USUAL, [(4, 14), (15, 16)], None, 19, "", 22),
    ("blind over and over", USUAL, [(4, 9), (10, 15), (16, 21)], None, 21, "", 27),
    # Each tier has its own time: being late was known before sight went.
    ("late before blind, down after", TIERED, [(7, 17)], 6, 17, "", 32),
    ("late and down after blind", TIERED, [(4, 14)], None, 40, "d20 D29", None),
]


@pytest.mark.parametrize(
    ("expectation", "gaps", "told", "horizon", "happened", "next_at"),
    [case[1:] for case in SILENCES],
    ids=[case[0] for case in SILENCES],
)
def test_what_silence_leads_to(
    expectation: Expectation,
    gaps: list[tuple[float, float]],
    told: float | None,
    horizon: float,
    happened: str,
    next_at: float | None,
) -> None:
    silence = silence_until(
        expectation,
        NOON,
        after(horizon),
        told=None if told is None else after(told),
        blind=blind(*gaps),
    )

    assert " ".join(map(written, silence.events)) == happened
    assert silence.next_at == (None if next_at is None else after(next_at))


def written(event: Event) -> str:
    letter = {Status.DEGRADED: "d", Status.DOWN: "D"}[event.status]
    return f"{letter}{(event.occurred_at - NOON) / MINUTE:g}"


def test_silence_does_not_ease() -> None:
    silence = silence_until(TIERED, NOON, after(7), status=Status.DOWN, told=NOON)

    assert silence == Silence((), after(15))


@pytest.mark.parametrize("period", range(1, 61, 7))
@pytest.mark.parametrize("phase", range(0, 60, 7))
@pytest.mark.parametrize("length", [1, 10, 59, 60, 61, 300])
def test_no_outage_makes_a_living_sender_red_and_the_dead_are_found(
    period: int, phase: int, length: int
) -> None:
    """An hourly monitor; its sender calls every ``period``; the gateway is blind once."""
    expectation = Expectation(Every(60 * MINUTE), MINUTE)
    start = 100 + phase
    [gap] = blind((start, start + length))
    signs = [after(each) for each in range(0, 1000, period)]
    heard = [each for each in signs if not gap.start <= each < gap.end]
    last = max(each for each in heard if each < gap.start)
    back = min(each for each in heard if each >= gap.end)

    assert silence_until(expectation, last, back, blind=[gap]).events == ()
    [found] = silence_until(expectation, last, after(5000), blind=[gap]).events
    assert found.occurred_at <= gap.end + 61 * MINUTE
