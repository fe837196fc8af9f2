"""The queue's part in sending alerts: a wake-up after each commit, and a look at intervals.

The queue never carries an alert, only the news that there is one.
"""

import logging
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from huey.api import Huey

from gateway.alerts.dispatch import Dispatcher
from gateway.core.errors import Unavailable
from gateway.store import alert_log
from gateway.store.jobs import claim

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORGET_EVERY = timedelta(hours=1)
_LONGEST_RUN = timedelta(seconds=5)  # a worker that is told to stop soon can
_log = logging.getLogger(__name__)


class Bell:
    """Calls ``wake`` soon after it was rung, in a thread of its own, once for many rings.

    Whoever rings has just committed a delivery and waits for nothing.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._rung = threading.Event()
        self._started = threading.Lock()

    def ring(self) -> None:
        """Wake the sender; never blocks, never raises."""
        self._rung.set()
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._run, name="bell", daemon=True).start()

    def _run(self) -> None:
        while self._rung.wait():
            self._rung.clear()
            try:
                self._wake()
            except Exception as error:  # noqa: BLE001 - the look at intervals finds it anyway
                _log.warning("the worker was not told of an alert: %s", type(error).__name__)


def register_wake_up(queue: Huey, send: Callable[[], object] | None = None) -> Callable[[], object]:
    """Make the task that wakes the sender known to a queue; returns what enqueues it.

    Web processes enqueue it and never run it: ``send`` is for the worker.
    """

    @queue.task(name="send_alerts", expires=60)  # type: ignore[untyped-decorator]
    def run_send_alerts() -> None:
        if send is not None:
            send()

    wake: Callable[[], object] = run_send_alerts
    return wake


class Sender:
    """Runs a dispatcher in at most ``most`` threads at once, so that some stay for the sweep."""

    def __init__(self, dispatcher: Dispatcher, most: int) -> None:
        self._dispatcher = dispatcher
        self._places = threading.BoundedSemaphore(most)

    def send(self) -> bool:
        """Send what is due, unless enough others do; False if some is left for another run."""
        if not self._places.acquire(blocking=False):
            return True
        try:
            return self._dispatcher.run(self._dispatcher.clock() + _LONGEST_RUN)
        except Unavailable as error:
            _log.warning("no alerts sent: %s", error, exc_info=error)
            return True
        finally:
            self._places.release()


def register_alert_tasks(
    queue: Huey, dispatcher: Dispatcher, *, threads: int, every: timedelta, keep: timedelta
) -> Callable[[], object]:
    """Tell the queue to send alerts; returns what wakes the sender.

    ``threads`` is how many the worker has, ``every`` how often its scheduler looks.
    """
    sender = Sender(dispatcher, max(1, threads - 1))

    def send() -> None:
        if not sender.send():
            wake()

    wake = register_wake_up(queue, send)

    def always(_now: datetime) -> bool:
        return True

    @queue.periodic_task(  # type: ignore[untyped-decorator]
        always, name="look_for_alerts", expires=math.ceil(every.total_seconds())
    )
    def run_look_for_alerts() -> None:
        send()
        forget_old(dispatcher, keep)

    return wake


def forget_old(dispatcher: Dispatcher, keep: timedelta) -> int:
    """Delete the alerts of long ago, once an hour over all workers; returns how many."""
    now = dispatcher.clock()
    slot = _EPOCH + (now - _EPOCH) // _FORGET_EVERY * _FORGET_EVERY
    try:
        if not claim(dispatcher.store, "forget_alerts", slot):
            return 0
        return alert_log.forget(dispatcher.store, now - keep)
    except Unavailable as error:
        _log.warning("no old alerts deleted: %s", error, exc_info=error)
        return 0
