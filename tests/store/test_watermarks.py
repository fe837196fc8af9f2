"""Marks, the gaps between them, and who finds a gap."""

import threading
from datetime import timedelta

import pytest
from recording import NO_LIMIT, at, beat

from gateway.core.blindness import Blindness, Duty
from gateway.store import monitors, watermarks
from gateway.store.engine import Store
from gateway.store.monitors import Draft
from gateway.store.record import record
from gateway.store.sweep import sweep
from gateway.store.teams import NewTeam

PATIENCE = timedelta(seconds=5)


def marked(store: Store, *seconds: float, duty: Duty = Duty.RECEIVING) -> list[float | None]:
    """The length of the gap that each mark finds."""
    gaps = [watermarks.mark(store, duty, at(each), PATIENCE) for each in seconds]
    return [gap.length.total_seconds() if gap else None for gap in gaps]


@pytest.mark.parametrize(
    ("seconds", "gaps"),
    [
        ([0], [None]),
        ([0, 5, 10], [None, None, None]),
        ([0, 5.5, 6], [None, 5.5, None]),
        ([0, 600, 601, 900], [None, 600, None, 299]),
        ([100, 50, 104], [None, None, None]),
    ],
)
def test_a_gap_is_found_by_the_first_mark_after_it(
    store: Store, seconds: list[float], gaps: list[float | None]
) -> None:
    assert marked(store, *seconds) == gaps
    assert watermarks.marks(store) == {Duty.RECEIVING: at(max(seconds))}
    assert len(watermarks.list_blind(store, 10)) == len([gap for gap in gaps if gap])


def test_each_duty_has_its_own_gaps(store: Store) -> None:
    marked(store, 0, 100)
    marked(store, 20, 80, duty=Duty.SWEEPING)

    assert watermarks.list_blind(store, 10) == [
        (Duty.SWEEPING, Blindness(at(20), at(80))),
        (Duty.RECEIVING, Blindness(at(0), at(100))),
    ]
    with store.read() as connection:
        assert watermarks.blind_since(connection, at(99)) == [Blindness(at(0), at(100))]
        assert watermarks.blind_since(connection, at(100)) == []


def test_a_gap_is_announced_by_one_of_many(store: Store) -> None:
    marked(store, 0)
    found: list[Blindness | None] = []
    gate = threading.Barrier(6)

    def work() -> None:
        gate.wait()
        found.append(watermarks.mark(store, Duty.RECEIVING, at(600), PATIENCE))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [gap for gap in found if gap] == [Blindness(at(0), at(600))]
    assert len(watermarks.list_blind(store, 10)) == 1


def test_the_lag_is_that_of_the_oldest_deadline(store: Store, team: NewTeam) -> None:
    for interval in (10, 20, 1000):
        draft = Draft("x", heartbeat_interval=interval, heartbeat_grace=0, starts_at_creation=True)
        monitors.create(store, team.id, draft, at(0))

    assert watermarks.lag(store, at(5)) == timedelta(0)
    assert watermarks.lag(store, at(100)) == timedelta(seconds=90)
    sweep(store, at(100))
    assert watermarks.lag(store, at(100)) == timedelta(0)


def test_nothing_is_missed_after_the_last_mark(store: Store, team: NewTeam) -> None:
    """A worker that is back before the web process must wait for it."""
    draft = Draft("x", heartbeat_interval=60, heartbeat_grace=0, starts_at_creation=True)
    monitor = monitors.create(store, team.id, draft, at(0))
    marked(store, 58)

    assert sweep(store, at(700)).missed == 0

    marked(store, 701)
    assert sweep(store, at(703)).missed == 0
    record(store, [beat(monitor, 710)], NO_LIMIT)
    for second in range(702, 790, 4):
        marked(store, second)
        assert sweep(store, at(second)).missed == (second == 774)
    changed = monitors.find(store, team.id, monitor.id)
    assert changed is not None
    assert changed.status_since == at(770)


def test_an_outage_moves_each_deadline_once(store: Store, team: NewTeam) -> None:
    draft = Draft("x", heartbeat_interval=60, heartbeat_grace=10, starts_at_creation=True)
    monitor = monitors.create(store, team.id, draft, at(0))
    marked(store, 50, 650)

    found = [sweep(store, at(650 + n)).missed for n in (0, 5)]
    again = monitors.find(store, team.id, monitor.id)
    assert again is not None

    assert found == [0, 0]
    assert again.deadline == at(650 + 70)
