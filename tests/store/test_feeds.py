"""Feeds that used to talk: marked stale, apart from their status."""

from datetime import timedelta

import pytest
from recording import NO_LIMIT, at, beat, delivery, event

from gateway.core.blindness import Duty
from gateway.core.feed import AUTO
from gateway.core.model import Outcome, Status
from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import Entry, record
from gateway.store.sweep import SETTLE, sweep
from gateway.store.teams import NewTeam
from gateway.store.watermarks import mark

HOUR = 3600
DAY = 24 * HOUR
SOON = SETTLE.total_seconds()


def feed(store: Store, team: NewTeam, stale_after: int | None) -> Monitor:
    return monitors.create(store, team.id, Draft("feed", stale_after=stale_after), at(0))


def post(store: Store, monitor: Monitor, *seconds: float) -> None:
    entries = [delivery(monitor, event("up", each), received=each) for each in seconds]
    record(store, entries, NO_LIMIT)


def stale_since(store: Store, monitor: Monitor) -> float | None:
    found = monitors.find(store, monitor.team_id, monitor.id)
    assert found is not None
    return (found.stale_since - at(0)).total_seconds() if found.stale_since else None


def test_a_silent_feed_is_stale_and_not_down(store: Store, team: NewTeam) -> None:
    monitor = feed(store, team, HOUR)
    post(store, monitor, 10, 20)

    assert sweep(store, at(HOUR + 20)).stale == 0
    assert sweep(store, at(HOUR + 20 + SOON)).stale == 1

    assert stale_since(store, monitor) == HOUR + 20
    found = monitors.find(store, team.id, monitor.id)
    assert found is not None
    assert found.status is Status.UP
    assert history.list_incidents(store, monitor.id, before=None, limit=5) == []
    assert sweep(store, at(9 * HOUR)).stale == 0
    post(store, monitor, 10 * HOUR)
    assert stale_since(store, monitor) is None
    assert sweep(store, at(11 * HOUR + SOON)).stale == 1


def test_what_counts_as_talking(store: Store, team: NewTeam) -> None:
    monitor = feed(store, team, HOUR)
    entries: list[Entry] = [
        delivery(monitor, received=100, outcome=Outcome.IGNORED),
        delivery(monitor, received=300, outcome=Outcome.REJECTED, authentic=False),
        delivery(monitor, received=300, outcome=Outcome.HANDSHAKE, authentic=False),
        beat(monitor, 400),
    ]
    record(store, entries, NO_LIMIT)

    sweep(store, at(2 * HOUR))

    assert stale_since(store, monitor) == HOUR + 100


@pytest.mark.parametrize("stale_after", [None, HOUR, AUTO])
def test_never_for_a_feed_that_never_talked(
    store: Store, team: NewTeam, stale_after: int | None
) -> None:
    monitor = feed(store, team, stale_after)

    assert sweep(store, at(99 * DAY)).stale == 0
    assert stale_since(store, monitor) is None


def test_off_by_default(store: Store, team: NewTeam) -> None:
    monitor = feed(store, team, None)
    post(store, monitor, 1)

    assert sweep(store, at(99 * DAY)).stale == 0


def test_a_learned_threshold(store: Store, team: NewTeam) -> None:
    monitor = feed(store, team, AUTO)
    for hour in range(0, 8 * 24, 3):
        post(store, monitor, hour * HOUR)
    last = (8 * 24 - 3) * HOUR

    assert sweep(store, at(last + 6 * HOUR)).stale == 0
    assert sweep(store, at(last + 6 * HOUR + SOON)).stale == 1
    assert stale_since(store, monitor) == last + 6 * HOUR


def test_the_gateways_own_outage_is_no_silence(store: Store, team: NewTeam) -> None:
    monitor = feed(store, team, HOUR)
    post(store, monitor, 0)
    patience = timedelta(seconds=5)
    mark(store, Duty.RECEIVING, at(HOUR - 100), patience)
    mark(store, Duty.RECEIVING, at(HOUR + 500), patience)

    assert sweep(store, at(HOUR + 500)).stale == 0
    mark(store, Duty.RECEIVING, at(2 * HOUR + 502), timedelta(hours=9))
    assert sweep(store, at(2 * HOUR + 502)).stale == 1
    assert stale_since(store, monitor) == 2 * HOUR + 500


@pytest.mark.parametrize("change", [{"stale_after": None}, {"active": False}])
def test_switched_off_or_paused(store: Store, team: NewTeam, change: dict[str, object]) -> None:
    monitor = feed(store, team, HOUR)
    post(store, monitor, 1)
    monitors.change(store, team.id, monitor.id, change, at(2))

    assert sweep(store, at(9 * DAY)).stale == 0


def test_a_new_threshold_forgets_what_was(store: Store, team: NewTeam) -> None:
    monitor = feed(store, team, HOUR)
    post(store, monitor, 1)
    sweep(store, at(2 * HOUR))
    monitors.change(store, team.id, monitor.id, {"stale_after": AUTO}, at(2 * HOUR))

    assert stale_since(store, monitor) is None


def test_any_accepted_webhook_as_a_sign_of_life(store: Store, team: NewTeam) -> None:
    draft = Draft("x", heartbeat_interval=60, heartbeat_grace=0, webhook_is_heartbeat=True)
    monitor = monitors.create(store, team.id, draft, at(0))
    entries = [
        delivery(monitor, event("degraded", 5, key="k"), received=5),
        delivery(monitor, received=50, outcome=Outcome.IGNORED),
        delivery(monitor, received=55, outcome=Outcome.REJECTED, authentic=False),
    ]
    record(store, entries, NO_LIMIT)

    found = monitors.find(store, team.id, monitor.id)
    assert found is not None
    assert (found.last_heartbeat, found.deadline) == (at(50), at(110))
    assert sweep(store, at(112)).missed == 1
    post(store, monitor, 130)
    signals = history.list_signals(store, monitor.id, 9)
    assert {row.key: row.status for row in signals} == {
        "": "up",
        "k": "degraded",
        "heartbeat": "up",
    }
