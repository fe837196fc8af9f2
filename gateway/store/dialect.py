"""The few statements that SQLite and PostgreSQL build with constructors of their own."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def _insert(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def upsert(connection: Connection, table: Table, key: Collection[str]) -> Insert:
    """Insert rows, or replace all other columns of those whose ``key`` exists."""
    statement = _insert(connection, table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in key
    }
    return statement.on_conflict_do_update(index_elements=list(key), set_=others)


def insert_new(connection: Connection, table: Table) -> ReturningInsert[Any]:
    """Insert rows and leave existing ones alone; returns the columns of the primary key.

    What comes back tells which rows are new: row counts differ between the databases.
    """
    statement = _insert(connection, table).on_conflict_do_nothing()
    return statement.returning(*table.primary_key.columns)


def claim_slot(connection: Connection, table: Table) -> ReturningInsert[Any]:
    """Insert a named slot, or move it forward; returns a row only to who moved it."""
    statement = _insert(connection, table)
    return statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"slot": statement.excluded["slot"]},
        where=table.columns["slot"] < statement.excluded["slot"],
    ).returning(table.columns["slot"])
