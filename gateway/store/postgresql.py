"""Opens a PostgreSQL database that other processes, and other machines, use as well."""

import importlib.util
import select
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.core.errors import GatewayError

_RECYCLE = 1800
_TRUSTED = 30.0
_CONNECT: dict[str, Any] = {
    "application_name": "taco",
    "client_encoding": "utf8",
    "connect_timeout": 5,
    # A server that vanished without a word is noticed within seconds, and not after the
    # quarter of an hour that TCP allows.
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    # Of several hosts, or of one that may become a standby: the one that takes writes.
    "target_session_attrs": "read-write",
}
_READ_ONLY = "25006"
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_OUTAGES = (
    "08",  # connection exceptions
    _READ_ONLY,
    "25P",  # a transaction that was idle, or open, for too long
    "40",  # deadlock, serialization failure
    "42P01",  # no such table, no such column: the database is not migrated yet
    "42703",
    "53",  # out of disk, memory or connections
    "55P03",  # a lock was not to be had in time
    "57",  # cancelled, shutting down, starting up
    "58",  # I/O error
    "XX001",  # damaged data
    "XX002",
)

Connect = Callable[[], Any]
"""Opens a connection of its own, outside of any pool."""


def connector(url: URL, *, lock_timeout: timedelta) -> Connect:
    """What opens connections to ``url``; parameters that it names itself stand above ours.

    Raises `GatewayError` where the driver is not installed.
    """
    if importlib.util.find_spec("psycopg") is None:
        raise GatewayError("PostgreSQL needs the package psycopg: pip install 'psycopg[binary]'")
    import psycopg  # noqa: PLC0415 - an optional dependency

    settings = {
        "timezone": "UTC",
        "lock_timeout": _milliseconds(lock_timeout),
        "statement_timeout": _milliseconds(2 * lock_timeout),
        # A process that stands still must not keep its locks.
        "idle_in_transaction_session_timeout": _milliseconds(2 * lock_timeout),
    }
    _, given = url.get_dialect()().create_connect_args(url)
    options = [f"-c {name}={value}" for name, value in settings.items()]
    given["options"] = " ".join([*options, given.get("options", "")]).strip()
    parameters = {**_CONNECT, **given}

    def connect() -> Any:
        return psycopg.connect(**parameters)

    return connect


def open_postgresql(url: URL, *, lock_timeout: timedelta, **options: Any) -> Engine:
    """An engine for ``url``; waits for locks for ``lock_timeout``."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=connector(url, lock_timeout=lock_timeout),
        pool_recycle=_RECYCLE,
        **options,
    )
    _ask_when_in_doubt(engine)
    _leave_standby(engine)
    return engine


def is_outage(error: DBAPIError) -> bool:
    """Whether an error tells of the state of the database, and not of a bug."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # from the driver: an outage only where no statement was at fault
        return error.statement is None and isinstance(error, OperationalError)
    return str(state).startswith(_OUTAGES)


def _ask_when_in_doubt(engine: Engine) -> None:
    """Ask a connection whether it still lives, where there is a reason to doubt it.

    SQLAlchemy's own ``pool_pre_ping`` asks each time, which costs the recorder a round trip
    for every commit. A server that goes away in order, or is killed, closes its connections:
    that shows without asking. One that vanished with its machine or behind a firewall does
    not, so after some rest a connection is asked anyway.
    """

    @event.listens_for(engine, "checkin")
    def _rest(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        now = time.monotonic()
        rested = now - record.info.get("idle_since", now) > _TRUSTED
        try:
            if rested or _has_news(connection):
                engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the server has ended the connection") from error


def _has_news(connection: Any) -> bool:
    """Whether the server said or did something unasked, such as closing the connection."""
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def _leave_standby(engine: Engine) -> None:
    """After a switch-over, look for the server that takes writes now."""

    @event.listens_for(engine, "handle_error")
    def _reconnect(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True


def _milliseconds(duration: timedelta) -> int:
    return int(duration / timedelta(milliseconds=1))
