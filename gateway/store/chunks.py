"""Deletes many rows in small transactions, so that recording never waits long for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Delete, Table, delete, func, select

from gateway.store.engine import Store

ROWS = 100
"""How many rows one transaction deletes: some milliseconds."""

Wait = Callable[[float], bool]
"""Waits so many seconds; True means to stop. The ``wait`` of an `Event` is one."""

_LEAST_REST = 0.01
_RESTS = 2


@dataclass(frozen=True, slots=True)
class Chunk:
    """One transaction's deletions, and how many seconds it kept others from writing."""

    rows: int
    seconds: float


def delete_range(
    store: Store, table: Table, column: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> Iterator[Chunk]:
    """Delete the rows that fulfil ``conditions`` in the order of ``column``, chunk by chunk.

    Yields each chunk after its commit. An index should begin with what the conditions
    compare and then ``column``.
    """
    pending = conditions
    while True:
        chunk = (
            select(column.label("place")).where(*pending).order_by(column).limit(ROWS).subquery()
        )
        with store.read() as connection:
            last = connection.scalar(select(func.max(chunk.c.place)))
        if last is None:
            return
        yield delete_together(store, delete(table).where(*pending, column <= last))
        # Not from the start again: PostgreSQL would walk over all that was deleted so far.
        pending = (*conditions, column > last)


def delete_together(store: Store, *statements: Delete) -> Chunk:
    """Run the statements in one transaction; the rows are those of the last one."""
    rows = 0
    with store.write() as connection:
        started = monotonic()  # with the lock: waiting for it disturbs nobody
        for statement in statements:
            rows = connection.execute(statement).rowcount
    return Chunk(rows, monotonic() - started)


def at_ease(chunks: Iterator[Chunk], wait: Wait) -> Iterator[int]:
    """The rows of each chunk, with a rest after it of twice as long as it took."""
    for chunk in chunks:
        yield chunk.rows
        if wait(max(_LEAST_REST, chunk.seconds * _RESTS)):
            return
