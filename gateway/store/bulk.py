"""Reads and writes many rows with few statements: the inner loop of the record transaction.

A driver gives the interpreter away for each row of an ``executemany`` and of a result, and
the event loop, which wants it too, then keeps it for milliseconds: that cost more than half
of the throughput. So many rows are one statement, and SQLite gives all of a result as one
value. What SQLAlchemy would work out anew for each statement and row is worked out once.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import JSON, Column, Connection, Dialect, Integer, Table

Row = Sequence[Any]
"""Values in the order of the columns they are for."""

_Convert = Callable[[Any], Any] | None

# Each number of rows is a statement that is prepared once: few of them, and yet few parts.
_SIZES = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class Insert:
    """Makes rows with these columns.

    ``replace`` names the key of rows that are replaced where they exist.
    """

    table: Table
    columns: tuple[str, ...]
    replace: tuple[str, ...] = ()

    def sql(self, dialect: Dialect, count: int) -> str:
        """The text for so many rows."""
        row = f"({', '.join([_mark(dialect)] * len(self.columns))})"
        values = ", ".join([row] * count)
        names = ", ".join(self.columns)
        return f"INSERT INTO {self.table.name} ({names}) VALUES {values}{self._ending}"  # noqa: S608 - our own names

    @property
    def _ending(self) -> str:
        if not self.replace:
            return ""
        others = [name for name in self.columns if name not in self.replace]
        changes = ", ".join(f"{name} = excluded.{name}" for name in others)
        return f" ON CONFLICT ({', '.join(self.replace)}) DO UPDATE SET {changes}"


@dataclass(frozen=True, slots=True)
class Update:
    """Changes columns of the rows whose ``id`` comes first among ``columns``."""

    table: Table
    columns: tuple[str, ...]

    def sql(self, dialect: Dialect, count: int) -> str:
        """The text for so many rows."""
        mark, name = _mark(dialect), self.table.name
        casts = [
            f"CAST({mark} AS {self.table.c[column].type.compile(dialect)})"
            for column in self.columns
        ]
        values = ", ".join([f"({', '.join(casts)})"] * count)
        key, *changed = self.columns
        changes = ", ".join(
            f"{column} = v.column{number}" for number, column in enumerate(changed, start=2)
        )
        return (
            f"UPDATE {name} SET {changes} FROM (VALUES {values}) AS v "  # noqa: S608 - our own names
            f"WHERE {name}.{key} = v.column1"
        )


@dataclass(frozen=True, slots=True)
class Select:
    """Reads columns of the rows with certain values of ``key``.

    With ``lock``, they are locked in the order of the key until the transaction ends.
    """

    table: Table
    columns: tuple[str, ...]
    key: tuple[str, ...]
    lock: bool = False

    def sql(self, dialect: Dialect) -> str:
        """The text, for any number of keys in one parameter or one for each column."""
        return self._sqlite() if dialect.name == "sqlite" else self._postgresql()

    def _sqlite(self) -> str:
        # A join, because SQLite reads the whole table for ``(a, b) IN (VALUES ...)``.
        table = self.table.name
        wanted = " AND ".join(
            f"{table}.{name} = wanted.value ->> {place}" for place, name in enumerate(self.key)
        )
        return (
            f"SELECT json_group_array(json_array({self._names})) "  # noqa: S608 - our own names
            f"FROM json_each(?) AS wanted CROSS JOIN {table} ON {wanted}"
        )

    def _postgresql(self) -> str:
        table, key = self.table.name, ", ".join(self.key)
        arrays = ", ".join(["CAST(%s AS TEXT[])"] * len(self.key))
        wanted = " AND ".join(f"{table}.{name} = wanted.{name}" for name in self.key)
        lock = (
            f" ORDER BY {', '.join(f'{table}.{name}' for name in self.key)} FOR UPDATE OF {table}"
        )
        return (
            f"SELECT {self._names} FROM unnest({arrays}) AS wanted ({key}) "  # noqa: S608 - our own names
            f"JOIN {table} ON {wanted}{lock if self.lock else ''}"
        )

    @property
    def _names(self) -> str:
        return ", ".join(f"{self.table.name}.{name}" for name in self.columns)


def write_rows(connection: Connection, statement: Insert | Update, rows: list[Row]) -> None:
    """Write rows, in order."""
    converts = _to_database(statement, connection.dialect) if rows else ()
    for part in _parts(rows):
        values = [
            convert(value) if convert else value
            for row in part
            for convert, value in zip(converts, row, strict=True)
        ]
        connection.exec_driver_sql(_text(statement, connection.dialect, len(part)), tuple(values))


def read_rows(connection: Connection, statement: Select, keys: Collection[Row]) -> Iterator[Row]:
    """Read the rows with these keys, each key once; absent ones are left out."""
    if not keys:
        return iter(())
    dialect = connection.dialect
    if dialect.name == "sqlite":
        wanted: tuple[Any, ...] = (orjson.dumps(list(keys)).decode(),)
        found = connection.exec_driver_sql(_select_text(statement, dialect), wanted).scalar_one()
        rows: Sequence[Row] = orjson.loads(found)
    else:
        wanted = tuple(list(column) for column in zip(*keys, strict=True))
        rows = connection.exec_driver_sql(_select_text(statement, dialect), wanted).all()
    converts = _from_database(statement, dialect)
    return (
        [convert(value) if convert else value for convert, value in zip(converts, row, strict=True)]
        for row in rows
    )


def _parts(rows: list[Row]) -> Iterator[list[Row]]:
    """The rows in pieces of the sizes that statements exist for, the largest first."""
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


def _mark(dialect: Dialect) -> str:
    return "?" if dialect.name == "sqlite" else "%s"


@lru_cache(maxsize=256)
def _text(statement: Insert | Update, dialect: Dialect, count: int) -> str:
    return statement.sql(dialect, count)


@lru_cache(maxsize=64)
def _select_text(statement: Select, dialect: Dialect) -> str:
    return statement.sql(dialect)


@lru_cache(maxsize=64)
def _to_database(statement: Insert | Update, dialect: Dialect) -> tuple[_Convert, ...]:
    return tuple(_binder(column.type, dialect) for column in _columns(statement))


def _binder(kind: Any, dialect: Dialect) -> _Convert:
    if isinstance(kind, JSON):
        return _json_text
    if isinstance(kind, Integer) and dialect.name != "sqlite":
        # psycopg names the type of a number by its size, and each mixture of types
        # would be prepared as a statement of its own.
        return _number_text
    return kind.dialect_impl(dialect).bind_processor(dialect)  # type: ignore[no-any-return]


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _number_text(value: int | None) -> str | None:
    return None if value is None else str(value)


@lru_cache(maxsize=64)
def _from_database(statement: Select, dialect: Dialect) -> tuple[_Convert, ...]:
    return tuple(
        column.type.dialect_impl(dialect).result_processor(dialect, None)
        for column in _columns(statement)
    )


def _columns(statement: Insert | Update | Select) -> tuple["Column[Any]", ...]:
    return tuple(statement.table.c[name] for name in statement.columns)
