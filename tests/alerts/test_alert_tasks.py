"""The queue's part: a wake-up after each commit, and a look at intervals."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alerting import Desk
from gateways import settings_in
from huey import Huey
from processes import wait_for
from receiving import Reaction, Receiver
from sqlalchemy import text

from gateway.alerts.tasks import (
    Bell,
    Sender,
    forget_old,
    register_alert_tasks,
    register_wake_up,
)
from gateway.app import build_dispatcher, start_alerts
from gateway.store.engine import Store
from gateway.tasks import make_queue_tables, open_queue

EVERY = timedelta(seconds=5)
KEEP = timedelta(days=30)


@pytest.fixture
def queue(store: Store, tmp_path: Path) -> Iterator[Huey]:
    make_queue_tables(store)
    opened = open_queue(store, tmp_path / "queue.db")
    yield opened
    opened.storage.close()


def run_all(queue: Huey) -> list[str]:
    """Run what waits in a queue; returns the names of the tasks."""
    names: list[str] = []
    while len(names) < 20 and (task := queue.dequeue()) is not None:
        names.append(task.name)
        queue.execute(task)
    return names


def test_a_wake_up_of_another_process_sends(
    desk: Desk, receiver: Receiver, queue: Huey, tmp_path: Path
) -> None:
    register_alert_tasks(queue, desk.dispatcher(), threads=4, every=EVERY, keep=KEEP)
    web = open_queue(desk.store, tmp_path / "queue.db")
    wake = register_wake_up(web)
    desk.channel(receiver.url)
    desk.say(desk.monitor(), "down")
    wake()

    assert run_all(queue) == ["send_alerts"]
    assert desk.states() == ["sent"]
    web.storage.close()


def test_the_look_at_intervals_finds_what_nobody_told_of(
    desk: Desk, receiver: Receiver, queue: Huey
) -> None:
    register_alert_tasks(queue, desk.dispatcher(), threads=4, every=EVERY, keep=KEEP)
    desk.channel(receiver.url)
    desk.say(desk.monitor(), "down")
    for task in queue.read_periodic(desk.clock.now):
        queue.enqueue(task)

    assert run_all(queue) == ["look_for_alerts"]
    assert desk.states() == ["sent"]


def test_what_takes_too_long_goes_on_in_another_run(
    desk: Desk, receiver: Receiver, queue: Huey
) -> None:
    def slowly() -> object:
        desk.clock.move(seconds=0.7)
        return desk.clock.now

    dispatcher = desk.dispatcher(clock=slowly)
    wake = register_alert_tasks(queue, dispatcher, threads=4, every=EVERY, keep=KEEP)
    desk.channel(receiver.url)
    for _ in range(3):
        desk.say(desk.monitor(), "down")
    wake()

    assert len(run_all(queue)) > 1
    assert desk.states() == ["sent"] * 3


def test_some_threads_stay_for_the_sweep(desk: Desk, receiver: Receiver) -> None:
    receiver.usual = Reaction(hang=0.3)
    desk.channel(receiver.url)
    desk.say(desk.monitor(), "down")
    sender = Sender(desk.dispatcher(), 1)
    first = threading.Thread(target=sender.send)
    first.start()
    wait_for("the first is on its way", lambda: bool(receiver.received))

    assert sender.send()  # at once: enough others do
    assert len(receiver.received) == 1
    first.join()
    assert desk.states() == ["sent"]


def test_without_a_database_nothing_is_sent_and_nothing_ends(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with desk.store.write() as connection:
        for table in ("alerts", "job_runs"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO lost_{table}"))

    assert Sender(desk.dispatcher(), 1).send()
    assert forget_old(desk.dispatcher(), KEEP) == 0
    assert "no alerts sent: " in caplog.text
    assert "no old alerts deleted: " in caplog.text


def test_old_alerts_are_deleted_once_an_hour(desk: Desk, receiver: Receiver) -> None:
    desk.channel(receiver.url)
    desk.say(desk.monitor(), "down", "up")
    sender = desk.dispatcher()
    desk.send(sender)
    desk.clock.move(days=31)

    assert forget_old(sender, KEEP) == 2
    assert forget_old(sender, KEEP) == 0
    assert desk.rows() == []


class TestBell:
    def test_many_rings_wake_once_or_twice_and_never_zero_times(self) -> None:
        woken: list[int] = []
        go_on, done = threading.Event(), threading.Event()

        def wake() -> None:
            woken.append(1)
            go_on.wait(5)
            if len(woken) == 2:
                done.set()

        bell = Bell(wake)
        for _ in range(50):
            bell.ring()
        go_on.set()
        bell.ring()
        assert done.wait(5)
        assert len(woken) <= 3

    def test_a_queue_that_is_away_is_no_reason_to_fail(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        tried, again = threading.Event(), threading.Event()

        def wake() -> None:
            if tried.is_set():
                again.set()
                return
            tried.set()
            raise OSError("the disk is full")

        bell = Bell(wake)
        bell.ring()
        assert tried.wait(5)
        bell.ring()
        assert again.wait(5)
        assert "the worker was not told of an alert: OSError" in caplog.text


def test_the_worker_starts_without_broken_plugins_and_texts(
    desk: Desk,
    receiver: Receiver,
    queue: Huey,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.py").write_text("1 / 0")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.yaml").write_text("opend: {}")
    config = settings_in(
        tmp_path,
        "plugins: [plugins]\nalerts: {templates: texts, allow_networks: [127.0.0.1]}",
    )
    rung = start_alerts(config, desk.store, queue)
    desk.channel(receiver.url)
    with_bell = replace(desk, store=rung)
    with_bell.say(desk.monitor(), "down")

    assert "no kinds of channel from plugins" in caplog.text
    assert "alerts have the built-in texts" in caplog.text
    wait_for("the wake-up", lambda: queue.pending_count() > 0)
    assert run_all(queue) == ["send_alerts"]
    assert len(receiver.received) == 1


def test_what_is_built_from_the_configuration(desk: Desk, tmp_path: Path) -> None:
    config = settings_in(
        tmp_path,
        "language: en\n"
        "alerts: {timeout: 3s, attempts: 2, allow_networks: [10.0.0.0/8]}\n"
        "email: {host: mail.example.com, sender: taco@example.com}",
        TACO_EMAIL_PASSWORD="the s3cret",
    )
    dispatcher = build_dispatcher(config, desk.store, ())

    assert [kind.name for kind in dispatcher.kinds] == ["webhook", "email", "apprise"]
    assert (dispatcher.outgoing.patience, dispatcher.attempts) == (3.0, 2)
    assert dispatcher.outgoing.allows("10.1.2.3", encrypted=False)
    assert not dispatcher.outgoing.allows("127.0.0.1", encrypted=True)
    assert dispatcher.writer.language == "en"
    assert "s3cret" not in repr(config)
    assert "s3cret" not in repr(dispatcher)
