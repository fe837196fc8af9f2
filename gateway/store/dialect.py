"""The few statements that SQLite and PostgreSQL need in forms of their own."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

# Any number that no other program takes.
_SETUP_LOCK = 6_287_111_001


def _insert(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@cache
def insert_new(dialect: str, table: Table) -> ReturningInsert[Any]:
    """Insert rows and leave existing ones alone; returns the columns of the primary key.

    What comes back tells which rows are new: row counts differ between the databases.
    """
    statement = _insert(dialect, table).on_conflict_do_nothing()
    return statement.returning(*table.primary_key.columns)


@cache
def claim_slot(dialect: str, table: Table) -> ReturningInsert[Any]:
    """Insert a named slot, or move it forward; returns a row only to who moved it."""
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"slot": statement.excluded["slot"]},
        where=table.columns["slot"] < statement.excluded["slot"],
    ).returning(table.columns["slot"])


def wait_for_turn(connection: Connection) -> None:
    """Let one process at a time set the database up, until the end of its transaction.

    SQLite's write lock does that by itself. On PostgreSQL no time limit holds meanwhile: a
    migration may take long, and others wait for it.
    """
    if connection.dialect.name == "postgresql":
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {limit} = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _SETUP_LOCK})
