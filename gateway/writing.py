"""Where the record transaction runs: in a thread, or in the event loop but for the waiting.

See docs/decisions/0028-where-the-record-transaction-runs.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from gateway.core.ratelimit import Limit
from gateway.recorder import Write
from gateway.store.engine import Store, database_errors
from gateway.store.record import Entry, Result, record, record_in

T = TypeVar("T")


def writing(store: Store, limit: Limit) -> Write:
    """Record in the way that suits the database."""
    return in_thread(store, limit) if store.on_postgresql else in_loop(store, limit)


def in_thread(store: Store, limit: Limit) -> Write:
    """Run the whole transaction in a thread: a database server works while the loop does."""
    run = _one_thread()

    async def write(entries: Sequence[Entry]) -> list[Result]:
        return await run(partial(record, store, entries, limit))

    return write


def in_loop(store: Store, limit: Limit) -> Write:
    """Run the statements in the event loop, and wait for lock and disk in a thread.

    For SQLite, whose work is done in the process that asks for it: there, a thread and the
    event loop would only take the interpreter from each other.
    """
    run = _one_thread()

    async def write(entries: Sequence[Entry]) -> list[Result]:
        transaction = await run(store.begin)
        try:
            with database_errors(store.engine):
                results = record_in(transaction.connection, entries, limit)
        except BaseException:
            await run(transaction.roll_back)
            raise
        await run(transaction.commit)
        return results

    return write


def _one_thread() -> Callable[[Callable[[], T]], "asyncio.Future[T]"]:
    executor = ThreadPoolExecutor(1, thread_name_prefix="recorder")
    return lambda work: asyncio.get_running_loop().run_in_executor(executor, work)
