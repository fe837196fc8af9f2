"""The periodic work: what runs, how often, and that each run happens once."""

import json
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from gateway.core.errors import Unavailable
from gateway.store.engine import Store
from gateway.store.jobs import claim
from gateway.store.sweep import sweep

QUEUE_FILE = "queue.db"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ("eta", "expires", "expires_resolved")
_log = logging.getLogger(__name__)


class JsonSerializer(Serializer):  # type: ignore[misc]  # huey is not typed
    """Messages as JSON: whoever can write to the queue must not be able to run code."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict(), default=datetime.isoformat).encode()

    def _deserialize(self, data: bytes) -> Message:
        fields = json.loads(data)
        for name in _TIMES:
            if isinstance(fields.get(name), str):
                fields[name] = datetime.fromisoformat(fields[name])
        return Message(**fields)


def open_queue(path: Path) -> SqliteHuey:
    """The queue in a file of its own, so that it never waits for the record transaction."""
    return SqliteHuey("taco", filename=str(path), results=False, serializer=JsonSerializer())


def register_tasks(
    queue: SqliteHuey, store: Store, clock: Callable[[], datetime], sweep_every: timedelta
) -> None:
    """Tell the queue what to run; the worker's scheduler decides how often it looks."""

    def always(_now: datetime) -> bool:
        return True

    # A run that could not start in time is worthless: the next one does its work.
    @queue.periodic_task(  # type: ignore[untyped-decorator]
        always, name="sweep", expires=math.ceil(sweep_every.total_seconds())
    )
    def run_sweep() -> None:
        sweep_once(store, clock(), sweep_every)


def sweep_once(store: Store, now: datetime, every: timedelta) -> bool:
    """Run the sweep of this slot, unless another worker has; True if it ran here."""
    slot = _EPOCH + (now - _EPOCH) // every * every
    try:
        if not claim(store, "sweep", slot):
            return False
        swept = sweep(store, now)
    except Unavailable as error:
        _log.warning("no sweep: %s", error, exc_info=error)
        return False
    if swept.missed or swept.resolved:
        _log.info(
            "sweep: %d heartbeats missed, %d signals resolved by time, lag %.1f s",
            swept.missed,
            swept.resolved,
            swept.lag.total_seconds(),
        )
    return True
