"""Group commit: many deliveries, one transaction.

While one batch is being written, whatever arrives gathers and is the next. So batches grow
with the load, and a lone delivery waits for nobody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.core.errors import DeliveryFailed, Unavailable
from gateway.store.record import Entry, Recorded, Result

Write = Callable[[Sequence[Entry]], Awaitable[list[Result]]]
"""Records a batch in one transaction; raises `Unavailable` when the database is away."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry
    future: asyncio.Future[Recorded]


class Recorder:
    """Gathers entries into batches and answers all of a batch after its commit.

    ``max_waiting`` bounds the memory: what comes on top is refused at once with
    `Unavailable`. Start and stop it in the event loop that records.
    """

    def __init__(self, write: Write, *, max_batch: int, max_waiting: int) -> None:
        self._write = write
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._unanswered = 0
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to record in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """Record what still waits, then end."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    async def record(self, entry: Entry) -> Recorded:
        """Record one entry and return after its commit.

        Raises `Unavailable` (nothing stored), `DeliveryFailed` (this entry cannot be
        stored), `StaleMonitor` or `RateLimited`. Being cancelled does not undo a record
        that has begun.
        """
        if self._task is None or self._task.done():
            raise Unavailable("the recorder is not running", retry_after=1)
        if self._unanswered >= self._max_waiting:
            raise Unavailable("too many deliveries are waiting to be stored", retry_after=1)
        waiting = _Waiting(entry, self._task.get_loop().create_future())
        self._unanswered += 1
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.future

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._arrived.wait()
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
            if batch:
                await self._record(batch)
            if not self._waiting and not self._stopping:
                self._arrived.clear()

    async def _record(self, batch: list[_Waiting]) -> None:
        try:
            results = await self._write([waiting.entry for waiting in batch])
        except Unavailable as error:
            _log.warning("%d entries not recorded: %s", len(batch), error, exc_info=error)
            self._answer(batch, [error] * len(batch))
        except Exception as error:  # noqa: BLE001 - no entry may end the recorder
            await self._isolate(batch, error)
        else:
            self._answer(batch, results)

    async def _isolate(self, batch: list[_Waiting], error: Exception) -> None:
        """Find the entry that cannot be recorded by recording each alone."""
        if len(batch) > 1:
            for waiting in batch:
                await self._record([waiting])
            return
        entry = batch[0].entry
        _log.error("an entry of monitor %s cannot be recorded", entry.monitor_id, exc_info=error)
        self._answer(batch, [DeliveryFailed("the delivery could not be recorded")])

    def _answer(self, batch: list[_Waiting], results: Sequence[Result | Unavailable]) -> None:
        self._unanswered -= len(batch)
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():  # the client went away; the record stands
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
