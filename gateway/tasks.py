"""The periodic work: what runs, how often, and that each run happens once."""

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from huey import Huey, PostgresHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from gateway.core.blindness import Duty
from gateway.core.errors import Unavailable
from gateway.store.chores import Swept
from gateway.store.chunks import Wait
from gateway.store.dialect import wait_for_turn
from gateway.store.engine import Store
from gateway.store.jobs import claim
from gateway.store.prune import Retention, prune
from gateway.store.sweep import Aside, sweep
from gateway.store.watermarks import mark
from gateway.watchdog import Watchdog

Clock = Callable[[], datetime]

_QUEUE = "taco"
_TABLES = "queue"
_PATIENCE = timedelta(seconds=15)
QUEUE_FILE = "queue.db"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ("eta", "expires", "expires_resolved")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is pruned, and how often."""

    retention: Retention
    every: timedelta


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


def open_queue(store: Store, file: Path) -> Huey:
    """The queue: in the PostgreSQL database of the store, or else in a ``file`` of its own.

    A file of its own never waits for the record transaction. On PostgreSQL the tables must
    be there, see `make_queue_tables`.
    """
    options = {"results": False, "serializer": JsonSerializer()}
    if store.on_postgresql:
        return PostgresHuey(
            _QUEUE,
            connection=store.connect,
            table_prefix=_TABLES,
            create_tables=False,
            **options,
        )
    return SqliteHuey(_QUEUE, filename=str(file), **options)


def make_queue_tables(store: Store) -> None:
    """Make the tables of a queue on PostgreSQL where they are missing.

    In turn: processes that start at once would make the same ones, and all but one fail.
    """
    if not store.on_postgresql:
        return
    queue = open_queue(store, Path())
    with store.write() as connection:
        wait_for_turn(connection)
        queue.storage.initialize_schema()


def register_tasks(queue: Huey, store: Store, clock: Clock, sweep_every: timedelta) -> None:
    """Tell the queue what to run; the worker's scheduler decides how often it looks."""
    aside = Aside()

    # A run that could not start in time is worthless: the next one does its work.
    @queue.periodic_task(  # type: ignore[untyped-decorator]
        _always, name="sweep", expires=math.ceil(sweep_every.total_seconds())
    )
    def run_sweep() -> None:
        sweep_once(store, clock(), sweep_every, aside)


def register_watchdog(
    queue: Huey, store: Store, watchdog: Watchdog, clock: Clock, every: timedelta
) -> None:
    """Tell the queue to ping; the slots decide how often that happens."""

    @queue.periodic_task(  # type: ignore[untyped-decorator]
        _always, name="watchdog", expires=math.ceil(every.total_seconds())
    )
    def run_watchdog() -> None:
        ping_once(store, watchdog, clock(), every)


def register_pruning(
    queue: Huey,
    store: Store,
    clock: Clock,
    pruning: Pruning,
    stopping: Wait,
) -> None:
    """Tell the queue to prune; ``stopping`` waits and tells whether the worker is to end."""
    asked = _EPOCH

    def is_due(_now: datetime) -> bool:
        # Asked far more often than pruning runs: most answers need no task and no database.
        nonlocal asked
        slot = _slot(clock(), pruning.every)
        is_new, asked = slot > asked, slot
        return is_new

    @queue.periodic_task(  # type: ignore[untyped-decorator]
        is_due, name="prune", expires=math.ceil(pruning.every.total_seconds())
    )
    def run_prune() -> None:
        prune_once(store, clock, pruning, stopping)


def _always(_now: datetime) -> bool:
    return True


def _slot(now: datetime, every: timedelta) -> datetime:
    return _EPOCH + (now - _EPOCH) // every * every


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


def prune_once(store: Store, clock: Clock, pruning: Pruning, stopping: Wait) -> bool:
    """Prune in this slot, unless another worker does; True if it ran here.

    Ends with the slot at the latest: the next run goes on.
    """
    now = clock()
    slot = _slot(now, pruning.every)

    def wait(seconds: float) -> bool:
        return stopping(seconds) or clock() >= slot + pruning.every

    try:
        if not claim(store, "prune", slot):
            return False
    except Unavailable as error:
        _log.warning("no pruning: %s", error, exc_info=error)
        return False
    for pruned in prune(store, pruning.retention, now, wait):
        if pruned.rows:
            _log.info("prune: %d rows of %s", pruned.rows, pruned.kind)
        if pruned.error is not None:
            _log.error("pruning of %s failed", pruned.kind, exc_info=pruned.error)
    return True
