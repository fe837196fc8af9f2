"""Compares requests per second with and without storing; see README.md.

Run it with ``make bench``, or ``python -m benchmarks.run --help`` for the options.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks import load, servers, wrk
from benchmarks.load import Load, Measurement
from benchmarks.payloads import PreparedRequest, prepare_requests

RESULTS = Path(__file__).with_name("results")
LEAST_RATIO = 0.12
MOST_P99 = 250.0
_WARM_UP_SECONDS = 2
_BODIES_PER_MONITOR = 2
_SEED = 20260101

Apply = Callable[[int, int], Measurement]
"""Applies the load for so many seconds to a port."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that must hold."""

    text: str
    passed: bool

    def __str__(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.text}"


@dataclass(frozen=True, slots=True)
class Result:
    """All measurements, and how many answers and rows there were in the end."""

    bare: list[Measurement]
    stored: list[Measurement]
    answered: int
    rows: int

    @property
    def ratio(self) -> float:
        """Requests per second with storing, as a share of those without."""
        bare = median(run.requests_per_second for run in self.bare)
        return median(run.requests_per_second for run in self.stored) / bare if bare else 0.0

    @property
    def bars(self) -> list[Bar]:
        """What must hold."""
        p99 = median(run.p99 for run in self.stored)
        errors = sum(run.errors for run in [*self.bare, *self.stored])
        return [
            Bar(f"stored/bare {self.ratio:.3f} >= {LEAST_RATIO}", self.ratio >= LEAST_RATIO),
            Bar(f"p99 {p99:.1f} ms < {MOST_P99:.0f} ms", p99 < MOST_P99),
            Bar(
                f"{self.rows} rows == {self.answered} answers with 2xx",
                self.rows == self.answered > 0,
            ),
            Bar(f"{errors} errors == 0", errors == 0),
        ]


def main() -> None:
    """Measure, print, write the result; exits with 1 when a bar is missed."""
    options = _options()
    RESULTS.mkdir(exist_ok=True)
    # Beside the results and not in /tmp, which may be in memory and would flatter the disk.
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        result = _measure(options, Path(folder))
    for bar in result.bars:
        print(bar)
    print(f"Written to {_write(result, options)}")
    sys.exit(not all(bar.passed for bar in result.bars))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of a run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--monitors", type=int, default=1000)
    parser.add_argument(
        "--generator",
        choices=["wrk", "python"],
        default="wrk" if wrk.is_installed() else "python",
        help="default: wrk if it is installed",
    )
    return parser.parse_args()


def _measure(options: argparse.Namespace, folder: Path) -> Result:
    bare_config = servers.write_config(folder, "bare")
    gateway_config = servers.write_config(folder, "gateway")
    config = servers.read_config(gateway_config)
    print(f"Making {options.monitors} monitors")
    targets = servers.create_monitors(config, options.monitors)
    requests = prepare_requests(targets, _BODIES_PER_MONITOR, _SEED)
    apply = _generator(options, requests, folder)
    with (
        servers.running(servers.bare_command(bare_config), bare_config) as bare_port,
        servers.running(servers.gateway_command(gateway_config), gateway_config) as gateway_port,
    ):
        apply(bare_port, _WARM_UP_SECONDS)
        warm_up = apply(gateway_port, _WARM_UP_SECONDS)
        _print_head(options.generator)
        bare, stored = [], []
        # In turns, so that a machine that slows down meanwhile slows both.
        for number in range(options.runs):
            bare.append(_shown(f"bare {number + 1}", apply(bare_port, options.seconds)))
            stored.append(_shown(f"stored {number + 1}", apply(gateway_port, options.seconds)))
    answered = warm_up.ok + sum(run.ok for run in stored)
    return Result(bare, stored, answered, servers.count_checks(config))


def _generator(options: argparse.Namespace, requests: list[PreparedRequest], folder: Path) -> Apply:
    runs = count(1)
    file = folder / "requests"
    if options.generator == "wrk":
        wrk.write_requests(requests, file)

    def apply(port: int, seconds: int) -> Measurement:
        job = Load(requests, port, options.connections, seconds, next(runs))
        return wrk.measure(job, file) if options.generator == "wrk" else load.measure(job)

    return apply


def _print_head(generator: str) -> None:
    print(f"\n{generator:10} requests/s   p50 ms   p99 ms   max ms  errors")


def _shown(name: str, run: Measurement) -> Measurement:
    print(
        f"{name:10} {run.requests_per_second:10.0f} {run.p50:8.1f} {run.p99:8.1f}"
        f" {run.max:8.1f} {run.errors:7}",
        flush=True,
    )
    return run


def _write(result: Result, options: argparse.Namespace) -> Path:
    file = RESULTS / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())
    content = {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "options": vars(options),
        **dataclasses.asdict(result),
        "ratio": result.ratio,
        "bars": [dataclasses.asdict(bar) for bar in result.bars],
    }
    file.write_text(json.dumps(content, indent=2) + "\n")
    return file


if __name__ == "__main__":
    main()
