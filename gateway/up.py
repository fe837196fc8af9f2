"""``taco up``: prepares everything, then runs and supervises the web and worker processes."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import FrameType

from gateway.core.errors import GatewayError

_log = logging.getLogger(__name__)
_POLL = 0.2
_STABLE = 30.0
_MAX_DELAY = 15.0


class PortTaken(GatewayError):
    """Another program listens on the configured port."""

    code = "port_taken"


def check_port(host: str, port: int) -> None:
    """Raise `PortTaken` with what to do when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"cannot listen on {host}:{port} ({error.strerror}): stop the program that "
                f"uses it, or choose another port with TACO_PORT or web.port in config.yaml"
            ) from None


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes]"
    started: float
    delay: float = field(default=0.5)


class Supervisor:
    """Starts processes, restarts the ones that die, and stops them all when told to.

    A process that dies at once again is restarted after a growing pause.
    ``patience`` is how many seconds the processes have to end before they are killed;
    being told a second time ends it.
    """

    def __init__(self, commands: dict[str, Sequence[str]], patience: float) -> None:
        self._commands = commands
        self._patience = patience
        # A plain count: setting an Event in a signal handler can deadlock with its waiter.
        self._orders = 0

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; returns when every process has ended."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        children = [_start(name, command) for name, command in self._commands.items()]
        while not self._pause(_POLL):
            for child in children:
                if child.process.poll() is not None:
                    self._restart(child)
        self._end(children)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._orders += 1

    def _pause(self, seconds: float, orders: int = 1) -> bool:
        """Wait; True as soon as there have been so many orders to stop."""
        end = time.monotonic() + seconds
        while self._orders < orders and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _POLL))
        return self._orders >= orders

    def _restart(self, child: _Child) -> None:
        if time.monotonic() - child.started > _STABLE:
            child.delay = 0.5
        _log.error(
            "the %s process ended with code %s; starting it again in %.1f s",
            child.name,
            child.process.returncode,
            child.delay,
        )
        _kill(child)  # what is left of it may still hold the port
        if self._pause(child.delay):
            return
        child.process = _spawn(child.command)
        child.started = time.monotonic()
        child.delay = min(child.delay * 2, _MAX_DELAY)

    def _end(self, children: list[_Child]) -> None:
        for child in children:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + self._patience
        for child in children:
            while child.process.poll() is None and time.monotonic() < deadline:
                if self._pause(_POLL, orders=2):
                    break
            if child.process.poll() is None:
                _log.error("the %s process does not end; killing it", child.name)
            _kill(child)


def _kill(child: _Child) -> None:
    """End a process with all that it has started, whether or not it lives itself."""
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def _start(name: str, command: Sequence[str]) -> _Child:
    return _Child(name, command, _spawn(command), time.monotonic())


def _spawn(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then
    # stops the processes in order.
    environment = {**os.environ, "TZ": "UTC"}
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "gateway", *command], env=environment, start_new_session=True
    )
