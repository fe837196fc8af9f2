"""What a monitor's row says about its heartbeats, as the core's values."""

from datetime import timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.core.heartbeat import Expectation
from gateway.core.rhythm import Cron, Every

_DIFFERENT = 4096


class Expecting(Protocol):
    """A monitor, whether read from the database or about to be written."""

    @property
    def heartbeat_interval(self) -> int | None: ...  # noqa: D102 - as in `tables.monitors`

    @property
    def heartbeat_schedule(self) -> str | None: ...  # noqa: D102

    @property
    def heartbeat_zone(self) -> str: ...  # noqa: D102

    @property
    def heartbeat_grace(self) -> int: ...  # noqa: D102

    @property
    def heartbeat_late_after(self) -> int | None: ...  # noqa: D102


def expectation_of(monitor: Expecting) -> Expectation | None:
    """When signs of life are due; None where none are expected.

    Raises `ZoneInfoNotFoundError` for a time zone that this machine does not know any more.
    """
    return _expectation(
        monitor.heartbeat_interval,
        monitor.heartbeat_schedule,
        monitor.heartbeat_zone,
        monitor.heartbeat_grace,
        monitor.heartbeat_late_after,
    )


@lru_cache(maxsize=_DIFFERENT)
def _expectation(
    interval: int | None, schedule: str | None, zone: str, grace: int, late_after: int | None
) -> Expectation | None:
    allowances = (
        timedelta(seconds=grace),
        timedelta(seconds=late_after) if late_after is not None else None,
    )
    if schedule is not None:
        return Expectation(Cron(schedule, ZoneInfo(zone)), *allowances)
    if interval is not None:
        return Expectation(Every(timedelta(seconds=interval)), *allowances)
    return None
