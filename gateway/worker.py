"""The worker process: Huey's consumer, with a scheduler that looks every few seconds."""

from datetime import timedelta

from huey.consumer import Consumer, Scheduler

from gateway.app import open_store, utc_now
from gateway.config import Config
from gateway.core.blindness import Duty
from gateway.logs import configure_logging
from gateway.presence import PATIENCE
from gateway.store.engine import Store
from gateway.tasks import open_queue, register_tasks, register_watchdog, sweep_patience
from gateway.watchdog import Freshness, Punctuality, Watchdog

QUEUE_FILE = "queue.db"


def work(config: Config) -> None:
    """Run tasks until told to stop; SIGTERM and SIGINT let running tasks finish."""
    configure_logging(config.log.level, config.log.format)
    store = open_store(config)
    queue = open_queue(config.data_dir / QUEUE_FILE)
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

    Worker(
        queue,
        workers=config.worker.threads,
        initial_delay=0.1,
        max_delay=0.5,
        check_worker_health=True,
        flush_locks=True,
        graceful_signal="TERM",
        shutdown_timeout=config.worker.shutdown_timeout.total_seconds(),
    ).run()
    store.close()


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
