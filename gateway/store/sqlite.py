"""Opens an SQLite file so that no update and no acknowledged commit is lost."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from gateway.core.errors import GatewayError

_CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 4000  # 16 MiB: copying back seldom costs less than copying often

_STATEMENTS = 256  # kept prepared for each connection; see the sizes in bulk.py


def open_sqlite(url: URL, *, lock_timeout: timedelta, create: bool, **options: Any) -> Engine:
    """An engine for the file of ``url``; ``create`` makes it where there is none."""
    if not url.database or url.database == ":memory:":
        raise GatewayError("SQLite needs a file: sqlite:///path/to/gateway.db")
    path = Path(url.database).absolute()
    mode = "rwc" if create else "rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, **options)
    _on_connect(engine, path, lock_timeout)
    _on_begin(engine)
    return engine


def is_outage(error: DBAPIError) -> bool:
    """Whether an error tells of the state of the database, and not of a bug."""
    # SQLite tells of a damaged file with the bare class, and of bugs with those below it.
    return isinstance(error, OperationalError) or type(error) is DatabaseError


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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
