"""The statement that SQLite and PostgreSQL build with constructors of their own."""

from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def _insert(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


@cache
def claim_slot(dialect: str, table: Table) -> ReturningInsert[Any]:
    """Insert a named slot, or move it forward; returns a row only to who moved it."""
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"slot": statement.excluded["slot"]},
        where=table.columns["slot"] < statement.excluded["slot"],
    ).returning(table.columns["slot"])
