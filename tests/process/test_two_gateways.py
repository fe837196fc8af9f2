"""Two machines, one PostgreSQL: two whole gateways that know nothing of each other."""

import base64
import http.client
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import orjson
import pytest
from databases import open_store
from postgres import Databases
from processes import Answer, Place, Running, command_of, is_alive, wait_for
from sqlalchemy import func, select

from gateway.core.model import HEARTBEAT_KEY
from gateway.providers import load_providers
from gateway.store import history, tables
from gateway.store.engine import Store
from gateway.testing import signed
from gateway.vault import KEY_BYTES

pytestmark = pytest.mark.process

BURST = 30
SETTINGS = f"""
heartbeat: {{sweep_every: 1s, grace: 0s}}
limits: {{per_monitor: {{rate: {BURST}/1d, burst: {BURST}}}}}
web: {{graceful_timeout: 5s}}
worker: {{shutdown_timeout: 5s}}
"""
NATIVE = load_providers().get("native").provider
OLD, NEW = "the old secret", "the new secret"


@dataclass
class Pair:
    places: tuple[Place, Place]
    running: tuple[Running, Running]
    store: Store
    token: str

    def manage(self, which: int, method: str, path: str, **fields: Any) -> Answer:
        body = orjson.dumps(fields) if fields else b""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.places[which].request(method, path, body, headers)

    def monitor(self, **fields: Any) -> dict[str, Any]:
        made = self.manage(0, "POST", "/monitors", name="shop", **fields)
        assert made.status == 201, made.body
        monitor: dict[str, Any] = made.json
        return monitor

    def post(
        self, which: int, monitor: dict[str, Any], secret: str | None = None, **body: Any
    ) -> Answer:
        content = orjson.dumps(body or {"status": "up"})
        headers = dict(signed(NATIVE, content, secret).headers) if secret else {}
        path = f"/webhooks/{monitor['webhookToken']}"
        return self.places[which].request("POST", path, content, headers)

    def checks(self, monitor: dict[str, Any]) -> list[Any]:
        return list(history.list_checks(self.store, monitor["id"], before=None, limit=500))


@pytest.fixture(scope="module")
def pair(postgres_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both are started at the same moment, on a database without any table."""
    key = base64.b64encode(bytes(KEY_BYTES)).decode()
    with postgres_databases.new() as name:
        url = postgres_databases.url(name)
        variables = {
            "TACO_DATABASE_URL": url,
            "TACO_ENCRYPTION_KEY": key,
            "TZ": "America/Sao_Paulo",
        }
        first, second = (
            Place(tmp_path_factory.mktemp("machine"), SETTINGS, variables=variables)
            for _ in range(2)
        )
        running = (first.start("up"), second.start("up"))
        store = open_store(url)
        try:
            for each in running:
                each.ready()
            [token] = re.findall(
                r"API token +([0-9a-f]{64})", "".join(each.printed for each in running)
            )
            yield Pair((first, second), running, store, token)
        finally:
            for each in running:
                each.end()
            store.close()


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    gate = threading.Barrier(len(calls))

    def wait_and(call: Callable[[], Answer]) -> Answer:
        gate.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(wait_and, calls))


def test_each_serves_with_a_process_for_each_core(pair: Pair) -> None:
    for each in pair.running:
        serving = [pid for pid in each.children() if command_of(pid).rstrip().endswith("serve")]
        assert len(serving) == 1 + (os.cpu_count() or 1)
        assert "database   postgresql:///taco_test_" in each.printed


def test_a_duplicate_sent_to_both_at_once_is_recorded_once(pair: Pair) -> None:
    monitor = pair.monitor()
    ids = [f"event {number}" for number in range(BURST // 2)]
    outcomes = [
        sorted(
            answer.json["result"]["outcome"]
            for answer in at_once(
                lambda: pair.post(0, monitor, status="down", event_id=one),  # noqa: B023
                lambda: pair.post(1, monitor, status="down", event_id=one),  # noqa: B023
            )
        )
        for one in ids
    ]

    assert outcomes == [["duplicate", "recorded"]] * len(ids)
    assert sorted(check.event_id for check in pair.checks(monitor)) == sorted(ids)
    assert len(history.list_incidents(pair.store, monitor["id"], before=None, limit=9)) == 1


def test_the_rate_limit_is_exact_over_both(pair: Pair) -> None:
    monitor = pair.monitor()

    def many(which: int) -> list[int]:
        return [pair.post(which, monitor).status for _ in range(10)]

    with ThreadPoolExecutor(6) as pool:
        statuses = Counter(chain.from_iterable(pool.map(many, (0, 1) * 3)))

    assert statuses == {200: BURST, 429: 60 - BURST}
    assert len(pair.checks(monitor)) == BURST


def test_a_changed_secret_counts_on_both_at_once(pair: Pair) -> None:
    monitor = pair.monitor(provider="native", webhookSecret=OLD)
    path = f"/monitors/{monitor['id']}"
    for which in (0, 1, 0, 1):
        assert pair.post(which, monitor, OLD).status == 200  # now it is cached

    for changer, secret, before in ((0, NEW, OLD), (1, OLD, NEW)):
        assert pair.manage(changer, "PATCH", path, webhookSecret=secret).status == 200
        for which in (0, 1):
            assert pair.post(which, monitor, before).status == 401
            assert pair.post(which, monitor, secret).status == 200


def test_a_removed_monitor_is_gone_on_both_at_once(pair: Pair) -> None:
    monitor = pair.monitor()
    for which in (0, 1, 0, 1):
        assert pair.post(which, monitor).status == 200

    assert pair.manage(0, "DELETE", f"/monitors/{monitor['id']}").status == 204

    assert [pair.post(which, monitor).status for which in (1, 0)] == [404, 404]


def test_a_revoked_api_token_is_refused_by_both_at_once(pair: Pair) -> None:
    made = pair.places[0].taco("tokens", "add", "ci")
    [token] = re.findall(r"[0-9a-f]{64}", made.stdout)
    other = replace(pair, token=token)
    assert [other.manage(which, "GET", "/monitors").status for which in (0, 1)] == [200, 200]

    pair.places[0].taco("tokens", "revoke", "ci")

    assert [other.manage(which, "GET", "/monitors").status for which in (0, 1)] == [401, 401]


def test_each_missed_heartbeat_is_found_once(pair: Pair) -> None:
    made = [pair.monitor(heartbeatInterval=1) for _ in range(12)]
    ids = {monitor["id"] for monitor in made}

    def found() -> bool:
        query = select(func.count()).where(tables.incidents.c.monitor_id.in_(ids))
        with pair.store.read() as connection:
            return connection.scalar(query) == len(ids)

    wait_for("the sweeps", found)
    wait_for("one more sweep of each", swept_again(pair))

    for monitor in made:
        [check] = pair.checks(monitor)
        assert (check.key, check.status) == (HEARTBEAT_KEY, "down")
        [incident] = history.list_incidents(pair.store, monitor["id"], before=None, limit=9)
        assert [entry.change for entry in incident.timeline] == ["opened"]
    told = [re.findall(r"sweep: (\d+) heartbeats missed", each.printed) for each in pair.running]
    assert sum(int(number) for each in told for number in each) == len(ids)


def swept_again(pair: Pair) -> Callable[[], bool]:
    def slot() -> Any:
        with pair.store.read() as connection:
            runs = tables.job_runs.c
            return connection.scalar(select(runs.slot).where(runs.name == "sweep"))

    before = slot()
    return lambda: (slot() - before).total_seconds() >= 3


def test_sigterm_ends_both_cleanly(pair: Pair) -> None:
    """Last in this file."""
    children = [pid for each in pair.running for pid in each.children()]
    for each in pair.running:
        each.process.send_signal(signal.SIGTERM)

    for each in pair.running:
        assert each.process.wait(10) == 0
        assert "Traceback" not in each.printed
        assert " ERROR " not in each.printed
        assert " WARNING " not in each.printed
    assert not [pid for pid in children if is_alive(pid)]
    for place in pair.places:
        with pytest.raises(OSError, match="refused"):
            http.client.HTTPConnection("127.0.0.1", place.port).connect()
