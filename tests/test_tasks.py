"""The periodic work and the queue that carries it."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from databases import unreachable
from huey import Huey, PostgresHuey
from huey.registry import Message
from sqlalchemy import insert, text

from gateway.store import chunks, history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft
from gateway.store.prune import Retention
from gateway.store.tables import seen_events
from gateway.store.teams import NewTeam
from gateway.tasks import (
    JsonSerializer,
    Pruning,
    make_queue_tables,
    open_queue,
    prune_once,
    register_pruning,
    register_tasks,
    register_watchdog,
    sweep_once,
)
from gateway.watchdog import Watchdog

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
EVERY = timedelta(seconds=5)
DAY = timedelta(days=1)
PRUNING = Pruning(Retention(DAY, DAY, DAY, DAY, DAY), timedelta(minutes=5))


@pytest.fixture
def queue(store: Store, tmp_path: Path) -> Iterator[Huey]:
    make_queue_tables(store)
    opened = open_queue(store, tmp_path / "queue.db")
    yield opened
    opened.storage.close()


def message(**fields: object) -> Message:
    values = dict.fromkeys(Message._fields)
    return Message(**{**values, "id": "1", "name": "sweep", "args": [], "kwargs": {}, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"eta": datetime(2026, 1, 20, 12, 0, 1, 5)},  # noqa: DTZ001 - as huey keeps times
        {"eta": NOON, "expires": NOON, "expires_resolved": NOON},
        {"expires": 30, "retries": 2, "retry_delay": 5},
        {"args": [1, "dois", None], "kwargs": {"ação": True}},
    ],
)
def test_a_message_survives_the_queue(fields: dict[str, object]) -> None:
    sent = message(**fields)
    serializer = JsonSerializer()

    assert serializer.deserialize(serializer.serialize(sent)) == sent


def test_the_queue_holds_json_and_no_pickles(queue: Huey) -> None:
    done: list[int] = []

    @queue.task()  # type: ignore[untyped-decorator]
    def add(one: int, other: int) -> None:
        done.append(one + other)

    add(1, 2)
    queue.add_schedule(add.s(3, 4, delay=60))
    [waiting] = queue.storage.enqueued_items()
    [scheduled] = queue.storage.scheduled_items()

    assert [json.loads(data)["args"] for data in (waiting, scheduled)] == [[1, 2], [3, 4]]
    assert json.loads(scheduled)["eta"]
    queue.execute(queue.dequeue())
    assert done == [3]
    assert queue.storage.result_store_size() == 0
    [later] = queue.scheduled()
    assert (list(later.args), type(later.eta)) == ([3, 4], datetime)


def test_what_is_no_json_does_not_run(queue: Huey) -> None:
    queue.storage.enqueue(b"\x80\x04cos\nsystem\n(S'true'\ntR.")

    with pytest.raises(ValueError, match=r"decode|utf-8"):
        queue.dequeue()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestQueueOnPostgresql:
    def test_it_lives_in_the_database_and_makes_no_tables_by_itself(
        self, store: Store, tmp_path: Path
    ) -> None:
        opened = open_queue(store, tmp_path / "queue.db")

        assert isinstance(opened, PostgresHuey)
        with pytest.raises(psycopg.errors.UndefinedTable):
            opened.pending_count()
        make_queue_tables(store)
        make_queue_tables(store)
        assert opened.pending_count() == 0
        assert not (tmp_path / "queue.db").exists()
        opened.storage.close()

    def test_many_that_start_at_once_make_the_tables_once(self, store: Store) -> None:
        failed: list[BaseException] = []
        gate = threading.Barrier(6)

        def work() -> None:
            gate.wait()
            try:
                make_queue_tables(store)
            except Exception as error:  # noqa: BLE001 - any is too many
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not failed

    def test_it_outlives_a_server_that_ended_its_connections(
        self, queue: Huey, database_url: str
    ) -> None:
        queue.storage.enqueue(b"1")
        with unreachable(database_url), pytest.raises(psycopg.OperationalError):
            queue.storage.dequeue()

        assert queue.storage.dequeue() == b"1"

    def test_waiting_for_a_message_holds_none_of_the_pool(self, queue: Huey, store: Store) -> None:
        assert queue.storage.dequeue() is None  # after a second of listening

        assert "Current Checked out connections: 0" in store.engine.pool.status()
        queue.storage.close()


def test_the_sweep_is_registered_and_runs(queue: Huey, store: Store) -> None:
    register_tasks(queue, store, lambda: NOON, EVERY)

    [task] = queue.read_periodic(NOON)
    queue.enqueue(task)
    queue.execute(queue.dequeue())

    assert task.name.endswith("sweep")
    assert sweep_once(store, NOON, EVERY) is False  # this slot has been done
    assert sweep_once(store, NOON + EVERY, EVERY) is True


def test_a_slot_is_swept_once_by_many_threads(store: Store) -> None:
    ran: list[bool] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        ran.append(sweep_once(store, NOON + timedelta(seconds=1), EVERY))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ran) == [False, False, False, True]


@pytest.mark.parametrize(
    ("seconds", "runs"), [(0, True), (4.9, False), (5, True), (4, False), (60, True)]
)
def test_slots_are_as_long_as_the_interval(store: Store, seconds: float, runs: bool) -> None:
    for earlier in [each for each in (0, 5) if each < seconds or runs is False]:
        sweep_once(store, NOON + timedelta(seconds=earlier), EVERY)

    assert sweep_once(store, NOON + timedelta(seconds=seconds), EVERY) is runs


def test_a_sweep_says_what_it_found(
    store: Store, team: NewTeam, caplog: pytest.LogCaptureFixture
) -> None:
    draft = Draft("shop", heartbeat_interval=10, heartbeat_grace=0, starts_at_creation=True)
    monitor = monitors.create(store, team.id, draft, NOON)
    caplog.set_level("INFO", "gateway.tasks")

    assert sweep_once(store, NOON + timedelta(seconds=15), EVERY)

    assert "sweep: 1 heartbeats missed, lag 5.0 s" in caplog.text
    assert len(history.list_incidents(store, monitor.id, before=None, limit=5)) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_database_no_sweep_and_no_end(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.close()
    (tmp_path / "gateway.db").rename(tmp_path / "away.db")
    assert sweep_once(store, NOON, EVERY) is False
    assert "no sweep: " in caplog.text

    (tmp_path / "away.db").rename(tmp_path / "gateway.db")
    assert sweep_once(store, NOON, EVERY) is True


def never(_seconds: float) -> bool:
    return False


def see(store: Store, count: int, at: datetime) -> None:
    """Put old rows into the store, as deliveries leave them."""
    rows = [
        {"monitor_id": "m", "event_id": f"e{n}", "seen_at": at + timedelta(microseconds=n)}
        for n in range(count)
    ]
    with store.write() as connection:
        connection.execute(insert(seen_events), rows)


def test_pruning_is_registered_and_runs(
    queue: Huey, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    see(store, 2, NOON - DAY - EVERY)
    caplog.set_level("INFO", "gateway.tasks")
    register_pruning(queue, store, lambda: NOON, PRUNING, never)

    [task] = queue.read_periodic(NOON)
    queue.enqueue(task)
    queue.execute(queue.dequeue())

    assert task.name.endswith("prune")
    assert caplog.messages == ["prune: 2 rows of seen_events"]


def test_pruning_goes_at_a_pace_of_its_own(queue: Huey, store: Store) -> None:
    now = NOON + timedelta(minutes=1)
    register_pruning(queue, store, lambda: now, PRUNING, never)
    tasks = []
    for minute in (1, 1, 4, 5, 6, 11):
        now = NOON + timedelta(minutes=minute)
        tasks.append(len(queue.read_periodic(now)))

    assert tasks == [1, 0, 0, 1, 0, 1]


@pytest.mark.parametrize(("minutes", "ran"), [([0, 0], [1, 0]), ([0, 4, 5], [1, 0, 1])])
def test_a_slot_is_pruned_once(store: Store, minutes: list[int], ran: list[int]) -> None:
    for minute, expected in zip(minutes, ran, strict=True):
        clock = iter([NOON + timedelta(minutes=minute)]).__next__
        assert prune_once(store, clock, PRUNING, never) is bool(expected)


@pytest.mark.parametrize("reason", ["the worker stops", "the slot is over"])
def test_pruning_ends_when_it_should_and_the_next_run_goes_on(
    store: Store, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    see(store, 3 * chunks.ROWS, NOON - 2 * DAY)
    caplog.set_level("INFO", "gateway.tasks")
    times = iter([NOON, NOON + PRUNING.every if "slot" in reason else NOON])

    prune_once(store, lambda: next(times), PRUNING, lambda _: "stops" in reason)
    later = NOON + PRUNING.every
    prune_once(store, lambda: later, PRUNING, never)

    assert caplog.messages == [
        f"prune: {count * chunks.ROWS} rows of seen_events" for count in (1, 2)
    ]


def test_what_cannot_be_pruned_is_told(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    see(store, 1, NOON - 2 * DAY)
    with store.write() as connection:
        connection.execute(text("ALTER TABLE deliveries RENAME TO lost"))
    caplog.set_level("INFO", "gateway.tasks")

    assert prune_once(store, lambda: NOON, PRUNING, never) is True

    assert caplog.messages == ["pruning of webhook_log failed", "prune: 1 rows of seen_events"]
    assert re.search('no such table: deliveries|"deliveries" does not exist', caplog.text)


def test_without_a_database_no_pruning_and_no_end(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with store.write() as connection:
        connection.execute(text("ALTER TABLE job_runs RENAME TO lost"))

    assert prune_once(store, lambda: NOON, PRUNING, never) is False
    assert "no pruning: " in caplog.text


def test_a_gap_between_sweeps_is_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    for seconds in (0, 5, 15, 600, 605):
        sweep_once(store, NOON + timedelta(seconds=seconds), EVERY)

    [message] = caplog.messages
    assert message.startswith(
        "no sweep ran from 2026-01-20 12:00:15 to 2026-01-20 12:10:00 (585 s): "
    )


def test_a_ping_is_registered_and_sent(queue: Huey, store: Store) -> None:
    asked: list[datetime] = []

    def probe(now: datetime) -> str:
        asked.append(now)
        return "not today"

    watchdog = Watchdog("http://127.0.0.1:9", [probe])
    register_watchdog(queue, store, watchdog, lambda: NOON, EVERY)

    [task] = queue.read_periodic(NOON)
    queue.enqueue(task)
    queue.execute(queue.dequeue())

    assert asked == [NOON]
