"""Pages of what was recorded."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from recording import NO_LIMIT, at, delivery, event

from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import record
from gateway.store.teams import NewTeam

Read = Callable[..., Sequence[Any]]


@pytest.fixture
def monitor(store: Store, team: NewTeam) -> Monitor:
    made, other = (monitors.create(store, team.id, Draft(name), at(0)) for name in "ab")
    for each in (made, other):
        for number in range(5):
            entry = delivery(each, event("down", number, key=f"k{number}"), received=number)
            record(store, [entry], NO_LIMIT)
    return made


@pytest.mark.parametrize("read", [history.list_checks, history.list_deliveries])
def test_pages_run_backwards_from_the_newest(store: Store, monitor: Monitor, read: Read) -> None:
    everything = read(store, monitor.id, before=None, limit=10)
    first = read(store, monitor.id, before=None, limit=3)
    second = read(store, monitor.id, before=first[-1].id, limit=3)

    assert [row.received_at for row in everything] == [at(n) for n in (4, 3, 2, 1, 0)]
    assert [*first, *second] == list(everything)
    assert read(store, monitor.id, before=second[-1].id, limit=3) == []
    assert read(store, "another", before=None, limit=3) == []


def test_incidents_come_with_their_own_timeline(store: Store, monitor: Monitor) -> None:
    record(store, [delivery(monitor, event("up", 60, key="k3"))], NO_LIMIT)

    found = history.list_incidents(store, monitor.id, before=None, limit=3)
    rest = history.list_incidents(store, monitor.id, before=found[-1].row.id, limit=3)

    assert [each.row.key for each in found + rest] == ["k4", "k3", "k2", "k1", "k0"]
    changes = {each.row.key: [e.change for e in each.timeline] for each in found + rest}
    assert changes.pop("k3") == ["opened", "resolved"]
    assert set(map(tuple, changes.values())) == {("opened",)}
    assert history.list_incidents(store, "another", before=None, limit=3) == []


def test_signals_are_sorted_and_bounded(store: Store, monitor: Monitor) -> None:
    keys = [row.key for row in history.list_signals(store, monitor.id, 3)]

    assert keys == ["k0", "k1", "k2"]
