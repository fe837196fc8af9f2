"""Starts and stops the two servers, and looks into the gateway's database."""

import http.client
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.payloads import Target
from gateway.app import open_store
from gateway.config import Config, load_config
from gateway.store import monitors, teams
from gateway.store.migrate import migrate

ROOT = Path(__file__).parent.parent
_START_SECONDS = 30
_STOP_SECONDS = 40
_CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)

# One sender serves all monitors as fast as it can: the limits would stop it.
_CONFIG = """\
data_dir: {folder}
web: {{port: {port}}}
limits:
  per_monitor: {{rate: 1000000/1s, burst: 1000000}}
  unknown_tokens_per_address: 1000000/1s
log: {{level: warning}}
"""


class ServerFailedError(Exception):
    """A server did not start, or ended by itself."""


def write_config(folder: Path, name: str) -> Path:
    """Write a configuration with a free port; all else that counts has its default."""
    file = folder / f"{name}.yaml"
    file.write_text(_CONFIG.format(folder=name, port=free_port()))
    return file


def read_config(file: Path) -> Config:
    """The settings of a server; the environment of the caller does not count."""
    return load_config(file.read_text(), str(file), {})


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def create_monitors(config: Config, count: int) -> list[Target]:
    """Make the database and ``count`` GitHub monitors in it."""
    with closing(open_store(config, create=True)) as store:
        migrate(store)
        team = teams.ensure_first_team(store, "Benchmark", _CREATED_AT)
        if team is None:
            raise ServerFailedError("the database is not new")
        drafts = [
            monitors.Draft(
                f"Benchmark {number:04d}",
                provider="github",
                credentials={"secret": (f"secret-of-{number:04d}",)},
            )
            for number in range(count)
        ]
        made = [monitors.create(store, team.id, draft, _CREATED_AT) for draft in drafts]
    return [Target(monitor.token, monitor.credentials["secret"][0]) for monitor in made]


def count_checks(config: Config) -> int:
    """How many checks the database holds."""
    with closing(sqlite3.connect(config.data_dir / "gateway.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM checks").fetchone()[0])


def gateway_command(config_file: Path) -> list[str]:
    """What starts the gateway."""
    return [sys.executable, "-m", "gateway", "--config", str(config_file), "serve"]


def bare_command(config_file: Path) -> list[str]:
    """What starts the bare server."""
    return [sys.executable, "-m", "benchmarks.bare", "--config", str(config_file)]


@contextmanager
def running(command: list[str], config_file: Path) -> Iterator[int]:
    """Run a server; gives its port once it is ready. Raises `ServerFailedError`."""
    port = read_config(config_file).web.port
    log = config_file.with_suffix(".log")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TACO_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        _wait_until_ready(process, port, log)
        yield port
        if process.poll() is not None:
            raise ServerFailedError(f"{' '.join(command)} ended:\n{log.read_text()}")
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise ServerFailedError(f"the server does not start:\n{log.read_text()}")
        time.sleep(0.1)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with closing(connection):
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
