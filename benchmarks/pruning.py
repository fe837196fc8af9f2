"""Compares the latency of deliveries with and without pruning beside them; see README.md.

Run it with ``python -m benchmarks.pruning``; ``--help`` lists the options.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from sqlalchemy import func, insert, select

from benchmarks import load, servers
from benchmarks.load import Load, Measurement
from benchmarks.payloads import Target, prepare_requests, workflow_run
from gateway.app import open_store
from gateway.ids import new_id
from gateway.store.engine import Store
from gateway.store.tables import checks, deliveries, seen_events

RESULTS = Path(__file__).with_name("results")
MOST = 2.0
_WARM_UP_SECONDS = 2
_BODIES_PER_MONITOR = 2
_SEED = 20260101
_OLD = datetime(2020, 1, 1, tzinfo=UTC)
_FILL = 5000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs of one load, in turns without and with pruning, and how many rows that deleted."""

    connections: int
    alone: list[Measurement]
    pruning: list[Measurement]
    deleted: int

    @property
    def ratio(self) -> float:
        """The 99th percentile with pruning, as a multiple of that without.

        The median over the pairs of runs: those stand next to each other in time.
        """
        pairs = zip(self.pruning, self.alone, strict=True)
        return median(pruning.p99 / alone.p99 for pruning, alone in pairs)

    @property
    def errors(self) -> int:
        """Answers that were not 2xx."""
        return sum(run.errors for run in [*self.alone, *self.pruning])

    @property
    def passed(self) -> bool:
        """Whether pruning went on and disturbed little enough."""
        return self.ratio <= MOST and self.errors == 0 and self.deleted > 0

    def __str__(self) -> str:
        return (
            f"{'PASS' if self.passed else 'FAIL'}  {self.connections} connections: "
            f"p99 with pruning {self.ratio:.2f} <= {MOST:g} times that without, "
            f"{self.deleted} rows deleted, {self.errors} errors"
        )


def main() -> None:
    """Measure, print, write the result; exits with 1 when a bar is missed."""
    options = _options()
    RESULTS.mkdir(exist_ok=True)
    # Beside the results and not in /tmp, which may be in memory and would flatter the disk.
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        results = _measure(options, Path(folder))
    for result in results:
        print(result)
    print(f"Written to {_write(results, options)}")
    sys.exit(not all(result.passed for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of a run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--connections", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--monitors", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=300_000, help="old rows of each kind")
    parser.add_argument(
        "--database", help="the URL of an empty PostgreSQL database, for SQLite none"
    )
    return parser.parse_args()


def _measure(options: argparse.Namespace, folder: Path) -> list[Comparison]:
    file = servers.write_config(folder, "gateway")
    if options.database:
        file.write_text(f"{file.read_text()}database: {{url: '{options.database}'}}\n")
    config = servers.read_config(file)
    print(f"Making {options.monitors} monitors and {options.rows} old rows of each kind")
    targets = servers.create_monitors(config, options.monitors)
    with closing(open_store(config)) as store:
        _fill(store, options.rows)
        with servers.running(servers.gateway_command(file), file) as port:
            return list(_compare(options, port, targets, store, file))


def _fill(store: Store, rows: int) -> None:
    body = zlib.compress(json.dumps(workflow_run(Random(_SEED), 1)).encode(), 1)
    for start in range(0, rows, _FILL):
        batch = [_old_rows(number, body) for number in range(start, min(start + _FILL, rows))]
        with store.write() as connection:
            for table, made in zip(
                (deliveries, checks, seen_events), zip(*batch, strict=True), strict=True
            ):
                connection.execute(insert(table), list(made))


def _old_rows(number: int, body: bytes) -> tuple[dict[str, Any], ...]:
    at = _OLD + timedelta(seconds=number)
    common = {
        "monitor_id": f"MONITOR{number % 1000:019}",
        "received_at": at,
        "rule": "workflow run",
    }
    delivery = {
        **common,
        "id": new_id(at),
        "provider": "github",
        "outcome": "recorded",
        "reason": "",
        "method": "POST",
        "headers": {"user-agent": "GitHub-Hookshot/benchmark"},
        "remote_address": "192.0.2.1",
        "body_size": len(body),
        "body_sha256": "0" * 64,
        "body": body,
    }
    check = {
        **common,
        "id": new_id(at),
        "key": "owner/service/1@main",
        "status": "up",
        "message": "Build success on main",
        "metadata": {},
        "occurred_at": at,
        "late": False,
        "delivery_id": delivery["id"],
    }
    seen = {"monitor_id": common["monitor_id"], "event_id": f"event {number}", "seen_at": at}
    return delivery, check, seen


def _compare(
    options: argparse.Namespace, port: int, targets: list[Target], store: Store, file: Path
) -> Iterator[Comparison]:
    requests = prepare_requests(targets, _BODIES_PER_MONITOR, _SEED)
    numbers = count(1)

    def apply(connections: int, seconds: int) -> Measurement:
        return load.measure(Load(requests, port, connections, seconds, next(numbers)))

    for connections in options.connections:
        apply(connections, _WARM_UP_SECONDS)
        alone, pruning, before = [], [], _old(store)
        print(f"\n{connections:3} connections  requests/s   p50 ms   p99 ms   max ms  errors")
        # In turns, so that a machine that slows down meanwhile slows both.
        for number in range(options.runs):
            alone.append(_shown(f"alone {number + 1}", apply(connections, options.seconds)))
            with _pruning(file, store):
                run = apply(connections, options.seconds)
            pruning.append(_shown(f"pruning {number + 1}", run))
        yield Comparison(connections, alone, pruning, before - _old(store))


def _old(store: Store) -> int:
    """How many old rows are left."""
    with store.read() as connection:
        return sum(
            connection.scalar(select(func.count()).where(column < end)) or 0
            for column, end in (
                (deliveries.c.id, "01H"),
                (checks.c.id, "01H"),
                (seen_events.c.seen_at, datetime(2023, 1, 1, tzinfo=UTC)),
            )
        )


def _oldest(store: Store) -> list[str]:
    """The least id of each table, from which it is seen that pruning has begun."""
    columns = (deliveries.c.id, checks.c.id, seen_events.c.seen_at)
    with store.read() as connection:
        return [str(connection.scalar(select(func.min(column)))) for column in columns]


@contextmanager
def _pruning(file: Path, store: Store) -> Iterator[None]:
    """Prune in a process of its own, as the worker does; it must go on to the end."""
    command = [sys.executable, "-m", "gateway", "--config", str(file), "prune"]
    process = subprocess.Popen(command, cwd=servers.ROOT, stdout=subprocess.DEVNULL)
    oldest = _oldest(store)
    try:
        while process.poll() is None and _oldest(store) == oldest:
            time.sleep(0.1)
        yield
        if process.poll() is not None:
            raise servers.ServerFailedError("pruning ended before the run: use more --rows")
    finally:
        process.kill()
        process.wait()


def _shown(name: str, run: Measurement) -> Measurement:
    print(
        f"{name:15} {run.requests_per_second:11.0f} {run.p50:8.1f} {run.p99:8.1f}"
        f" {run.max:8.1f} {run.errors:7}",
        flush=True,
    )
    return run


def _write(results: list[Comparison], options: argparse.Namespace) -> Path:
    file = RESULTS / time.strftime("pruning-%Y%m%dT%H%M%SZ.json", time.gmtime())
    content = {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "options": {**vars(options), "database": "postgresql" if options.database else "sqlite"},
        "results": [
            {**dataclasses.asdict(each), "ratio": each.ratio, "passed": each.passed}
            for each in results
        ],
    }
    file.write_text(json.dumps(content, indent=2) + "\n")
    return file


if __name__ == "__main__":
    main()
