"""The worker process: Huey's consumer, with a scheduler that looks every few seconds."""

import os
import time
from datetime import timedelta

from huey.consumer import Consumer, Scheduler

from gateway.app import open_store, retention_of, start_alerts, utc_now
from gateway.config import Config
from gateway.core.blindness import Duty
from gateway.logs import configure_logging
from gateway.presence import PATIENCE
from gateway.store.engine import Store
from gateway.tasks import (
    QUEUE_FILE,
    Pruning,
    open_queue,
    register_pruning,
    register_tasks,
    register_watchdog,
    sweep_patience,
)
from gateway.watchdog import Freshness, Punctuality, Watchdog

# A queue file must be looked at again and again. A PostgreSQL queue tells when there is
# something, so the pause is only for when the server is away.
_POLL = 0.5
_PATIENCE = 5.0


def work(config: Config) -> None:
    """Run tasks until told to stop; SIGTERM and SIGINT let running tasks finish."""
    _use_utc()
    configure_logging(config.log.level, config.log.format)
    store = open_store(config)
    queue = open_queue(store, config.data_dir / QUEUE_FILE)
    store = start_alerts(config, store, queue)
    every = config.heartbeat.sweep_every
    register_tasks(queue, store, utc_now, every)
    if config.watchdog.url is not None:
        watchdog = build_watchdog(store, config.watchdog.url.get_secret_value(), every)
        register_watchdog(queue, store, watchdog, utc_now, config.watchdog.every)

    class SweepScheduler(Scheduler):  # type: ignore[misc]  # huey is not typed
        # Huey's own step is a minute, and heartbeats are due to the second.
        periodic_task_seconds = every.total_seconds()

    class Worker(Consumer):  # type: ignore[misc]
        scheduler_class = SweepScheduler

    consumer = Worker(
        queue,
        workers=config.worker.threads,
        initial_delay=0.1,
        backoff=2.0,
        max_delay=_PATIENCE if store.on_postgresql else _POLL,
        check_worker_health=True,
        graceful_signal="TERM",
        shutdown_timeout=config.worker.shutdown_timeout.total_seconds(),
    )
    pruning = Pruning(retention_of(config), config.retention.prune_every)
    register_pruning(queue, store, utc_now, pruning, consumer.stop_flag.wait)
    consumer.run()
    store.close()


def _use_utc() -> None:
    """Huey keeps times without a zone and reads them as local ones: make both the same."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def build_watchdog(store: Store, url: str, sweep_every: timedelta) -> Watchdog:
    """The watchdog with everything that has to run for a ping to be sent."""
    return Watchdog(
        url,
        (
            Freshness(store, Duty.RECEIVING, PATIENCE),
            Freshness(store, Duty.SWEEPING, sweep_patience(sweep_every)),
            Punctuality(store, sweep_patience(sweep_every)),
        ),
    )
