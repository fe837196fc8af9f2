"""The record transaction on a real database."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording import NO_LIMIT, at, beat, delivery, event

from gateway.core.errors import RateLimited, Unavailable
from gateway.core.model import HEARTBEAT_KEY, OBSERVABLE, Event, Outcome, Status
from gateway.core.ratelimit import Limit
from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import Entry, Recorded, StaleMonitor, record
from gateway.store.sweep import sweep
from gateway.store.teams import NewTeam


@pytest.fixture
def monitor(store: Store, team: NewTeam) -> Monitor:
    return monitors.create(store, team.id, Draft("shop", heartbeat_interval=300), at(0))


def outcomes(store: Store, *entries: Entry, limit: Limit = NO_LIMIT) -> list[Any]:
    results = record(store, entries, limit)
    return [r.outcome if isinstance(r, Recorded) else type(r) for r in results]


def reread(store: Store, monitor: Monitor) -> Monitor:
    found = monitors.find(store, monitor.team_id, monitor.id)
    assert found is not None
    return found


def incidents(store: Store, monitor: Monitor) -> list[history.Incident]:
    return list(reversed(history.list_incidents(store, monitor.id, before=None, limit=50)))


def checks(store: Store, monitor: Monitor) -> Sequence[Any]:
    return list(reversed(history.list_checks(store, monitor.id, before=None, limit=500)))


def test_a_failure_opens_an_incident_and_a_success_resolves_it(
    store: Store, monitor: Monitor
) -> None:
    record(store, [delivery(monitor, event("down", 10))], NO_LIMIT)
    record(store, [delivery(monitor, event("degraded", 20))], NO_LIMIT)
    record(store, [delivery(monitor, event("down", 30))], NO_LIMIT)
    [result] = record(store, [delivery(monitor, event("up", 40))], NO_LIMIT)

    assert isinstance(result, Recorded)
    assert result.status is Status.UP
    [incident] = incidents(store, monitor)
    assert incident.row.opened_at == at(10)
    assert incident.row.resolved_at == at(40)
    assert [(e.change, e.at) for e in incident.timeline] == [
        ("opened", at(10)),
        ("eased", at(20)),
        ("worsened", at(30)),
        ("resolved", at(40)),
    ]


def test_a_whole_life_in_one_batch_is_the_same_as_in_many(store: Store, monitor: Monitor) -> None:
    states = ["down", "degraded", "down", "up", "down"]
    entries = [delivery(monitor, event(s, 10 * n)) for n, s in enumerate(states)]

    record(store, entries, NO_LIMIT)

    first, second = incidents(store, monitor)
    assert [e.change for e in first.timeline] == ["opened", "eased", "worsened", "resolved"]
    assert second.row.resolved_at is None
    assert reread(store, monitor).status is Status.DOWN


def test_the_same_event_id_is_recorded_once(store: Store, monitor: Monitor) -> None:
    once = delivery(monitor, event("down", 10, "e1"))
    twice = delivery(monitor, event("down", 10, "e1"))

    assert outcomes(store, once, twice) == [Outcome.RECORDED, Outcome.DUPLICATE]
    assert outcomes(store, delivery(monitor, event("up", 99, "e1"))) == [Outcome.DUPLICATE]
    assert len(checks(store, monitor)) == 1
    assert reread(store, monitor).status is Status.DOWN


def test_an_event_id_belongs_to_one_monitor(store: Store, team: NewTeam, monitor: Monitor) -> None:
    other = monitors.create(store, team.id, Draft("other"), at(0))

    assert outcomes(
        store, delivery(monitor, event("down", 1, "e")), delivery(other, event("down", 1, "e"))
    ) == [Outcome.RECORDED, Outcome.RECORDED]


def test_a_late_event_is_kept_and_changes_nothing(store: Store, monitor: Monitor) -> None:
    record(store, [delivery(monitor, event("up", 20))], NO_LIMIT)

    assert outcomes(store, delivery(monitor, event("down", 10))) == [Outcome.LATE]
    assert reread(store, monitor).status is Status.UP
    assert incidents(store, monitor) == []
    assert [(c.status, c.late) for c in checks(store, monitor)] == [("up", False), ("down", True)]


def test_keys_are_apart_and_the_worst_one_counts(store: Store, monitor: Monitor) -> None:
    record(
        store,
        [delivery(monitor, event("down", 1, key="a"), event("degraded", 1, key="b"))],
        NO_LIMIT,
    )
    assert reread(store, monitor).status is Status.DOWN
    assert len(incidents(store, monitor)) == 2

    record(store, [delivery(monitor, event("up", 2, key="a"))], NO_LIMIT)
    assert reread(store, monitor).status is Status.DEGRADED

    record(store, [delivery(monitor, event("up", 3, key="b"))], NO_LIMIT)
    assert reread(store, monitor).status is Status.UP


def test_an_old_revision_is_sent_back_and_stores_nothing(store: Store, monitor: Monitor) -> None:
    monitors.change(store, monitor.team_id, monitor.id, {"name": "new"}, at(1))

    assert outcomes(store, delivery(monitor, event("down", 1))) == [StaleMonitor]
    assert outcomes(store, beat(monitor, 1)) == [StaleMonitor]
    assert checks(store, monitor) == []
    assert history.list_deliveries(store, monitor.id, before=None, limit=5) == []


def test_a_removed_monitor_is_stale_too(store: Store, monitor: Monitor) -> None:
    monitors.remove(store, monitor.team_id, monitor.id)

    assert outcomes(store, delivery(monitor, event("down", 1))) == [StaleMonitor]


def test_the_rate_limit_is_exact_and_spares_the_refused_log(store: Store, monitor: Monitor) -> None:
    limit = Limit(60, timedelta(minutes=1), burst=2)
    entries = [delivery(monitor, event("up", n)) for n in range(4)]
    refused = delivery(monitor, outcome=Outcome.REJECTED, authentic=False)

    assert outcomes(store, *entries[:3], refused, entries[3], limit=limit) == [
        Outcome.RECORDED,
        Outcome.RECORDED,
        RateLimited,
        Outcome.REJECTED,
        RateLimited,
    ]
    assert len(checks(store, monitor)) == 2


def test_a_paused_monitor_logs_and_does_nothing_else(store: Store, monitor: Monitor) -> None:
    paused = monitors.change(store, monitor.team_id, monitor.id, {"active": False}, at(1))
    assert paused is not None

    assert outcomes(store, delivery(paused, event("down", 2, "e1"))) == [Outcome.IGNORED]
    assert outcomes(store, beat(paused, 3)) == [Outcome.RECORDED]
    [line] = history.list_deliveries(store, monitor.id, before=None, limit=5)
    assert (line.outcome, line.reason) == ("ignored", "paused")
    after = reread(store, monitor)
    assert (after.status, after.deadline, after.last_heartbeat) == (Status.PENDING, None, at(3))

    resumed = monitors.change(store, monitor.team_id, monitor.id, {"active": True}, at(4))
    assert resumed is not None
    assert outcomes(store, delivery(resumed, event("down", 2, "e1"))) == [Outcome.RECORDED]


def test_heartbeats_of_a_batch_are_one_sign_of_life(store: Store, monitor: Monitor) -> None:
    results = record(store, [beat(monitor, 30), beat(monitor, 10), beat(monitor, 20)], NO_LIMIT)

    assert [r.last_heartbeat for r in results if isinstance(r, Recorded)] == [at(30)] * 3
    after = reread(store, monitor)
    assert after.last_heartbeat == at(30)
    assert after.deadline == at(30 + 300 + 60)
    assert after.status is Status.UP
    assert [c.key for c in checks(store, monitor)] == [HEARTBEAT_KEY]


def test_switching_heartbeats_off_ends_a_missed_one(store: Store, monitor: Monitor) -> None:
    record(store, [beat(monitor, 0)], NO_LIMIT)
    sweep(store, at(1000))
    assert reread(store, monitor).status is Status.DOWN

    monitors.change(store, monitor.team_id, monitor.id, {"heartbeat_interval": None}, at(2000))

    after = reread(store, monitor)
    assert (after.status, after.deadline) == (Status.UP, None)
    [incident] = incidents(store, monitor)
    assert (incident.row.opened_at, incident.row.resolved_at) == (at(360), at(2000))


def test_a_batch_of_more_events_than_a_statement_has_parameters(
    store: Store, monitor: Monitor
) -> None:
    """A delivery may hold 1000. On a paused monitor they are looked up, but not written."""
    paused = monitors.change(store, monitor.team_id, monitor.id, {"active": False}, at(1))
    assert paused is not None
    entries = [
        delivery(paused, *[event("down", key=f"{number}/{n}") for n in range(1000)])
        for number in range(34)
    ]

    assert outcomes(store, *entries) == [Outcome.IGNORED] * len(entries)


def test_an_empty_batch_of_known_monitors_is_no_error(store: Store) -> None:
    assert record(store, [], NO_LIMIT) == []


def test_a_failure_in_the_transaction_stores_nothing(store: Store, monitor: Monitor) -> None:
    bad = Event(Status.DOWN, at(1), metadata={"x": object()})

    with pytest.raises(Exception, match="not JSON serializable"):
        record(store, [delivery(monitor, event("down", 1)), delivery(monitor, bad)], NO_LIMIT)

    assert checks(store, monitor) == []
    assert reread(store, monitor).status is Status.PENDING


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_is_gone_is_unavailable_and_comes_back(
    store: Store, monitor: Monitor, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.db"
    away = tmp_path / "away.db"
    record(store, [delivery(monitor, event("down", 1))], NO_LIMIT)
    store.close()
    file.rename(away)

    with pytest.raises(Unavailable):
        record(store, [delivery(monitor, event("up", 2))], NO_LIMIT)

    away.rename(file)
    assert outcomes(store, delivery(monitor, event("up", 2))) == [Outcome.RECORDED]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_file_that_was_replaced_is_noticed(
    store: Store, monitor: Monitor, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.db"
    record(store, [delivery(monitor, event("down", 1))], NO_LIMIT)
    for name in ("gateway.db", "gateway.db-wal", "gateway.db-shm"):
        (tmp_path / name).rename(tmp_path / f"old-{name}")
    file.touch()

    with pytest.raises(Unavailable):
        record(store, [delivery(monitor, event("up", 2))], NO_LIMIT)


# DESIGN: any permutation, with any duplicates, of a set of events ends in the same signal
# state and the same monitor status. Here through the real store.

keys = st.sampled_from(["", "a", "b"])
drawn_events = st.lists(
    st.tuples(keys, st.sampled_from(OBSERVABLE), st.integers(0, 4)), min_size=1, max_size=7
).map(
    lambda rows: [
        event(status, second, f"e{number}", key)
        for number, (key, status, second) in enumerate(rows)
    ]
)
arrivals = drawn_events.flatmap(
    lambda events: st.tuples(
        st.just(events),
        st.lists(st.sampled_from(events), max_size=5).flatmap(
            lambda repeated: st.permutations(events + repeated)
        ),
        st.integers(1, 4),
    )
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=arrivals)
def test_no_order_and_no_repetition_changes_the_end(
    store: Store, team: NewTeam, case: tuple[list[Event], list[Event], int]
) -> None:
    events, arrival, batch = case
    monitor = monitors.create(store, team.id, Draft("m"), at(0))

    for start in range(0, len(arrival), batch):
        entries = [delivery(monitor, one) for one in arrival[start : start + batch]]
        record(store, entries, NO_LIMIT)

    newest: dict[str, Event] = {}
    for one in events:
        newest[one.key] = max(one, newest.get(one.key, one), key=lambda e: e.position)
    signals = history.list_signals(store, monitor.id, 10)
    assert {(s.key, s.status, s.occurred_at, s.event_id) for s in signals} == {
        (key, e.status, e.occurred_at, e.event_id) for key, e in newest.items()
    }
    worst = max((e.status for e in newest.values()), key=lambda s: s.severity)
    assert reread(store, monitor).status is worst
    assert len(checks(store, monitor)) == len(events)
    bad = {s.key for s in signals if s.status != "up"}
    still_open = [i.row.key for i in incidents(store, monitor) if i.row.resolved_at is None]
    assert sorted(still_open) == sorted(bad)
