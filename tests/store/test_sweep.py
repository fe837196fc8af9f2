"""What time alone changes: missed heartbeats, and recoveries that were promised."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from recording import NO_LIMIT, at, beat, delivery, event

from gateway.core.model import HEARTBEAT_KEY, Event, Status
from gateway.store import history, monitors
from gateway.store import sweep as sweeping
from gateway.store.chores import Swept
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import Recorded, record
from gateway.store.sweep import BATCH, sweep
from gateway.store.teams import NewTeam

SETTLE = sweeping.SETTLE.total_seconds()
NOTHING = Swept()


def watched(store: Store, team: NewTeam, interval: int = 100, created: float = 0) -> Monitor:
    """A monitor that expects its first heartbeat ``interval`` seconds after its creation."""
    draft = Draft("shop", heartbeat_interval=interval, heartbeat_grace=0, starts_at_creation=True)
    return monitors.create(store, team.id, draft, at(created))


def reread(store: Store, monitor: Monitor) -> Monitor:
    found = monitors.find(store, monitor.team_id, monitor.id)
    assert found is not None
    return found


def openings(store: Store, monitor: Monitor) -> list[tuple[str, float, float | None]]:
    """Key, opening and end of each incident in seconds after noon, oldest first."""
    found = history.list_incidents(store, monitor.id, before=None, limit=50)
    return [
        (
            each.row.key,
            (each.row.opened_at - at(0)).total_seconds(),
            (each.row.resolved_at - at(0)).total_seconds() if each.row.resolved_at else None,
        )
        for each in reversed(found)
    ]


@pytest.mark.parametrize(
    ("seconds", "missed"),
    [(0, 0), (99, 0), (100, 0), (100 + SETTLE - 0.001, 0), (100 + SETTLE, 1), (5000, 1)],
)
def test_a_deadline_counts_when_it_has_passed_and_settled(
    store: Store, team: NewTeam, seconds: float, missed: int
) -> None:
    monitor = watched(store, team)

    swept = sweep(store, at(seconds))

    assert swept.missed == missed
    assert reread(store, monitor).status is (Status.DOWN if missed else Status.PENDING)
    assert openings(store, monitor) == ([(HEARTBEAT_KEY, 100, None)] if missed else [])
    assert swept.lag == (at(seconds) - at(100) if missed else timedelta(0))


def test_a_deadline_is_handled_once(store: Store, team: NewTeam) -> None:
    monitor = watched(store, team)

    assert [sweep(store, at(n)).missed for n in (200, 200, 500)] == [1, 0, 0]
    [check] = history.list_checks(store, monitor.id, before=None, limit=5)
    assert (check.status, check.occurred_at, check.received_at) == ("down", at(100), at(200))
    assert check.delivery_id is None
    assert reread(store, monitor).status_since == at(100)


def test_a_heartbeat_ends_what_a_missed_one_began(store: Store, team: NewTeam) -> None:
    monitor = watched(store, team)
    sweep(store, at(200))

    record(store, [beat(monitor, 250)], NO_LIMIT)
    assert openings(store, monitor) == [(HEARTBEAT_KEY, 100, 250)]
    assert sweep(store, at(349)) == NOTHING
    assert sweep(store, at(400)).missed == 1
    assert openings(store, monitor)[1:] == [(HEARTBEAT_KEY, 350, None)]


def test_a_heartbeat_in_time_moves_the_deadline(store: Store, team: NewTeam) -> None:
    monitor = watched(store, team)
    record(store, [beat(monitor, 100)], NO_LIMIT)

    assert sweep(store, at(150)) == NOTHING
    assert reread(store, monitor).deadline == at(200)


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"heartbeat_interval": None}], ids=["paused", "switched off"]
)
def test_deadlines_rest(store: Store, team: NewTeam, changes: dict[str, object]) -> None:
    monitor = watched(store, team)
    monitors.change(store, team.id, monitor.id, changes, at(50))

    assert sweep(store, at(1000)) == NOTHING


def test_monitors_without_a_clock_are_left_alone(store: Store, team: NewTeam) -> None:
    monitors.create(store, team.id, Draft("defaulted", heartbeat_interval=5), at(0))
    monitors.create(store, team.id, Draft("off"), at(0))

    assert sweep(store, at(10_000)) == NOTHING


def test_the_oldest_deadline_comes_first(
    store: Store, team: NewTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 1)
    made = [watched(store, team, interval) for interval in (30, 10, 20)]

    assert sweep(store, at(100)) == Swept(3, 0, timedelta(seconds=90))

    down = [history.list_checks(store, each.id, before=None, limit=1)[0].id for each in made]
    assert sorted(down) == [down[1], down[2], down[0]]


def test_more_than_one_batch(store: Store, team: NewTeam) -> None:
    made = [watched(store, team, created=number / 1000) for number in range(BATCH + 3)]

    assert sweep(store, at(200)).missed == BATCH + 3
    assert {reread(store, each).status for each in made[:: BATCH + 2]} == {Status.DOWN}
    assert sweep(store, at(200)) == NOTHING


def fleeting(status: str, seconds: float, after: float, key: str = "") -> Event:
    return replace(event(status, seconds, key=key), resolve_after=timedelta(seconds=after))


@pytest.mark.parametrize(("seconds", "resolved"), [(70, 0), (70 + SETTLE, 1), (5000, 1)])
def test_a_promised_recovery_happens_at_its_time(
    store: Store, team: NewTeam, seconds: float, resolved: int
) -> None:
    monitor = monitors.create(store, team.id, Draft("shop"), at(0))
    record(store, [delivery(monitor, fleeting("down", 10, 60))], NO_LIMIT)

    lag = at(seconds) - at(70) if resolved else timedelta(0)
    assert sweep(store, at(seconds)) == Swept(0, resolved, lag)

    assert openings(store, monitor) == [("", 10, 70 if resolved else None)]
    assert reread(store, monitor).status is (Status.UP if resolved else Status.DOWN)
    assert sweep(store, at(seconds)) == NOTHING


def test_bad_news_puts_a_recovery_off_and_good_news_makes_it_needless(
    store: Store, team: NewTeam
) -> None:
    monitor = monitors.create(store, team.id, Draft("shop"), at(0))
    record(store, [delivery(monitor, fleeting("down", 10, 60, "a"))], NO_LIMIT)
    record(store, [delivery(monitor, fleeting("degraded", 50, 60, "a"))], NO_LIMIT)
    record(store, [delivery(monitor, fleeting("down", 10, 60, "b"))], NO_LIMIT)
    record(store, [delivery(monitor, event("up", 20, key="b"))], NO_LIMIT)

    assert sweep(store, at(100)) == NOTHING
    assert sweep(store, at(120)).resolved == 1
    assert openings(store, monitor) == [("a", 10, 110), ("b", 10, 20)]


def test_recoveries_of_many_keys_in_batches(
    store: Store, team: NewTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 2)
    monitor = monitors.create(store, team.id, Draft("shop"), at(0))
    events = [fleeting("down", number, 10, str(number)) for number in range(5)]
    record(store, [delivery(monitor, *events)], NO_LIMIT)

    assert sweep(store, at(100)).resolved == 5
    assert openings(store, monitor) == [(str(n), n, n + 10) for n in range(5)]
    assert reread(store, monitor).status is Status.UP


def test_many_sweeps_at_once_handle_each_deadline_once(store: Store, team: NewTeam) -> None:
    made = [watched(store, team) for _ in range(20)]
    for monitor in made:
        record(store, [delivery(monitor, fleeting("down", 10, 60, "k"))], NO_LIMIT)
    swept: list[Swept] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        swept.append(sweep(store, at(200)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(each.missed for each in swept) == 20
    assert sum(each.resolved for each in swept) == 20
    for monitor in made:
        assert openings(store, monitor) == [("k", 10, 70), (HEARTBEAT_KEY, 100, None)]
        keys = [c.key for c in history.list_checks(store, monitor.id, before=None, limit=9)]
        assert Counter(keys) == {"k": 2, HEARTBEAT_KEY: 1}


def test_heartbeats_that_race_with_the_sweep(store: Store, team: NewTeam) -> None:
    """Whoever is first: a heartbeat that came in time leaves the monitor up."""
    made = [watched(store, team) for _ in range(30)]
    gate = threading.Barrier(2)

    def beats() -> None:
        gate.wait()
        for monitor in made:
            [result] = record(store, [beat(monitor, 150)], NO_LIMIT)
            assert isinstance(result, Recorded)

    thread = threading.Thread(target=beats)
    thread.start()
    gate.wait()
    first = sweep(store, at(200))
    thread.join()
    second = sweep(store, at(200))

    assert second == NOTHING
    ended = [openings(store, monitor) for monitor in made]
    assert len([each for each in ended if each]) == first.missed
    assert all(each in ([], [(HEARTBEAT_KEY, 100, 150)]) for each in ended)
    assert all(reread(store, monitor).status is Status.UP for monitor in made)
    assert all(reread(store, monitor).deadline == at(250) for monitor in made)


def test_a_heartbeat_that_is_recorded_after_its_deadline_was_swept(
    store: Store, team: NewTeam
) -> None:
    """It came in time, but was written too late: late for its signal, in time for the next."""
    monitor = watched(store, team)
    sweep(store, at(103))

    record(store, [beat(monitor, 99)], NO_LIMIT)

    assert openings(store, monitor) == [(HEARTBEAT_KEY, 100, None)]
    assert reread(store, monitor).deadline == at(199)
    record(store, [beat(monitor, 150)], NO_LIMIT)
    assert openings(store, monitor) == [(HEARTBEAT_KEY, 100, 150)]
