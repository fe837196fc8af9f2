"""Kills web and worker again and again while incidents open and resolve, and counts alerts.

Senders post changing statuses and repeat whatever was not acknowledged. A receiver on this
machine takes the alerts. After the last kill everything is left to finish, and then:
every transition in the database has its alert, every alert arrived at least once, those of
an incident in their order, and repeated ones with the same id and body.
"""

import argparse
import http.client
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from benchmarks.servers import free_port, read_config
from gateway.alerts.webhook import new_secret
from gateway.app import open_store
from gateway.store import channels, monitors, teams
from gateway.store.channels import ChannelDraft
from gateway.store.migrate import migrate
from gateway.store.monitors import Draft

ROOT = Path(__file__).parent.parent
MONITORS, KEYS, SENDERS = 4, 3, 3
_LONGEST_LIFE = 1.5
_DRAIN_SECONDS = 90
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_CONFIG = """\
data_dir: data
web: {{port: {port}}}
limits:
  per_monitor: {{rate: 1000000/1s, burst: 1000000}}
heartbeat: {{sweep_every: 1s}}
alerts: {{allow_networks: [127.0.0.0/8], timeout: 1s}}
log: {{level: error}}
"""


@dataclass
class Tally:
    """What arrived: each message with its incident and steps, in order; the bodies by id."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    arrivals: list[tuple[str, str, list[str]]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    def take(self, message_id: str, body: bytes) -> None:
        """Note a message that arrived."""
        data = orjson.loads(body)["data"]
        with self.lock:
            if self.bodies.setdefault(message_id, body) != body:
                self.changed.append(message_id)
            steps = [step["alertId"] for step in data["steps"]]
            self.arrivals.append((data["incident"]["id"], message_id, steps))


@contextmanager
def receiver(tally: Tally) -> Iterator[str]:
    """A server that takes alerts; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            tally.take(self.headers["webhook-id"], body)
            # Often slow to answer: so a kill often comes between arrival and answer.
            time.sleep(max(0.0, random.uniform(-0.4, 0.4)))
            with suppress(OSError):  # the worker may be gone by now
                self.send_response(204)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


class Process:
    """A ``taco`` command that is killed and started again."""

    def __init__(self, folder: Path, command: str) -> None:
        self._folder = folder
        self._command = command
        self._log = (folder / f"{command}.log").open("ab")
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TACO_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway", self._command],
            cwd=self._folder,
            env={**environment, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
            stderr=self._log,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Kill it at once, with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        """Kill it for the last time."""
        self.kill()
        self._log.close()


class Sender(threading.Thread):
    """Posts statuses to some monitors, each until it is acknowledged."""

    def __init__(self, port: int, tokens: list[str], seed: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._tokens = tokens
        self._random = random.Random(seed)
        self._stop_event = stop
        self._number = 0
        self.acknowledged = 0

    def run(self) -> None:
        """Post until told to stop."""
        while not self._stop_event.is_set():
            token = self._random.choice(self._tokens)
            key = f"key {self._random.randrange(KEYS)}"
            status = self._random.choice(("up", "degraded", "down"))
            self.post(token, key, status)
            self._stop_event.wait(self._random.uniform(0, 0.05))

    def post(self, token: str, key: str, status: str) -> None:
        """Post one event until it is acknowledged."""
        self._number += 1
        event = {"status": status, "key": key, "event_id": f"{self.name}-{self._number}"}
        while not self._acknowledged(token, orjson.dumps(event)):
            time.sleep(0.05)
        self.acknowledged += 1

    def _acknowledged(self, token: str, body: bytes) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("POST", f"/webhooks/{token}", body)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def prepare(folder: Path, url: str) -> tuple[int, list[str]]:
    """Make a database with monitors and a channel; returns the port and the tokens."""
    port = free_port()
    file = folder / "config.yaml"
    file.write_text(_CONFIG.format(port=port))
    store = open_store(read_config(file), create=True)
    with closing(store):
        migrate(store)
        team = teams.ensure_first_team(store, "main", _NOW)
        if team is None:
            raise RuntimeError("the folder is not empty")
        draft = ChannelDraft("ops", "webhook", {"url": (url,), "secret": (new_secret(),)})
        channels.create(store, team.id, draft, _NOW)
        made = [
            monitors.create(store, team.id, Draft(f"m{n}", provider="native"), _NOW)
            for n in range(MONITORS)
        ]
    return port, [each.token for each in made]


def run(folder: Path, kills: int, seed: int = 1) -> dict[str, int]:
    """Do it; returns what was counted. Raises `AssertionError` for whatever does not hold."""
    chance = random.Random(seed)
    tally = Tally()
    with receiver(tally) as url:
        port, tokens = prepare(folder, url)
        processes = [Process(folder, "serve"), Process(folder, "worker")]
        stop = threading.Event()
        senders = [Sender(port, tokens, seed * 100 + n, stop) for n in range(SENDERS)]
        try:
            for sender in senders:
                sender.start()
            _kill_often(processes, kills, chance)
            stop.set()
            for sender in senders:
                sender.join(30)
            _end_all(senders[0], tokens)
            _drain(folder)
        finally:
            stop.set()
            for process in processes:
                process.end()
        return _check(folder, tally) | {
            "kills": kills,
            "acknowledged": sum(each.acknowledged for each in senders),
        }


def _kill_often(processes: list[Process], kills: int, chance: random.Random) -> None:
    time.sleep(2)  # both have started for the first time
    for _ in range(kills):
        time.sleep(chance.uniform(0.05, _LONGEST_LIFE))
        chosen = chance.choice([processes[:1], processes[1:], processes])
        for process in chosen:
            process.kill()
        for process in chosen:
            process.start()


def _end_all(sender: Sender, tokens: list[str]) -> None:
    for token in tokens:
        for key in range(KEYS):
            sender.post(token, f"key {key}", "up")


def _drain(folder: Path) -> None:
    deadline = time.monotonic() + _DRAIN_SECONDS
    while _count(folder, "SELECT count(*) FROM alerts WHERE state = 'pending'"):
        if time.monotonic() > deadline:
            raise AssertionError("alerts are left that nobody sends")
        time.sleep(0.2)


def _count(folder: Path, query: str) -> int:
    return int(_rows(folder, query)[0][0])


def _rows(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "data" / "gateway.db", timeout=10)) as connection:
        return connection.execute(query).fetchall()


def _check(folder: Path, tally: Tally) -> dict[str, int]:
    transitions = {row[0] for row in _rows(folder, "SELECT id FROM incident_events")}
    alerts = _rows(
        folder, "SELECT id, incident_id, incident_event_id, sequence, state, attempts FROM alerts"
    )
    assert {row[2] for row in alerts} == transitions, "a transition without its alert"
    assert len(alerts) == len(transitions), "an alert too many"
    assert {row[4] for row in alerts} <= {"sent", "merged"}, Counter(row[4] for row in alerts)
    arrived = {alert for _, _, steps in tally.arrivals for alert in steps}
    assert arrived == {row[0] for row in alerts}, "an alert that did not arrive"
    assert not tally.changed, "a repeated alert had another body"
    _check_order(tally, {row[0]: row[3] for row in alerts})
    return {
        "transitions": len(transitions),
        "messages": len(tally.arrivals),
        "repeated": len(tally.arrivals) - len(tally.bodies),
        "merged": sum(row[4] == "merged" for row in alerts),
        "most_attempts": max(row[5] for row in alerts),
    }


def _check_order(tally: Tally, sequence: dict[str, int]) -> None:
    """What is new tells of what follows what was told; what is repeated was the last."""
    last: dict[str, int] = {}
    seen: set[str] = set()
    for incident, message, steps in tally.arrivals:
        numbers = [sequence[alert] for alert in steps]
        told = last.get(incident, 0)
        if message in seen:
            assert numbers[-1] == told, f"incident {incident}: an old message came late"
        else:
            expected = list(range(told + 1, told + 1 + len(numbers)))
            assert numbers == expected, f"incident {incident}: {numbers} after {told}"
        seen.add(message)
        last[incident] = numbers[-1]


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        print(f"seed {options.seed}", flush=True)
        for name, count in run(Path(folder), options.kills, options.seed).items():
            print(f"{name:>14} {count}")


if __name__ == "__main__":
    main()
