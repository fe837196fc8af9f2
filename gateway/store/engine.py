"""Opens the database, the same way for SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, RootTransaction, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.core.errors import Unavailable
from gateway.store import postgresql, sqlite
from gateway.vault import Vault

_RETRY_AFTER = 2.0
_POOL_TIMEOUT = 3
_LOCK_TIMEOUT = timedelta(seconds=5)
_OUTAGE = {"sqlite": sqlite.is_outage, "postgresql": postgresql.is_outage}
_READING: dict[str, dict[str, Any]] = {
    "sqlite": {"readonly": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
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

    @property
    def on_postgresql(self) -> bool:
        """Whether the database is a PostgreSQL server, which other machines may use too."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write.

        On SQLite it holds the only write lock from its beginning; on PostgreSQL it must lock
        the rows that it reads and changes.
        """
        transaction = self.begin()
        try:
            with database_errors(self.engine):
                yield transaction.connection
        except BaseException:
            transaction.roll_back()
            raise
        transaction.commit()

    def begin(self) -> "Transaction":
        """Begin what `write` begins, for a caller who ends it elsewhere."""
        with database_errors(self.engine):
            connection = self.engine.connect()
            try:
                root = connection.begin()
            except BaseException:
                connection.close()
                raise
        return Transaction(self, connection, root)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and never waits for a writer."""
        with database_errors(self.engine), self.engine.connect() as connection:
            yield connection.execution_options(**_READING[self.engine.dialect.name])

    def connect(self) -> Any:
        """A connection of the driver's own, outside of the pool: whoever asks closes it."""
        pooled = self.engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        return connection

    def close(self) -> None:
        """Give all connections back to the system."""
        self.engine.dispose()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One that has begun. Either way of ending it gives the connection back."""

    store: Store
    connection: Connection
    root: RootTransaction

    def commit(self) -> None:
        """Make it last. Raises `Unavailable`, with nothing stored."""
        # Leaving the root commits, and rolls back where that fails.
        with database_errors(self.store.engine), self.connection, self.root:
            written = self.connection.info.pop(_ALERTS, False)
        if written:
            self.store.on_alerts()

    def roll_back(self) -> None:
        """Undo it."""
        with database_errors(self.store.engine):
            self.connection.close()


def note_alerts(connection: Connection) -> None:
    """Make the store call ``on_alerts`` when this transaction commits.

    After a rollback the note stays with the connection: a call too many is harmless.
    """
    connection.info[_ALERTS] = True


@contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Turn "locked", "gone" and "too busy" into `Unavailable`; bugs stay what they are."""
    try:
        yield
    except (DisconnectionError, PoolTimeoutError) as error:
        raise Unavailable("the database does not answer", retry_after=_RETRY_AFTER) from error
    except DBAPIError as error:
        if not error.connection_invalidated and not _OUTAGE[engine.dialect.name](error):
            raise
        reason = str(error.orig).partition("\n")[0]
        raise Unavailable(
            f"the database does not answer: {reason}", retry_after=_RETRY_AFTER
        ) from error


def open_engine(
    url: str, *, lock_timeout: timedelta = _LOCK_TIMEOUT, pool_size: int = 5, create: bool = False
) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql://...``.

    A SQLite file that does not exist is an error unless ``create`` is set, so that a lost
    database is noticed and not silently replaced by an empty one.
    """
    parsed = make_url(url)
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "pool_timeout": _POOL_TIMEOUT,
        "json_serializer": _to_json,
        "json_deserializer": orjson.loads,
    }
    if parsed.get_backend_name() == "sqlite":
        return sqlite.open_sqlite(parsed, lock_timeout=lock_timeout, create=create, **options)
    return postgresql.open_postgresql(parsed, lock_timeout=lock_timeout, **options)


def describe(url: str) -> str:
    """Which database it is, without what only its users may know."""
    parsed = make_url(url)
    return URL.create(
        parsed.drivername, host=parsed.host, port=parsed.port, database=parsed.database
    ).render_as_string()


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def ping(store: Store) -> None:
    """Ask the database for anything; raises `Unavailable`."""
    with store.read() as connection:
        connection.execute(text("SELECT 1 FROM monitors LIMIT 1"))
