"""What has been acknowledged is stored, also if the power goes in the next moment."""

import http.client
import os
import random
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from processes import Place

from gateway.app import open_store, utc_now
from gateway.config import load_config
from gateway.providers import load_providers
from gateway.store import monitors, teams
from gateway.store.migrate import migrate
from gateway.store.monitors import Draft, Monitor
from gateway.testing import signed

pytestmark = pytest.mark.process

ROUNDS = 5
CLIENTS = 4
SECRET = "the secret"
NATIVE = load_providers().get("native").provider
SETTINGS = "limits: {per_monitor: {rate: 100000/1s, burst: 100000}}"


def prepare(place: Place) -> list[Monitor]:
    store = open_store(load_config(SETTINGS, str(place.folder / "config.yaml"), {}), create=True)
    migrate(store)
    team = teams.ensure_first_team(store, "main", utc_now())
    assert team is not None
    draft = Draft("shop", provider="native", credentials={"secret": (SECRET,)})
    made = [monitors.create(store, team.id, draft, utc_now()) for _ in range(2)]
    store.close()
    return made


class Client(threading.Thread):
    """Posts distinct deliveries over one connection until the server is gone."""

    def __init__(self, name: str, port: int, targets: list[Monitor]) -> None:
        super().__init__(name=name)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._targets = targets
        self.acknowledged: list[tuple[str, str]] = []

    def run(self) -> None:
        try:
            for number in range(100_000):
                self._post(number)
        except (OSError, http.client.HTTPException):
            self._connection.close()

    def _post(self, number: int) -> None:
        event_id = f"{self.name}-{number}"
        target = self._targets[number % len(self._targets)]
        body = {
            "status": ("up", "degraded", "down")[number * 7 % 3],
            "key": f"key {number % 5}",
            "event_id": event_id,
        }
        delivery = signed(NATIVE, orjson.dumps(body), SECRET)
        path = f"/webhooks/{target.token}"
        self._connection.request("POST", path, delivery.body, dict(delivery.headers))
        response = self._connection.getresponse()
        response.read()
        if response.status == 200:
            self.acknowledged.append((target.id, event_id))


def test_what_was_acknowledged_survives(tmp_path: Path) -> None:
    place = Place(tmp_path, SETTINGS)
    targets = prepare(place)
    acknowledged: list[tuple[str, str]] = []

    for number in range(ROUNDS):
        running = place.start("serve")
        try:
            running.ready()
            check_state(place, acknowledged)
            clients = [Client(f"{number}-{n}", place.port, targets) for n in range(CLIENTS)]
            for client in clients:
                client.start()
            clients[0].join(random.uniform(0.1, 0.6))
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
            for client in clients:
                client.join(15)
                acknowledged += client.acknowledged
        finally:
            running.end()

    assert len(acknowledged) > ROUNDS * CLIENTS
    check_state(place, acknowledged)


def check_state(place: Place, acknowledged: list[tuple[str, str]]) -> None:
    with closing(sqlite3.connect(place.database)) as connection:
        run = connection.execute
        assert run("PRAGMA integrity_check").fetchall() == [("ok",)]
        stored = run("SELECT monitor_id, event_id FROM checks").fetchall()
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
        assert set(run("SELECT monitor_id, event_id FROM seen_events")) == set(stored)
        signals = run("SELECT monitor_id, status, count(*) FROM signals GROUP BY 1, 2").fetchall()
        counters = run(
            "SELECT id, signals_up, signals_degraded, signals_down, status FROM monitors"
        ).fetchall()
        for monitor_id, up, degraded, down, status in counters:
            counted = {s: n for m, s, n in signals if m == monitor_id}
            assert (up, degraded, down) == tuple(
                counted.get(s, 0) for s in ("up", "degraded", "down")
            )
            worst = "down" if down else "degraded" if degraded else "up" if up else "pending"
            assert status == worst
        bad = run("SELECT monitor_id, key, incident_id FROM signals WHERE status != 'up'")
        opened = run("SELECT monitor_id, key, id FROM incidents WHERE resolved_at IS NULL")
        assert set(bad.fetchall()) == set(opened.fetchall())
        deliveries = run("SELECT count(*) FROM deliveries").fetchone()[0]
        assert deliveries >= len(acknowledged)
