"""Recorder and store against a tiny model: whatever happens, in any order, both agree."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from model import GRACE, Expected, Seen
from recording import NO_LIMIT, NOON, at, beat, delivery
from sqlalchemy import select

from gateway.core.model import Event, Status
from gateway.recorder import Recorder
from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import Entry, Recorded, StaleMonitor
from gateway.store.sweep import sweep
from gateway.store.tables import monitors as monitors_table
from gateway.store.teams import NewTeam
from gateway.writing import writing

COUNT = 2
which = st.integers(0, COUNT - 1)
stale = st.sampled_from([False] * 9 + [True])
sights = st.builds(
    Seen,
    status=st.sampled_from(["up", "degraded", "down"]),
    at=st.integers(-4, 0),  # before the moment of receipt
    key=st.sampled_from(["", "a", "b"]),
    event_id=st.sampled_from([None, "e0", "e1", "e2", "e3", "e4"]),
    resolve_after=st.sampled_from([None, None, None, 10]),
)
deliveries = st.tuples(which, stale, st.lists(sights, min_size=1, max_size=3))
beats = st.tuples(which, stale, st.none())
Sent = tuple[int, bool, list[Seen] | None]


class Gateway(RuleBasedStateMachine):
    """Does the same to the store and to the model."""

    def __init__(self, store: Store, team: NewTeam) -> None:
        super().__init__()
        self.store = store
        self.team = team
        self.now = 0
        draft = Draft("m", heartbeat_interval=20, heartbeat_grace=GRACE)
        self.monitors = [monitors.create(store, team.id, draft, at(0)) for _ in range(COUNT)]
        self.expected = [Expected(interval=20) for _ in range(COUNT)]
        self.runner = asyncio.Runner()
        self.recorder = Recorder(writing(store, NO_LIMIT), max_batch=4, max_waiting=100)
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.recorder.start()

    def teardown(self) -> None:
        self.runner.run(self.recorder.stop())
        self.runner.close()

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(batch=st.lists(st.one_of(deliveries, deliveries, beats), min_size=1, max_size=6))
    def send(self, batch: list[Sent]) -> None:
        entries = [self._entry(sent) for sent in batch]

        async def record_all() -> list[Any]:
            waiting = [self.recorder.record(entry) for entry in entries]
            return await asyncio.gather(*waiting, return_exceptions=True)

        results = self.runner.run(record_all())

        assert [told(result) for result in results] == [self._expect(sent) for sent in batch]

    def _entry(self, sent: Sent) -> Entry:
        index, is_stale, seen = sent
        monitor = self.monitors[index]
        revision = monitor.revision - is_stale
        if seen is None:
            return beat(monitor, self.now, revision)
        events = [as_event(one, self.now) for one in seen]
        return delivery(monitor, *events, received=self.now, revision=revision)

    def _expect(self, sent: Sent) -> tuple[str, str] | str:
        index, is_stale, seen = sent
        expected = self.expected[index]
        if is_stale:
            return "stale"
        if seen is None:
            expected.beat(self.now)
            return "recorded", expected.status
        return expected.deliver([arrived(one, self.now) for one in seen]), expected.status

    @rule()
    def sweep(self) -> None:
        sweep(self.store, at(self.now))
        for expected in self.expected:
            expected.sweep(self.now)

    @rule(index=which, active=st.booleans())
    def pause(self, index: int, active: bool) -> None:
        self.expected[index].pause(active=active, now=self.now)
        self._change(index, active=active)

    @rule(index=which, interval=st.sampled_from([None, 20]))
    def set_interval(self, index: int, interval: int | None) -> None:
        self.expected[index].set_interval(interval, self.now)
        self._change(index, heartbeat_interval=interval)

    @rule(index=which)
    def rename(self, index: int) -> None:
        self.expected[index].changed(self.now)
        self._change(index, name="new")

    def _change(self, index: int, **changes: Any) -> None:
        monitor = self.monitors[index]
        changed = monitors.change(self.store, self.team.id, monitor.id, changes, at(self.now))
        assert changed is not None
        self.monitors[index] = changed

    @invariant()
    def both_agree(self) -> None:
        for monitor, expected in zip(self.monitors, self.expected, strict=True):
            self._compare_monitor(monitor, expected)
            self._compare_signals(monitor, expected)
            self._compare_records(monitor, expected)

    def _compare_monitor(self, monitor: Monitor, expected: Expected) -> None:
        with self.store.read() as connection:
            query = select(monitors_table).where(monitors_table.c.id == monitor.id)
            row = connection.execute(query).one()
        statuses = [signal.status for signal in expected.signals.values()]
        assert (row.status, row.revision, row.active) == (
            (expected.status, expected.revision, expected.active)
        )
        assert (seconds(row.last_heartbeat), seconds(row.deadline)) == (
            (expected.last, expected.deadline)
        )
        assert (row.signals_up, row.signals_degraded, row.signals_down) == tuple(
            statuses.count(status) for status in ("up", "degraded", "down")
        )

    def _compare_signals(self, monitor: Monitor, expected: Expected) -> None:
        rows = history.list_signals(self.store, monitor.id, 50)
        assert {
            row.key: (row.status, seconds(row.occurred_at), row.event_id, seconds(row.resolve_at))
            for row in rows
        } == {
            key: (one.status, one.at, one.event_id, one.resolve_at)
            for key, one in expected.signals.items()
        }
        found = history.list_incidents(self.store, monitor.id, before=None, limit=500)
        for incident in found:
            check_timeline(incident)
        still_open = [each.row for each in found if each.row.resolved_at is None]
        assert sorted((row.key, row.status, row.id) for row in still_open) == sorted(
            (row.key, row.status, row.incident_id) for row in rows if row.status != "up"
        )

    def _compare_records(self, monitor: Monitor, expected: Expected) -> None:
        checks = history.list_checks(self.store, monitor.id, before=None, limit=500)
        ids = [row.event_id for row in checks if row.event_id is not None]
        assert len(checks) == expected.checks
        assert sorted(ids) == sorted(expected.ids)
        lines = history.list_deliveries(self.store, monitor.id, before=None, limit=500)
        assert len(lines) == expected.lines


def check_timeline(incident: history.Incident) -> None:
    """From its opening to its end, if it has one, without a gap."""
    row, timeline = incident.row, incident.timeline
    assert timeline[0].change == "opened"
    assert timeline[0].at == row.opened_at
    for entry, following in pairwise(timeline):
        assert entry.status_after == following.status_before
        assert entry.at <= following.at
        assert following.change in {"worsened", "eased", "resolved"}
        assert entry.change != "resolved"
    last = timeline[-1]
    if row.resolved_at is None:
        assert (last.change != "resolved", last.status_after) == (True, row.status)
    else:
        assert (last.change, last.at, last.status_before) == (
            ("resolved", row.resolved_at, row.status)
        )


def told(result: Any) -> tuple[str, str] | str:
    if isinstance(result, StaleMonitor):
        return "stale"
    assert isinstance(result, Recorded), result
    return str(result.outcome), str(result.status)


def arrived(seen: Seen, now: int) -> Seen:
    return Seen(seen.status, now + seen.at, seen.key, seen.event_id, seen.resolve_after)


def as_event(seen: Seen, now: int) -> Event:
    after = seen.resolve_after
    return Event(
        Status(seen.status),
        at(now + seen.at),
        key=seen.key,
        event_id=seen.event_id,
        resolve_after=None if after is None else timedelta(seconds=after),
        rule="r",
    )


def seconds(time: datetime | None) -> float | None:
    return None if time is None else (time - NOON).total_seconds()


def test_recorder_and_store_do_what_the_model_does(store: Store, team: NewTeam) -> None:
    class OnThisStore(Gateway):
        def __init__(self) -> None:
            super().__init__(store, team)

    run_state_machine_as_test(
        OnThisStore, settings=settings(max_examples=20, stateful_step_count=20, deadline=None)
    )
