"""The worker process: Huey's consumer, with a scheduler that looks every few seconds."""

from huey.consumer import Consumer, Scheduler

from gateway.app import open_store, start_alerts, utc_now
from gateway.config import Config
from gateway.logs import configure_logging
from gateway.tasks import QUEUE_FILE, open_queue, register_tasks


def work(config: Config) -> None:
    """Run tasks until told to stop; SIGTERM and SIGINT let running tasks finish."""
    configure_logging(config.log.level, config.log.format)
    queue = open_queue(config.data_dir / QUEUE_FILE)
    store = start_alerts(config, open_store(config), queue)
    every = config.heartbeat.sweep_every
    register_tasks(queue, store, utc_now, every)

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
