"""The few statements that SQLite and PostgreSQL build with constructors of their own."""

from functools import cache
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def _insert(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@cache
def upsert(dialect: str, table: Table, key: tuple[str, ...]) -> Insert:
    """Insert rows, or replace all other columns of those whose ``key`` exists."""
    statement = _insert(dialect, table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in key
    }
    return statement.on_conflict_do_update(index_elements=key, set_=others)


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
