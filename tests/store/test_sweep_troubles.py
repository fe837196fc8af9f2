"""What stops neither the sweep nor the other rows."""

import logging
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from recording import NO_LIMIT, at, delivery, event
from sqlalchemy import text

from gateway.core.errors import Unavailable
from gateway.core.heartbeat import word_of
from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import record
from gateway.store.sweep import Aside, sweep
from gateway.store.teams import NewTeam


def watched(store: Store, team: NewTeam, **fields: object) -> Monitor:
    settings: dict[str, object] = {
        "heartbeat_interval": 60,
        "heartbeat_grace": 0,
        "starts_at_creation": True,
        **fields,
    }
    return monitors.create(store, team.id, Draft("job", **settings), at(0))  # type: ignore[arg-type]


def spoil(store: Store, monitor: Monitor) -> None:
    """A time zone that this machine has lost."""
    with store.write() as connection:
        connection.execute(
            text("UPDATE monitors SET heartbeat_zone = 'Gone/Away' WHERE id = :id"),
            {"id": monitor.id},
        )


def mend(store: Store, monitor: Monitor) -> None:
    with store.write() as connection:
        connection.execute(
            text("UPDATE monitors SET heartbeat_zone = 'UTC' WHERE id = :id"), {"id": monitor.id}
        )


def test_one_bad_row_stops_no_other(
    store: Store, team: NewTeam, caplog: pytest.LogCaptureFixture
) -> None:
    made = [watched(store, team) for _ in range(3)]
    bad = watched(store, team, heartbeat_interval=None, heartbeat_schedule="* * * * *")
    made += [watched(store, team) for _ in range(3)]
    spoil(store, bad)
    aside = Aside()

    swept = sweep(store, at(100), aside)

    assert (swept.missed, swept.put_off) == (6, 1)
    assert f"the heartbeat deadline of {bad.id} cannot be settled" in caplog.text
    assert sweep(store, at(100), aside).put_off == 0


def test_a_bad_row_is_tried_less_and_less_and_told_once(
    store: Store, team: NewTeam, caplog: pytest.LogCaptureFixture
) -> None:
    bad = watched(store, team, heartbeat_interval=None, heartbeat_schedule="* * * * *")
    spoil(store, bad)
    aside = Aside()

    minutes = range(2, 400)
    tried = [each for each in minutes if sweep(store, at(60 * each), aside).put_off]

    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == [2, 3, 5, 9, 17, 33, *[61] * 5]
    assert len([each for each in caplog.records if each.levelno == logging.ERROR]) == 1


def test_what_is_mended_is_found_with_its_own_time(store: Store, team: NewTeam) -> None:
    bad = watched(store, team, heartbeat_interval=None, heartbeat_schedule="* * * * *")
    spoil(store, bad)
    aside = Aside()
    sweep(store, at(100), aside)
    mend(store, bad)

    assert sweep(store, at(200), aside).missed == 1

    [incident] = history.list_incidents(store, bad.id, before=None, limit=5)
    assert incident.row.opened_at == at(60)
    assert aside.failures == {}


@pytest.mark.parametrize("table", ["signals", "heartbeat_runs"])
def test_other_deadlines_are_put_off_too(store: Store, team: NewTeam, table: str) -> None:
    bad = watched(store, team, heartbeat_max_run=10, heartbeat_interval=None)
    good = watched(store, team, heartbeat_max_run=10, heartbeat_interval=None)
    start = word_of("start", "")
    assert start is not None
    for each in (bad, good):
        down = replace(event("down", 1, key="k"), resolve_after=timedelta(seconds=10))
        record(store, [delivery(each, down)], NO_LIMIT)
        record(store, [HeartbeatEntry(each.id, each.revision, at(1), start)], NO_LIMIT)
    with store.write() as connection:  # a status of another release
        connection.execute(
            text("UPDATE signals SET status = 'odd' WHERE monitor_id = :id"), {"id": bad.id}
        )
        if table == "heartbeat_runs":
            connection.execute(text("UPDATE monitors SET status = 'odd' WHERE id = :id"),
                               {"id": bad.id})  # fmt: skip

    swept = sweep(store, at(100))

    assert (swept.resolved, swept.overran + swept.put_off) == (1, 3)
    assert sweep(store, at(100)).put_off == 0


def test_a_database_that_is_away_is_no_bad_row(store: Store, team: NewTeam) -> None:
    watched(store, team)
    aside = Aside()
    with store.write() as connection:
        connection.execute(text("ALTER TABLE checks RENAME TO elsewhere"))

    with pytest.raises(Unavailable):
        sweep(store, at(100), aside)
    assert aside.failures == {}
