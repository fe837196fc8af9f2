"""Group commit: many deliveries, one transaction.

One writer thread per process takes everything that waits, records it in one transaction,
and answers all of it after the commit. The batch grows with the load; a lone delivery
waits for nobody.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from gateway.core.errors import DeliveryFailed, Unavailable
from gateway.store.record import Entry, Recorded, Result

Write = Callable[[Sequence[Entry]], list[Result]]
"""Records a batch in one transaction; raises `Unavailable` when the database is away."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    future: asyncio.Future[Recorded]
    result: Result | Unavailable | None = None


class Recorder:
    """Hands entries from an event loop to the writer thread and back.

    ``max_waiting`` bounds the memory: what comes on top is refused at once with
    `Unavailable`. Start and stop it in the event loop that records.
    """

    def __init__(self, write: Write, *, max_batch: int, max_waiting: int) -> None:
        self._write = write
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting = 0
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the writer thread for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Record what still waits, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def record(self, entry: Entry) -> Recorded:
        """Record one entry and return after its commit.

        Raises `Unavailable` (nothing stored), `DeliveryFailed` (this entry cannot be
        stored), `StaleMonitor` or `RateLimited`. Being cancelled does not undo a record
        that has begun.
        """
        if self._loop is None or not self._thread.is_alive():
            raise Unavailable("the recorder is not running", retry_after=1)
        if self._waiting >= self._max_waiting:
            raise Unavailable("too many deliveries are waiting to be stored", retry_after=1)
        waiting = _Waiting(entry, self._loop.create_future())
        self._waiting += 1
        self._queue.put(waiting)
        return await waiting.future

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._take()
            if batch:
                self._record(batch)
                self._hand_back(batch)

    def _take(self) -> tuple[list[_Waiting], bool]:
        """Everything that waits, up to the batch size; False when this is the last."""
        batch: list[_Waiting] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) >= self._max_batch:
                return batch, True
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _record(self, batch: list[_Waiting]) -> None:
        try:
            results: Sequence[Result] = self._write([waiting.entry for waiting in batch])
        except Unavailable as error:
            _log.warning("%d entries not recorded: %s", len(batch), error, exc_info=error)
            for waiting in batch:
                waiting.result = error
        except Exception as error:  # noqa: BLE001 - no entry may end the thread
            self._isolate(batch, error)
        else:
            for waiting, result in zip(batch, results, strict=True):
                waiting.result = result

    def _isolate(self, batch: list[_Waiting], error: Exception) -> None:
        """Find the entry that cannot be recorded by recording each alone."""
        if len(batch) > 1:
            for waiting in batch:
                self._record([waiting])
            return
        entry = batch[0].entry
        _log.error("an entry of monitor %s cannot be recorded", entry.monitor_id, exc_info=error)
        batch[0].result = DeliveryFailed("the delivery could not be recorded")

    def _hand_back(self, batch: list[_Waiting]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve, batch)

    def _resolve(self, batch: list[_Waiting]) -> None:
        self._waiting -= len(batch)
        for waiting in batch:
            if waiting.future.done():  # the client went away; the record stands
                continue
            if isinstance(waiting.result, Exception):
                waiting.future.set_exception(waiting.result)
            elif waiting.result is not None:
                waiting.future.set_result(waiting.result)
