"""Leaves a mark in the store every moment in which this process can receive."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from gateway.core.blindness import Blindness
from gateway.core.errors import Unavailable

EVERY = timedelta(seconds=1)
PATIENCE = timedelta(seconds=5)
"""Gaps up to this are pauses: a restart, or a database that is busy for a moment."""

_log = logging.getLogger(__name__)

Mark = Callable[[], Blindness | None]
"""Leaves one mark; returns the gap before it. Raises `Unavailable`."""


class Presence:
    """Marks from the event loop that also takes the requests, so that it says the truth.

    A loop that hangs leaves no marks, and neither does a database that cannot be written.
    """

    def __init__(self, mark: Mark, every: timedelta = EVERY) -> None:
        self._mark = mark
        self._every = every.total_seconds()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._marking = True

    async def start(self) -> None:
        """Leave the first mark before the first request, and go on until stopped."""
        await self._leave_mark()
        self._wait()

    async def stop(self) -> None:
        """Leave no more marks; one that is being left is finished."""
        if self._task is not None:
            await self._task
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        await self._leave_mark()
        self._wait()

    async def _leave_mark(self) -> None:
        try:
            gap = await asyncio.to_thread(self._mark)
        except Unavailable as error:
            if self._marking:
                _log.warning("nothing can be received: %s", error)
            self._marking = False
            return
        except Exception as error:  # noqa: BLE001 - without marks no deadline would be judged
            _log.error("no mark could be left", exc_info=error)
            return
        self._marking = True
        if gap is not None:
            _log.warning(
                "nothing was received from %s to %s (%.0f s): "
                "heartbeats that were due in it are given their time anew",
                f"{gap.start:%F %T}",
                f"{gap.end:%F %T}",
                gap.length.total_seconds(),
            )
