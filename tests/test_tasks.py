"""The periodic work and the queue that carries it."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from huey import SqliteHuey
from huey.registry import Message

from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft
from gateway.store.teams import NewTeam
from gateway.tasks import (
    JsonSerializer,
    open_queue,
    register_tasks,
    register_watchdog,
    sweep_once,
)
from gateway.watchdog import Watchdog

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
EVERY = timedelta(seconds=5)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SqliteHuey]:
    opened = open_queue(tmp_path / "queue.db")
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


def test_the_queue_holds_json_and_no_pickles(queue: SqliteHuey, tmp_path: Path) -> None:
    done: list[int] = []

    @queue.task()  # type: ignore[untyped-decorator]
    def add(one: int, other: int) -> None:
        done.append(one + other)

    add(1, 2)
    queue.add_schedule(add.s(3, 4, delay=60))
    with closing(sqlite3.connect(tmp_path / "queue.db")) as connection:
        [[waiting]] = connection.execute("SELECT data FROM task").fetchall()
        [[scheduled]] = connection.execute("SELECT data FROM schedule").fetchall()

    assert [json.loads(data)["args"] for data in (waiting, scheduled)] == [[1, 2], [3, 4]]
    assert json.loads(scheduled)["eta"]
    queue.execute(queue.dequeue())
    assert done == [3]
    [later] = queue.scheduled()
    assert (list(later.args), type(later.eta)) == ([3, 4], datetime)


def test_what_is_no_json_does_not_run(queue: SqliteHuey) -> None:
    queue.storage.enqueue(b"\x80\x04cos\nsystem\n(S'true'\ntR.")

    with pytest.raises(ValueError, match=r"decode|utf-8"):
        queue.dequeue()


def test_the_sweep_is_registered_and_runs(queue: SqliteHuey, store: Store) -> None:
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


def test_without_a_database_no_sweep_and_no_end(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.close()
    (tmp_path / "gateway.db").rename(tmp_path / "away.db")
    assert sweep_once(store, NOON, EVERY) is False
    assert "no sweep: " in caplog.text

    (tmp_path / "away.db").rename(tmp_path / "gateway.db")
    assert sweep_once(store, NOON, EVERY) is True


def test_a_gap_between_sweeps_is_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    for seconds in (0, 5, 15, 600, 605):
        sweep_once(store, NOON + timedelta(seconds=seconds), EVERY)

    [message] = caplog.messages
    assert message.startswith(
        "no sweep ran from 2026-01-20 12:00:15 to 2026-01-20 12:10:00 (585 s): "
    )


def test_a_ping_is_registered_and_sent(queue: SqliteHuey, store: Store) -> None:
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
