"""Runs of jobs that say when they begin and how they end, with their logs."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gateway.core.blindness import Blindness
from gateway.core.heartbeat import Beat, Word, overran
from gateway.core.model import HEARTBEAT_KEY
from gateway.ids import new_id
from gateway.store.chores import Place, Sight, Swept
from gateway.store.ledger import Ledger, LockedMonitor, Observation
from gateway.store.tables import heartbeat_runs, monitors
from gateway.store.watermarks import blind_since

FORGOTTEN_AFTER = timedelta(days=7)
"""How long a run without a time limit stays open when its end is never told."""

_SMALL = 6  # zlib: logs are text, and few


class RunState(StrEnum):
    """How a run stands. It is ``unknown`` when its end may have been told to nobody."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OVERRAN = "overran"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Log:
    """The end of what a sender posted, without secrets, and how much it was."""

    text: bytes
    size: int


def start_run(
    connection: Connection, monitor: LockedMonitor, run: str, log: Log | None, at: datetime
) -> None:
    """Open a run; it has to end by the monitor's time limit."""
    longest = FORGOTTEN_AFTER
    if monitor.heartbeat_max_run is not None:
        longest = timedelta(seconds=monitor.heartbeat_max_run)
    monitor.open_runs += 1
    connection.execute(
        insert(heartbeat_runs).values(
            id=new_id(at),
            monitor_id=monitor.id,
            run=run,
            state=RunState.RUNNING,
            started_at=at,
            deadline=at + longest,
            **_log_columns(log or Log(b"", 0)),
        )
    )


def end_run(
    connection: Connection, monitor: LockedMonitor, word: Word, log: Log | None, at: datetime
) -> None:
    """Close the newest open run of this name, or keep one whose start was never told.

    A plain sign of life that ends no open run leaves nothing, nor does its body.
    """
    ended: dict[str, Any] = {
        "state": RunState.FAILED if word.beat is Beat.FAIL else RunState.SUCCEEDED,
        "ended_at": at,
        "deadline": None,
        "exit_code": word.exit_code,
    }
    open_run = _open_run(connection, monitor, word.run)
    if open_run is not None:
        if log is not None:
            ended |= _log_columns(log)
        _close(connection, monitor, open_run, ended)
    elif not word.is_plain:
        ended |= _log_columns(log or Log(b"", 0))
        connection.execute(
            insert(heartbeat_runs).values(
                id=new_id(at), monitor_id=monitor.id, run=word.run, **ended
            )
        )


def _open_run(connection: Connection, monitor: LockedMonitor, run: str) -> str | None:
    if not monitor.open_runs:
        return None
    query = (
        select(heartbeat_runs.c.id)
        .where(
            heartbeat_runs.c.monitor_id == monitor.id,
            heartbeat_runs.c.run == run,
            heartbeat_runs.c.deadline.is_not(None),
        )
        .order_by(heartbeat_runs.c.id.desc())
        .limit(1)
    )
    return connection.scalar(query)


def _close(
    connection: Connection, monitor: LockedMonitor, run_id: str, values: dict[str, Any]
) -> None:
    monitor.open_runs -= 1
    connection.execute(update(heartbeat_runs).where(heartbeat_runs.c.id == run_id).values(values))


def _log_columns(log: Log) -> dict[str, Any]:
    return {"log": zlib.compress(log.text, _SMALL), "log_size": log.size}


class OverdueRuns:
    """The time limits of runs that have not ended."""

    name = "run"

    def claim(self, connection: Connection, sight: Sight, limit: int) -> list[Place]:
        """Find runs and lock their monitors, the most overdue first."""
        query = (
            select(heartbeat_runs.c.monitor_id, heartbeat_runs.c.id)
            .join(monitors, monitors.c.id == heartbeat_runs.c.monitor_id)
            .where(heartbeat_runs.c.deadline <= sight.due)
            .order_by(heartbeat_runs.c.deadline)
            .limit(limit)
            .with_for_update(skip_locked=True, of=monitors)
        )
        return [(row.monitor_id, row.id) for row in connection.execute(query)]

    def settle(self, connection: Connection, places: Sequence[Place], sight: Sight) -> Swept:
        """End these runs: a failure, if their end cannot have been told unheard."""
        ledger = Ledger(connection, (place[0] for place in places))
        ledger.load_signals((monitor_id, HEARTBEAT_KEY) for monitor_id in ledger.monitors)
        query = (
            select(heartbeat_runs)
            .where(
                heartbeat_runs.c.id.in_([place[1] for place in places]),
                heartbeat_runs.c.deadline <= sight.due,
            )
            .order_by(heartbeat_runs.c.deadline)
        )
        runs = connection.execute(query).all()
        blind = blind_since(connection, min(run.started_at for run in runs)) if runs else []
        swept = Swept()
        for run in runs:
            swept += _settle(connection, ledger, run, sight, blind)
        ledger.flush()
        return swept

    def put_off(self, connection: Connection, place: Place, until: datetime) -> None:
        """Give a run that cannot be ended more time."""
        connection.execute(
            update(heartbeat_runs).where(heartbeat_runs.c.id == place[1]).values(deadline=until)
        )


def _settle(
    connection: Connection,
    ledger: Ledger,
    run: Row[Any],
    sight: Sight,
    blind: Sequence[Blindness],
) -> Swept:
    monitor = ledger.monitors[run.monitor_id]
    unheard = any(each.meets(run.started_at, run.deadline) for each in blind)
    limited = monitor.active and monitor.heartbeat_max_run is not None
    state = RunState.OVERRAN if limited and not unheard else RunState.UNKNOWN
    _close(connection, monitor, run.id, {"state": state, "deadline": None})
    if state is RunState.UNKNOWN:
        return Swept()
    ledger.observe(Observation(monitor, overran(run.deadline), sight.now))
    return Swept(overran=1, lag=sight.now - run.deadline)
