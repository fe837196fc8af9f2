"""The worker process: Huey's consumer, with a scheduler that looks every few seconds."""

import os
import time

from huey.consumer import Consumer, Scheduler

from gateway.app import open_store, retention_of, start_alerts, utc_now
from gateway.config import Config
from gateway.logs import configure_logging
from gateway.tasks import QUEUE_FILE, Pruning, open_queue, register_pruning, register_tasks

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
