"""Starts real ``taco`` processes in a folder of their own, and looks after their end."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, done: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain: {what}")
        time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Place:
    """A folder with a configuration, for one or more processes after each other."""

    folder: Path
    settings: str = ""
    port: int = field(default_factory=free_port)
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "config.yaml").write_text(self.settings)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "gateway.db"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TACO_")}
        ours = {"PYTHONPATH": str(ROOT), "TACO_PORT": str(self.port)}
        return {**inherited, **ours, **self.variables}

    def taco(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str) -> "Running":
        """Start a command that stays; it leads a process group of its own."""
        number = len(list(self.folder.glob("output-*.txt")))
        output = self.folder / f"output-{number}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, output, self)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz").status == 200
        except OSError:
            return False

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@dataclass
class Running:
    """A process that was started, and everything that it printed."""

    process: "subprocess.Popen[bytes]"
    output: Path
    place: Place

    @property
    def printed(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def ready(self) -> "Running":
        def answers() -> bool:
            assert self.process.poll() is None, self.printed
            return self.place.is_ready()

        wait_for("the gateway answers", answers)
        return self

    def children(self) -> set[int]:
        """The processes below this one, at any depth."""
        found: set[int] = set()
        waiting = [self.process.pid]
        while waiting:
            below = _children(waiting.pop())
            found |= below
            waiting += below
        return found

    def stop(self, number: int = signal.SIGTERM, patience: float = PATIENCE) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(patience)

    def end(self) -> None:
        """Make sure that nothing stays behind, whatever happened before."""
        left = self.children()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in left:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> set[int]:
    try:
        return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
