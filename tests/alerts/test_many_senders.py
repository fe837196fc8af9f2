"""Several senders and several writers at once, on one database."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from alerting import Desk
from receiving import Receiver
from recording import NO_LIMIT, at, delivery, event

from gateway.app import utc_now
from gateway.store.monitors import Monitor
from gateway.store.record import record

WRITERS, SENDERS, ROUNDS = 3, 3, 40


def write(desk: Desk, monitors: list[Monitor], writer: int) -> None:
    """Flip signals at random, several monitors in one transaction."""
    chance = random.Random(writer)
    for number in range(ROUNDS):
        second = number * WRITERS + writer
        entries = [
            delivery(
                monitor,
                event(chance.choice(("up", "degraded", "down")), second, key=f"key {number % 2}"),
                received=(utc_now() - at(0)).total_seconds(),
            )
            for monitor in chance.sample(monitors, 3)
        ]
        record(desk.store, entries, NO_LIMIT)


def test_each_alert_is_sent_once_and_in_order(desk: Desk, receiver: Receiver) -> None:
    for minutes in ((), (30,)):
        reminders = tuple(timedelta(minutes=each) for each in minutes)
        desk.channel(receiver.url, reminders=reminders)
    monitors = [desk.monitor() for _ in range(6)]
    sender = desk.dispatcher(clock=utc_now, patience=10.0)
    written = threading.Event()

    def send() -> None:
        while not written.is_set():
            sender.run(utc_now() + timedelta(seconds=1))
        assert sender.run(utc_now() + timedelta(seconds=30))

    with ThreadPoolExecutor(WRITERS + SENDERS) as pool:
        sending = [pool.submit(send) for _ in range(SENDERS)]
        writing = [pool.submit(write, desk, monitors, n) for n in range(WRITERS)]
        problems = [each.exception() for each in writing]
        written.set()
        problems += [each.exception() for each in sending]

    assert problems == [None] * (WRITERS + SENDERS)
    rows = desk.rows(reminder=0)
    left = [row for row in rows if row.state not in {"sent", "merged"}]
    assert [(row.state, row.attempts, row.last_error) for row in left] == []
    steps = [step["alertId"] for each in receiver.received for step in each.json["data"]["steps"]]
    assert Counter(steps) == Counter(row.id for row in rows)
    place = {row.id: (row.incident_id, row.channel_id, row.sequence) for row in rows}
    last: dict[tuple[str, str], int] = {}
    for incident, channel, sequence in map(place.__getitem__, steps):
        assert sequence > last.get((incident, channel), 0)  # reminders are numbered too
        last[incident, channel] = sequence
