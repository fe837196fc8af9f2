"""Brings the database to the newest schema, and says whether it is there."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from gateway.core.errors import Unavailable
from gateway.store.engine import Store

# Any number that no other program takes: two gateways that start at once migrate in turn.
_ADVISORY_LOCK = 6_287_111_001


def migrate(store: Store) -> str:
    """Run the migrations that are missing, in one transaction; returns the revision."""
    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()


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
