"""Deleting by age: what goes, what stays, and how gently."""

from datetime import timedelta
from pathlib import Path

import pytest
from recording import NO_LIMIT, at, delivery, event
from sqlalchemy import func, select, text

from gateway.core.errors import Unavailable
from gateway.core.heartbeat import word_of
from gateway.core.uptime import DAY, total
from gateway.store import chunks, history, monitors, tables
from gateway.store.chunks import Chunk, at_ease, delete_range
from gateway.store.days import read_days
from gateway.store.engine import Store, open_engine
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Draft, Monitor
from gateway.store.prune import Pruned, Retention, prune
from gateway.store.record import record
from gateway.store.teams import NewTeam

KEPT = Retention(
    webhook_log=timedelta(days=10),
    checks=timedelta(days=20),
    seen_events=timedelta(days=5),
    heartbeat_runs=timedelta(days=15),
    resolved_incidents=timedelta(days=30),
)
KINDS = ("webhook_log", "checks", "seen_events", "heartbeat_runs", "resolved_incidents")
FILLED = tuple(kind for kind in KINDS if kind != "heartbeat_runs")


@pytest.fixture
def monitor(store: Store, team: NewTeam) -> Monitor:
    return monitors.create(store, team.id, Draft("shop"), at(0))


def never(_seconds: float) -> bool:
    return False


def observe(store: Store, monitor: Monitor, status: str, day: float, key: str = "") -> None:
    entry = delivery(monitor, event(status, day * DAY, f"{key}{day}", key=key), received=day * DAY)
    record(store, [entry], NO_LIMIT)


def on_sqlite(store: Store) -> None:
    """PostgreSQL has no one lock, and makes its plans by numbers of rows that no test has."""
    if store.engine.dialect.name != "sqlite":
        pytest.skip("about SQLite")


def rows(store: Store) -> dict[str, int]:
    names = ("deliveries", "checks", "seen_events", "incidents", "incident_events")
    with store.read() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(tables.metadata.tables[name]))
            or 0
            for name in names
        }


def deleted(done: list[Pruned]) -> dict[str, int]:
    assert [each.error for each in done] == [None] * len(done)
    return {each.kind: each.rows for each in done if each.rows}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (5, {}),
        (5.001, {"seen_events": 1}),
        (10, {"seen_events": 1}),
        (10.001, {"seen_events": 1, "webhook_log": 1}),
        (20.001, {"seen_events": 1, "webhook_log": 1, "checks": 1}),
        (400, {"seen_events": 1, "webhook_log": 1, "checks": 1}),
    ],
)
def test_each_kind_goes_at_its_age(
    store: Store, monitor: Monitor, days: float, expected: dict[str, int]
) -> None:
    observe(store, monitor, "up", 0)

    done = prune(store, KEPT, at(days * DAY), never)

    assert [each.kind for each in done] == list(KINDS)
    assert deleted(done) == expected
    assert deleted(prune(store, KEPT, at(days * DAY), never)) == {}


def test_an_open_incident_stays_however_old_it_is(store: Store, monitor: Monitor) -> None:
    observe(store, monitor, "down", 0, "open")
    observe(store, monitor, "down", 0, "long")
    observe(store, monitor, "down", 0, "short")
    observe(store, monitor, "up", 1, "short")
    observe(store, monitor, "up", 75, "long")

    assert deleted(prune(store, KEPT, at(100 * DAY), never))["resolved_incidents"] == 1

    found = history.list_incidents(store, monitor.id, before=None, limit=9)
    assert [(each.row.key, len(each.timeline)) for each in found] == [("long", 2), ("open", 1)]
    assert found[1].timeline[0].message == "it is down"  # though its check is gone
    assert rows(store)["checks"] == 0
    observe(store, monitor, "up", 101, "open")
    assert deleted(prune(store, KEPT, at(131.5 * DAY), never)) == {
        "webhook_log": 1,
        "checks": 1,
        "seen_events": 1,
        "resolved_incidents": 2,
    }
    assert set(rows(store).values()) == {0}


def test_the_figures_stay(store: Store, monitor: Monitor) -> None:
    for day in range(8):
        observe(store, monitor, "down" if day == 3 else "up", day)
    now = at(60 * DAY)
    before = read_days(store, monitor.id, 90, now)

    prune(store, KEPT, now, never)

    assert set(rows(store).values()) == {0}
    assert read_days(store, monitor.id, 90, now) == before
    assert (total(before).incidents, sum(total(before).checks.values())) == (1, 8)


def test_a_repeated_event_whose_id_is_forgotten_is_only_late(
    store: Store, monitor: Monitor
) -> None:
    observe(store, monitor, "down", 0)
    observe(store, monitor, "up", 1)
    prune(store, KEPT, at(50 * DAY), never)

    again = delivery(monitor, event("down", 0, "0"), received=50 * DAY)
    [result] = record(store, [again], NO_LIMIT)

    assert (result.outcome, result.status) == ("late", "up")  # type: ignore[union-attr]


@pytest.fixture
def old(store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    """A monitor with ten old events, each a resolved incident of its own, and one young."""
    monkeypatch.setattr(chunks, "ROWS", 3)
    for number in range(5):
        observe(store, monitor, "down", number / 10, f"k{number}")
        observe(store, monitor, "up", number / 10 + 0.05, f"k{number}")
    observe(store, monitor, "down", 99)
    return monitor


@pytest.mark.usefixtures("old")
def test_it_goes_in_small_chunks_with_rests(store: Store) -> None:
    rests: list[float] = []

    def wait(seconds: float) -> bool:
        rests.append(seconds)
        return False

    done = prune(store, KEPT, at(100 * DAY), wait)

    assert deleted(done) == {
        "webhook_log": 10,
        "checks": 10,
        "seen_events": 10,
        "resolved_incidents": 5,
    }
    assert len(rests) == 4 + 4 + 4 + 2
    assert min(rests) >= 0.01
    assert rows(store) == {
        "deliveries": 1,
        "checks": 1,
        "seen_events": 1,
        "incidents": 1,
        "incident_events": 1,
    }


@pytest.mark.usefixtures("old")
def test_it_ends_when_told_to_and_goes_on_later(store: Store) -> None:
    now = at(100 * DAY)

    assert deleted(prune(store, KEPT, now, lambda _: True)) == dict.fromkeys(FILLED, 3)
    assert deleted(prune(store, KEPT, now, lambda _: True)) == {
        **dict.fromkeys(FILLED, 3),
        "resolved_incidents": 2,
    }
    assert deleted(prune(store, KEPT, now, never)) == dict.fromkeys(FILLED[:3], 4)


def test_rests_are_as_long_as_the_work_wants() -> None:
    rests: list[float] = []

    def wait(seconds: float) -> bool:
        rests.append(seconds)
        return len(rests) == 2

    work = [Chunk(7, 1.5), Chunk(8, 0.001), Chunk(9, 1.0)]

    assert list(at_ease(iter(work), wait)) == [7, 8]
    assert rests == [3.0, 0.01]


def test_runs_that_have_ended_go(store: Store, team: NewTeam) -> None:
    job = monitors.create(store, team.id, Draft("job"), at(0))
    for run, words in (("done", ("start", "0")), ("open", ("start",))):
        for word in words:
            said = word_of(word, run)
            assert said is not None
            record(store, [HeartbeatEntry(job.id, job.revision, at(0), said)], NO_LIMIT)

    assert "heartbeat_runs" not in deleted(prune(store, KEPT, at(15 * DAY), never))
    assert deleted(prune(store, KEPT, at(16 * DAY), never))["heartbeat_runs"] == 1

    left = history.list_runs(store, job.id, before=None, limit=9)
    assert [run.run for run in left] == ["open"]


@pytest.mark.usefixtures("old")
def test_one_bad_chunk_spares_the_other_kinds(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("ALTER TABLE checks RENAME TO damaged"))

    done = {each.kind: each for each in prune(store, KEPT, at(100 * DAY), never)}

    assert [kind for kind, each in done.items() if each.error is not None] == ["checks"]
    assert {kind: each.rows for kind, each in done.items()} == {
        "webhook_log": 10,
        "checks": 0,
        "seen_events": 10,
        "heartbeat_runs": 0,
        "resolved_incidents": 5,
    }


@pytest.mark.usefixtures("old")
def test_a_busy_database_ends_each_kind_and_loses_nothing(store: Store, tmp_path: Path) -> None:
    on_sqlite(store)
    hasty = open_engine(
        f"sqlite:///{tmp_path / 'gateway.db'}", lock_timeout=timedelta(milliseconds=1)
    )
    with store.write():
        done = prune(Store(hasty, store.vault), KEPT, at(100 * DAY), never)
    hasty.dispose()

    refused = {each.kind: type(each.error) for each in done if each.error is not None}
    assert refused == dict.fromkeys(FILLED, Unavailable)
    assert deleted(prune(store, KEPT, at(100 * DAY), never))["checks"] == 10


def test_chunks_of_equal_places_go_as_one(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 3)
    together = [event("up", 0, f"e{number}", key=str(number)) for number in range(8)]
    record(store, [delivery(monitor, *together, received=0)], NO_LIMIT)
    seen = tables.seen_events

    [chunk] = delete_range(store, seen, seen.c.seen_at, seen.c.seen_at < at(1))

    assert chunk.rows == 8


PLANS: list[tuple[str, str]] = [
    ("SELECT id FROM checks WHERE id < 'x' ORDER BY id LIMIT 9", "INDEX"),
    ("DELETE FROM checks WHERE id < 'x' AND id > 'a' AND id <= 'b'", "INDEX"),
    ("DELETE FROM deliveries WHERE id < 'x' AND id > 'a' AND id <= 'b'", "INDEX"),
    ("SELECT seen_at FROM seen_events WHERE seen_at < 'x' ORDER BY seen_at LIMIT 9", "seen_at"),
    ("DELETE FROM seen_events WHERE seen_at < 'x' AND seen_at <= 'b'", "seen_at"),
    ("SELECT id FROM incidents WHERE id > '' AND id < 'x' AND resolved_at < 'x'", "INDEX"),
    ("DELETE FROM checks WHERE monitor_id = 'm' AND id > 'a' AND id <= 'b'", "monitor_id_id"),
    ("DELETE FROM deliveries WHERE monitor_id = 'm' AND id > 'a' AND id <= 'b'", "monitor_id_id"),
    ("DELETE FROM seen_events WHERE monitor_id = 'm' AND event_id > 'a'", "PRIMARY KEY"),
]


@pytest.mark.parametrize(("statement", "index"), PLANS)
def test_everything_goes_by_index(store: Store, statement: str, index: str) -> None:
    on_sqlite(store)
    with store.read() as connection:
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]

    assert index in plan[0]
    assert not any(step.startswith(("SCAN", "USE TEMP")) for step in plan)


def test_the_chunks_of_a_kind_are_transactions_of_their_own(store: Store, old: Monitor) -> None:
    checks = tables.checks
    going = delete_range(store, checks, checks.c.id, checks.c.id < "9")

    assert next(going).rows == 3
    observe(store, old, "up", 100)  # another writer gets in between

    assert rows(store)["checks"] == 11 - 3 + 1
