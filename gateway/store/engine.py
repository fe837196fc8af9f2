"""Opens the database, the same way for SQLite and PostgreSQL."""

import importlib.util
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from gateway.core.errors import GatewayError, Unavailable
from gateway.vault import Vault

_RETRY_AFTER = 2.0
_POOL_TIMEOUT = 3
_CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 4000  # 16 MiB: copying back seldom costs less than copying often
_LOCK_TIMEOUT = timedelta(seconds=5)
_ALERTS = "alerts written"


def _tell_nobody() -> None:
    """For a store whose process leaves sending to others."""


@dataclass(frozen=True, slots=True)
class Store:
    """The database and the key to the secrets in it; what every store function takes first.

    ``on_alerts`` is called after each commit that put alerts into the outbox.
    """

    engine: Engine
    vault: Vault
    on_alerts: Callable[[], None] = _tell_nobody

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning."""
        with database_errors(), self.engine.begin() as connection:
            yield connection
            written = connection.info.pop(_ALERTS, False)
        if written:
            self.on_alerts()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and never waits for a writer."""
        with database_errors(), self.engine.connect() as connection:
            yield connection.execution_options(readonly=True)

    def close(self) -> None:
        """Give all connections back to the system."""
        self.engine.dispose()


def note_alerts(connection: Connection) -> None:
    """Make the store call ``on_alerts`` when this transaction commits.

    After a rollback the note stays with the connection: a call too many is harmless.
    """
    connection.info[_ALERTS] = True


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn "locked", "gone" and "too busy" into `Unavailable`; bugs stay what they are."""
    try:
        yield
    except (OperationalError, DisconnectionError, PoolTimeoutError) as error:
        raise Unavailable("the database does not answer", retry_after=_RETRY_AFTER) from error
    except DBAPIError as error:
        # SQLite tells of a damaged file with the bare class, and of bugs with those below it.
        if not error.connection_invalidated and type(error) is not DatabaseError:
            raise
        raise Unavailable("the database does not work", retry_after=_RETRY_AFTER) from error


def open_engine(
    url: str, *, lock_timeout: timedelta = _LOCK_TIMEOUT, pool_size: int = 5, create: bool = False
) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql://...``.

    A SQLite file that does not exist is an error unless ``create`` is set, so that a lost
    database is noticed and not silently replaced by an empty one.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, lock_timeout, pool_size, mode="rwc" if create else "rw")
    if importlib.util.find_spec("psycopg") is None:
        raise GatewayError("PostgreSQL needs psycopg: pip install 'taco-gateway[postgres]'")
    return create_engine(
        parsed,
        pool_size=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_timeout=_POOL_TIMEOUT,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
    )


def _sqlite_engine(url: URL, lock_timeout: timedelta, pool_size: int, mode: str) -> Engine:
    if not url.database or url.database == ":memory:":
        raise GatewayError("SQLite needs a file: sqlite:///path/to/gateway.db")
    path = Path(url.database).absolute()

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=pool_size,
        pool_timeout=_POOL_TIMEOUT,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
    )
    _on_connect(engine, path, lock_timeout)
    _on_begin(engine)
    return engine


def _on_connect(engine: Engine, path: Path, lock_timeout: timedelta) -> None:
    pragmas = (
        f"busy_timeout={int(lock_timeout / timedelta(milliseconds=1))}",
        "journal_mode=WAL",
        "synchronous=FULL",  # a commit survives a power cut: accepted means stored
        "foreign_keys=ON",
        f"cache_size={-_CACHE_KIB}",
        "temp_store=MEMORY",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _still_there(_: Any, record: ConnectionPoolEntry, __: Any) -> None:
        # SQLite in WAL mode goes on writing to a file that was deleted or replaced.
        if record.info["file"] != _identity(path):
            raise DisconnectionError("the database file was moved or replaced")


def _on_begin(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Taking the write lock at once is what prevents lost updates: a transaction that
        # reads first and upgrades later works on a state that others have since changed.
        readonly = connection.get_execution_options().get("readonly", False)
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def ping(store: Store) -> None:
    """Ask the database for anything; raises `Unavailable`."""
    with store.read() as connection:
        connection.execute(text("SELECT 1 FROM monitors LIMIT 1"))
