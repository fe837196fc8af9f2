"""A monitor, its sender and the gateway in simulated time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from recording import NO_LIMIT

from gateway.core.blindness import Duty
from gateway.core.heartbeat import Word, word_of
from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import record
from gateway.store.runs import Log
from gateway.store.sweep import sweep
from gateway.store.watermarks import mark

Span = tuple[str, str]


@dataclass
class Simulation:
    """Steps through a day or more: marks, sweeps, and what the sender does.

    While the web is down nothing the sender says arrives and no mark is left; while the
    worker is down nothing is swept. Spans and times are written ``12:30`` or ``2026-03-29 01:30``.
    """

    store: Store
    team_id: str
    begins: datetime
    step: timedelta = timedelta(minutes=1)
    web_down: tuple[Span, ...] = ()
    worker_down: tuple[Span, ...] = ()
    monitor: Monitor = field(init=False)

    def run(self, draft: dict[str, Any], said: dict[str, str], until: str) -> None:
        """``said`` is what the sender says by time: empty, or as behind its address."""
        made = Draft("job", **{"heartbeat_grace": 60, **draft})
        self.monitor = monitors.create(self.store, self.team_id, made, self.begins)
        words = sorted((self.time(at), each) for at, each in said.items())
        now, end = self.begins, self.time(until)
        while now <= end:
            while words and words[0][0] <= now:
                at, each = words.pop(0)
                if not self._within(at, self.web_down):
                    self.say(at, each)
            if not self._within(now, self.web_down):
                mark(self.store, Duty.RECEIVING, now, self.step * 1.5)
            if not self._within(now, self.worker_down):
                sweep(self.store, now)
            now += self.step

    def say(self, at: datetime, said: str, log: bytes = b"") -> None:
        path, _, run = said.partition("?")
        word = word_of(path, run)
        assert isinstance(word, Word), said
        current = monitors.find(self.store, self.team_id, self.monitor.id)
        assert current is not None
        entry = HeartbeatEntry(
            current.id, current.revision, at, word, Log(log, len(log)) if log else None
        )
        record(self.store, [entry], NO_LIMIT)

    def time(self, text: str) -> datetime:
        if len(text) <= len("12:30:00"):
            text = f"{self.begins:%F} {text}"
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    def _within(self, now: datetime, spans: Iterable[Span]) -> bool:
        return any(self.time(start) < now < self.time(end) for start, end in spans)

    def written(self, at: datetime | None) -> str:
        if at is None:
            return ""
        form = "%H:%M:%S" if at.second else "%H:%M"
        return at.strftime(form if at.date() == self.begins.date() else f"%d {form}")

    @property
    def checks(self) -> list[str]:
        rows = history.list_checks(self.store, self.monitor.id, before=None, limit=200)
        return [f"{self.written(row.occurred_at)} {row.status}" for row in reversed(rows)]

    @property
    def incidents(self) -> list[str]:
        """Opening, end, and each change between them."""
        rows = history.list_incidents(self.store, self.monitor.id, before=None, limit=50)
        return [
            f"{self.written(each.row.opened_at)}-{self.written(each.row.resolved_at)}"
            f" {','.join(entry.change for entry in each.timeline)}"
            for each in reversed(rows)
        ]

    @property
    def runs(self) -> list[str]:
        rows = history.list_runs(self.store, self.monitor.id, before=None, limit=50)
        return [
            f"{self.written(row.started_at)}-{self.written(row.ended_at)} {row.state}"
            for row in reversed(rows)
        ]
