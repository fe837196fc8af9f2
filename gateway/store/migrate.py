"""Brings the database to the newest schema, and says whether it is there."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from gateway.core.errors import GatewayError, Unavailable
from gateway.store.dialect import wait_for_turn
from gateway.store.engine import Store


def migrate(store: Store) -> str:
    """Run the migrations that are missing, in one transaction; returns the revision.

    Any number of processes may do so at once. Raises `GatewayError` for a database that
    cannot hold every text.
    """
    with store.write() as connection:
        wait_for_turn(connection)
        _check_encoding(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise GatewayError(
            f"the database has the encoding {encoding}, which has no place for most characters: "
            "make it anew with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )


def check_migrated(store: Store) -> None:
    """Raise `Unavailable` unless the database has the schema of this release."""
    with store.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != newest_revision():
        raise Unavailable(
            f"the database schema is {current or 'empty'}, this release needs "
            f"{newest_revision()}: run 'taco migrate'",
            retry_after=30,
        )


@cache
def newest_revision() -> str:
    """The revision that this release expects."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are installed")
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
