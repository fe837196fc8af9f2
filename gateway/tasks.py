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

from gateway.core.blindness import Duty
from gateway.core.errors import Unavailable
from gateway.store.chores import Swept
from gateway.store.engine import Store
from gateway.store.jobs import claim
from gateway.store.sweep import Aside, sweep
from gateway.store.watermarks import mark
from gateway.watchdog import Watchdog

Clock = Callable[[], datetime]

_PATIENCE = timedelta(seconds=15)
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


def register_tasks(queue: SqliteHuey, store: Store, clock: Clock, sweep_every: timedelta) -> None:
    """Tell the queue what to run; the worker's scheduler decides how often it looks."""
    aside = Aside()

    # A run that could not start in time is worthless: the next one does its work.
    @queue.periodic_task(  # type: ignore[untyped-decorator]
        _always, name="sweep", expires=math.ceil(sweep_every.total_seconds())
    )
    def run_sweep() -> None:
        sweep_once(store, clock(), sweep_every, aside)


def register_watchdog(
    queue: SqliteHuey, store: Store, watchdog: Watchdog, clock: Clock, every: timedelta
) -> None:
    """Tell the queue to ping; the slots decide how often that happens."""

    @queue.periodic_task(  # type: ignore[untyped-decorator]
        _always, name="watchdog", expires=math.ceil(every.total_seconds())
    )
    def run_watchdog() -> None:
        ping_once(store, watchdog, clock(), every)


def _always(_now: datetime) -> bool:
    return True


def sweep_once(store: Store, now: datetime, every: timedelta, aside: Aside | None = None) -> bool:
    """Run the sweep of this slot, unless another worker has; True if it ran here.

    ``aside`` remembers the rows that could not be settled from one sweep to the next.
    """
    try:
        if not claim(store, "sweep", _slot(now, every)):
            return False
        swept = sweep(store, now, aside)
        gap = mark(store, Duty.SWEEPING, now, sweep_patience(every))
    except Unavailable as error:
        _log.warning("no sweep: %s", error, exc_info=error)
        return False
    if gap is not None:
        _log.warning(
            "no sweep ran from %s to %s (%.0f s): what passed in it is told only now",
            f"{gap.start:%F %T}",
            f"{gap.end:%F %T}",
            gap.length.total_seconds(),
        )
    if swept != Swept():
        _log.info("sweep: %s, lag %.1f s", swept, swept.lag.total_seconds())
    return True


def ping_once(store: Store, watchdog: Watchdog, now: datetime, every: timedelta) -> bool:
    """Send the ping of this slot, unless another worker has; True if it arrived."""
    try:
        if not watchdog.is_content(now) or not claim(store, "watchdog", _slot(now, every)):
            return False
    except Unavailable as error:
        _log.warning("no watchdog ping: %s", error)
        return False
    return watchdog.send()


def sweep_patience(every: timedelta) -> timedelta:
    """How long after the last sweep one is missed."""
    return max(every * 3, _PATIENCE)


def _slot(now: datetime, every: timedelta) -> datetime:
    return _EPOCH + (now - _EPOCH) // every * every
