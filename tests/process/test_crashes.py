"""Two gateways, two workers and PostgreSQL, all killed again and again under load.

`TACO_TEST_KILLS` says how often; ``python -m benchmarks.crashes`` does it for long.
"""

import base64
import http.client
import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import orjson
import postgres
import pytest
from databases import available, migrate_new, open_store
from processes import Place, Running, wait_for
from sqlalchemy import Executable, func, select, text

from gateway.app import utc_now
from gateway.core.model import HEARTBEAT_KEY
from gateway.providers import load_providers
from gateway.store import monitors, tables, teams
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.testing import signed
from gateway.vault import KEY_BYTES

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("TACO_TEST_KILLS", "6"))
SENDERS = 4
MONITORS = 3
SECRET = "the secret"
NATIVE = load_providers().get("native").provider
SETTINGS = """
database: {busy_timeout: 2s}
heartbeat: {sweep_every: 1s}
web: {workers: 2}
limits: {per_monitor: {rate: 1000000/1s, burst: 1000000}}
"""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_log = logging.getLogger(__name__)


@dataclass
class Machine:
    """A web process and a worker, without a supervisor: the test is that."""

    place: Place
    running: dict[str, Running] = field(default_factory=dict)

    def start(self) -> None:
        for command in ("serve", "worker"):
            if command not in self.running:
                self.running[command] = self.place.start(command)

    def kill(self, *commands: str) -> None:
        for command in commands:
            running = self.running.pop(command)
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()

    def kill_child(self) -> None:
        """One of the processes that serve; their parent starts another."""
        with suppress(ProcessLookupError):
            os.kill(random.choice(sorted(self.running["serve"].children())), signal.SIGKILL)

    def post(self, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bool:
        """Whether it was acknowledged."""
        connection = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=10)
        try:
            connection.request("POST", path, body, headers or {})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass
class Sender(threading.Thread):
    """Posts distinct events, each until it is acknowledged, and heartbeats between them."""

    number: int
    machines: list[Machine]
    targets: list[Monitor]
    over: threading.Event
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    again: list[tuple[Monitor, str]] = field(default_factory=list)
    failures: int = 0

    def __post_init__(self) -> None:
        super().__init__(name=f"sender-{self.number}")

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        count = 0
        while not self.over.is_set():
            target = self.targets[count % len(self.targets)]
            self.send(target, f"{self.name}-{count}")
            count += 1
            if count % 20 == 0:
                self.beat(target)

    def send(self, target: Monitor, event_id: str) -> None:
        status = ("up", "degraded", "down")[len(self.acknowledged) * 7 % 3]
        key = f"key {len(self.acknowledged) % 5}"
        body = orjson.dumps({"status": status, "key": key, "event_id": event_id})
        delivery = signed(NATIVE, body, SECRET)
        machine = random.choice(self.machines)
        if machine.post(f"/webhooks/{target.token}", body, dict(delivery.headers)):
            self.acknowledged.append((target.id, event_id))
        else:
            self.failures += 1
            self.again.append((target, event_id))
            time.sleep(0.01)

    def beat(self, target: Monitor) -> None:
        random.choice(self.machines).post(f"/webhooks/{target.token}/heartbeat")

    def send_again(self) -> None:
        waiting, self.again = self.again, []
        for target, event_id in waiting:
            self.send(target, event_id)
        assert not self.again


@dataclass
class Scene:
    server: postgres.Server
    machines: list[Machine]
    store: Store
    targets: list[Monitor]

    def strike(self, victim: str) -> None:
        machine = random.choice(self.machines)
        match victim:
            case "server process":
                machine.kill_child()
            case "postgresql":
                self.server.kill()
                time.sleep(random.uniform(0, 0.3))
                self.server.start()
            case "machine":
                machine.kill("serve", "worker")
            case command:
                machine.kill(command)

    def recover(self) -> None:
        for machine in self.machines:
            machine.start()
        for machine in self.machines:
            wait_for("the gateway answers", machine.place.is_ready)

    def stored(self) -> list[tuple[str, str]]:
        return [
            (row.monitor_id, row.event_id)
            for row in self.rows(
                select(tables.checks.c.monitor_id, tables.checks.c.event_id).where(
                    tables.checks.c.event_id.is_not(None)
                )
            )
        ]

    def rows(self, query: Executable) -> Sequence[Any]:
        with self.store.read() as connection:
            return connection.execute(query).all()


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    with available(postgres.server(**DURABLE)) as started:
        yield started


@pytest.fixture
def scene(server: postgres.Server, tmp_path: Path) -> Iterator[Scene]:
    with server.databases.new() as name:
        url = server.databases.url(name)
        migrate_new(url)
        store = open_store(url)
        team = teams.ensure_first_team(store, "main", utc_now())
        assert team is not None
        draft = Draft(
            "shop",
            provider="native",
            credentials={"secret": (SECRET,)},
            heartbeat_interval=1,
            heartbeat_grace=0,
        )
        targets = [monitors.create(store, team.id, draft, utc_now()) for _ in range(MONITORS)]
        machines = [Machine(place(tmp_path / str(number), url)) for number in range(2)]
        opened = Scene(server, machines, store, targets)
        try:
            opened.recover()
            yield opened
        finally:
            for machine in machines:
                machine.kill(*machine.running)
            store.close()


def place(folder: Path, url: str) -> Place:
    folder.mkdir()
    key = base64.b64encode(bytes(KEY_BYTES)).decode()
    return Place(folder, SETTINGS, variables={"TACO_DATABASE_URL": url, "TACO_ENCRYPTION_KEY": key})


VICTIMS = ("postgresql", "serve", "worker", "postgresql", "server process", "machine")


def test_nothing_acknowledged_is_lost_and_nothing_counts_twice(scene: Scene) -> None:
    over = threading.Event()
    senders = [Sender(n, scene.machines, scene.targets, over) for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for number, victim in enumerate(islice(cycle(VICTIMS), KILLS), 1):
            time.sleep(random.uniform(0.05, 0.5))
            scene.strike(victim)
            scene.recover()
            count = sum(len(sender.acknowledged) for sender in senders)
            _log.info("kill %d: %s; %d acknowledged so far", number, victim, count)
    finally:
        over.set()
        for sender in senders:
            sender.join(30)

    acknowledged = [pair for sender in senders for pair in sender.acknowledged]
    unclear = [(m.id, event_id) for sender in senders for m, event_id in sender.again]
    stored = scene.stored()
    _log.info("%d acknowledged, %d not, %d stored", len(acknowledged), len(unclear), len(stored))
    assert len(acknowledged) > 10 * KILLS
    assert set(acknowledged) <= set(stored) <= set(acknowledged) | set(unclear)
    assert max(Counter(stored).values()) == 1
    check_state(scene)

    for sender in senders:
        sender.send_again()
    assert sorted(scene.stored()) == sorted(acknowledged + unclear)
    check_state(scene)


def check_state(scene: Scene) -> None:
    """Counters, signals, incidents and seen events tell the same story."""
    signals, seen = tables.signals.c, tables.seen_events.c
    counted = scene.rows(
        select(signals.monitor_id, signals.status, func.count()).group_by(
            signals.monitor_id, signals.status
        )
    )
    for row in scene.rows(select(tables.monitors)):
        of_monitor = {status: count for monitor, status, count in counted if monitor == row.id}
        assert (row.signals_up, row.signals_degraded, row.signals_down) == tuple(
            of_monitor.get(status, 0) for status in ("up", "degraded", "down")
        )
    assert sorted(scene.rows(select(seen.monitor_id, seen.event_id))) == sorted(scene.stored())
    bad = select(signals.monitor_id, signals.key, signals.incident_id).where(signals.status != "up")
    opened = text("SELECT monitor_id, key, id FROM incidents WHERE resolved_at IS NULL")
    assert sorted(scene.rows(bad)) == sorted(map(tuple, scene.rows(opened)))
    checks = tables.checks.c
    missed = scene.rows(
        select(checks.monitor_id, checks.occurred_at).where(
            checks.key == HEARTBEAT_KEY, checks.status == "down"
        )
    )
    assert len(missed) == len(set(missed))  # each deadline once
