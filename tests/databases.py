"""Real, migrated databases for tests."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import postgres
import psycopg
import pytest
from postgres import Databases
from sqlalchemy.engine import make_url

from gateway.store.engine import Store, open_engine
from gateway.store.migrate import migrate
from gateway.vault import KEY_BYTES, Vault

BOTH = ("sqlite", "postgresql")
NOT_TESTED = "not tested on PostgreSQL"
T = TypeVar("T")


class NewDatabase(Protocol):
    """Makes the URL of a migrated database without rows; ``folder`` is for its file, if any."""

    def __call__(self, folder: Path) -> AbstractContextManager[str]: ...


@contextmanager
def available(server: AbstractContextManager[T]) -> Iterator[T]:
    """The server; without one the test is skipped, or fails where it is required."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(server)
        except postgres.NoServerError as error:
            complain = pytest.fail if postgres.is_required() else pytest.skip
            complain(f"{NOT_TESTED}: {error}")
        yield started


def open_store(url: str, *, create: bool = False) -> Store:
    return Store(open_engine(url, create=create), Vault(bytes(KEY_BYTES)))


def migrate_new(url: str) -> None:
    store = open_store(url, create=True)
    migrate(store)
    store.close()


def copies_of_file(template: Path) -> NewDatabase:
    @contextmanager
    def new(folder: Path) -> Iterator[str]:
        shutil.copy(template, folder / "gateway.db")
        yield f"sqlite:///{folder / 'gateway.db'}"

    return new


def copies_of_database(databases: Databases, template: str) -> NewDatabase:
    @contextmanager
    def new(folder: Path) -> Iterator[str]:  # noqa: ARG001 - the server has its own
        with databases.new(template) as name:
            yield databases.url(name)

    return new


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody else writes and does not come to an end; whoever only reads is not kept."""
    database = make_url(url).database
    if database is not None and url.startswith("sqlite"):
        file = sqlite3.connect(database, isolation_level=None)
        file.execute("BEGIN IMMEDIATE")
        yield
        file.close()
        return
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE monitors IN EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def unreachable(url: str) -> Iterator[None]:
    """A PostgreSQL database that ended all connections and takes no new ones."""
    name = make_url(url).database
    elsewhere = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
