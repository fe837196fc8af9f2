"""Runs one statement for many rows: the inner loop of the record transaction.

SQLAlchemy works out names, types and defaults anew for each row of an ``executemany``,
which cost a third of the transaction. Here a statement is compiled once, and a row then
is one walk over its columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Update

Statement = Insert | Update | Delete
Row = Mapping[str, Any]
_Processor = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The text of a statement, and how to make its parameters from a row."""

    sql: str
    columns: tuple[tuple[str, _Processor], ...]
    positional: bool

    def parameters(self, row: Row) -> Any:
        if self.positional:
            return tuple([make(row[name]) if make else row[name] for name, make in self.columns])
        return {name: make(row[name]) if make else row[name] for name, make in self.columns}


def run_many(connection: Connection, statement: Statement, rows: Sequence[Row]) -> None:
    """Execute ``statement`` for each row, which has a value for each of its parameters.

    Without rows nothing is done. ``statement`` must be one that lives as long as the
    process: its plan is kept.
    """
    if rows:
        plan = _plan(statement, connection.dialect, tuple(rows[0]))
        connection.exec_driver_sql(plan.sql, [plan.parameters(row) for row in rows])


@lru_cache(maxsize=64)
def _plan(statement: Statement, dialect: Dialect, names: tuple[str, ...]) -> _Plan:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    positions = compiled.positiontup
    columns = tuple(
        (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in (positions or compiled.binds)
    )
    return _Plan(str(compiled), columns, positional=positions is not None)
