"""Refuses connections of a library that makes its own, to addresses that must not be called.

Python tells an audit hook of every connection before it is made, with the address that
was resolved (https://docs.python.org/3/library/audit_events.html). So the check cannot be
got round by a name that resolves differently the second time, nor by a redirect.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

Allows = Callable[[str], bool]

_SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}


class Refused(PermissionError):
    """A connection that the guard did not let through."""


class Guard:
    """What is refused while it is in force, and the last address that was."""

    def __init__(self, allows: Allows) -> None:
        self._allows = allows
        self.refused: str | None = None

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise `Refused` for a forbidden event; the hook calls this."""
        if event in _PROGRAMS:
            self.refused = "another program"
        elif event in _SENDING:
            address = arguments[1]
            host = str(address[0]) if isinstance(address, tuple) else "a local socket"
            if self._allows(host):
                return
            self.refused = host
        else:
            return
        raise Refused(f"{self.refused} must not be called")


_current: ContextVar[Guard | None] = ContextVar("guard", default=None)


@contextmanager
def guarded(allows: Allows) -> Iterator[Guard]:
    """Let this thread connect only to addresses that ``allows`` says yes to."""
    _install()
    guard = Guard(allows)
    token = _current.set(guard)
    try:
        yield guard
    finally:
        _current.reset(token)


@cache
def _install() -> None:
    # A hook stays for the life of the process, so it comes with the first need of it.
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _SENDING or event in _PROGRAMS:
        guard = _current.get()
        if guard is not None:
            guard.check(event, arguments)
