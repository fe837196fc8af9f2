"""The figures of days as the record transaction, the sweep and changes keep them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording import NO_LIMIT, at, beat, delivery, event
from sqlalchemy import event as listening
from sqlalchemy import func, insert, select

from gateway.core.model import OBSERVABLE, Status
from gateway.core.uptime import DAY, KEPT_DAYS, day_of, total
from gateway.store import history, monitors
from gateway.store.days import read_days
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import DeliveryEntry, record
from gateway.store.sweep import sweep
from gateway.store.tables import FIGURES, monitor_days
from gateway.store.teams import NewTeam

UP, DOWN = Status.UP, Status.DOWN
MORNING = 12 * 3600  # seconds of the day at which the clock of these tests starts


@pytest.fixture
def monitor(store: Store, team: NewTeam) -> Monitor:
    return monitors.create(store, team.id, Draft("shop"), at(0))


def observe(store: Store, monitor: Monitor, status: str, happened: float, heard: float) -> None:
    record(store, [delivery(monitor, event(status, happened), received=heard)], NO_LIMIT)


def shown(store: Store, monitor: Monitor, days: int, now: float) -> list[dict[str, int]]:
    """The seconds of each day by status, without those that are none."""
    return [
        {str(status): seconds for status, seconds in day.seconds.items() if seconds}
        for day in read_days(store, monitor.id, days, at(now))
    ]


def stored_days(store: Store) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(monitor_days)) or 0


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    listening.listen(store.engine, "before_cursor_execute", note)
    yield seen
    listening.remove(store.engine, "before_cursor_execute", note)


def test_a_new_monitor_is_unknown_all_the_time(store: Store, monitor: Monitor) -> None:
    assert shown(store, monitor, 3, 100) == [{"pending": DAY}] * 2 + [{"pending": MORNING + 100}]
    assert total(read_days(store, monitor.id, 366, at(100))).uptime is None
    assert read_days(store, "another", 3, at(100)) == []


def test_figures_follow_what_is_recorded(store: Store, monitor: Monitor) -> None:
    observe(store, monitor, "up", 10, 11)
    observe(store, monitor, "up", 20, 21)
    observe(store, monitor, "down", 30, 35)
    observe(store, monitor, "degraded", 40, 41)
    observe(store, monitor, "up", 15, 45)  # late: counted, without effect

    [day] = read_days(store, monitor.id, 1, at(60))

    assert {str(status): n for status, n in day.seconds.items()} == {
        "pending": MORNING + 10,
        "up": 20,
        "down": 10,
        "degraded": 20,
    }
    assert {str(status): n for status, n in day.checks.items()} == {
        "up": 3,
        "down": 1,
        "degraded": 1,
    }
    assert (day.incidents, day.uptime) == (1, 0.8)
    assert stored_days(store) == 0


def test_the_past_is_kept_when_the_day_turns(store: Store, monitor: Monitor) -> None:
    observe(store, monitor, "up", 0, 0)
    observe(store, monitor, "down", DAY, DAY)
    observe(store, monitor, "up", 4 * DAY + 60, 4 * DAY + 60)

    assert shown(store, monitor, 6, 5 * DAY) == [
        {"pending": MORNING, "up": DAY - MORNING},
        {"up": MORNING, "down": DAY - MORNING},
        {"down": DAY},
        {"down": DAY},
        {"down": MORNING + 60, "up": DAY - MORNING - 60},
        {"up": MORNING},
    ]
    days = read_days(store, monitor.id, 6, at(5 * DAY))
    assert [sum(day.checks.values()) for day in days] == [1, 1, 0, 0, 1, 0]
    assert [day.incidents for day in days] == [0, 1, 0, 0, 0, 0]
    assert stored_days(store) == 2


def test_news_around_midnight_belong_to_the_day_they_happened_on(
    store: Store, monitor: Monitor
) -> None:
    observe(store, monitor, "up", 0, 0)
    midnight = DAY - MORNING

    observe(store, monitor, "down", midnight - 60, midnight + 30)

    first, second = read_days(store, monitor.id, 2, at(midnight + 90))
    assert (first.seconds[DOWN], second.seconds[DOWN]) == (60, 90)
    assert (sum(first.checks.values()), second.checks[DOWN], second.incidents) == (1, 1, 1)


def test_a_sender_whose_clock_is_ahead_is_believed_from_now_on(
    store: Store, monitor: Monitor
) -> None:
    observe(store, monitor, "up", 0, 0)
    observe(store, monitor, "down", 200, 100)

    [day] = read_days(store, monitor.id, 1, at(150))

    assert (day.seconds[UP], day.seconds[DOWN]) == (100, 50)


def test_a_missed_heartbeat_counts_from_its_deadline(store: Store, team: NewTeam) -> None:
    draft = Draft("shop", heartbeat_interval=60, heartbeat_grace=0)
    monitor = monitors.create(store, team.id, draft, at(0))
    record(store, [beat(monitor, 10)], NO_LIMIT)
    sweep(store, at(500))
    record(store, [beat(monitor, 570)], NO_LIMIT)

    [day] = read_days(store, monitor.id, 1, at(600))

    assert (day.seconds[UP], day.seconds[DOWN]) == (90, 500)
    assert (day.checks[UP], day.checks[DOWN], day.incidents) == (2, 1, 1)


def test_a_pause_is_unknown(store: Store, monitor: Monitor) -> None:
    observe(store, monitor, "down", 0, 0)
    for active, second in [(False, 100), (False, 200), (True, 300)]:
        monitors.change(store, monitor.team_id, monitor.id, {"active": active}, at(second))

    assert shown(store, monitor, 1, 400) == [{"pending": MORNING + 200, "down": 200}]

    monitors.change(store, monitor.team_id, monitor.id, {"active": False}, at(500))
    assert shown(store, monitor, 2, DAY)[1] == {"pending": MORNING}


def test_a_delivery_that_changes_nothing_costs_no_statement_more(
    store: Store, monitor: Monitor
) -> None:
    observe(store, monitor, "up", 0, 0)
    with statements(store) as quiet:
        observe(store, monitor, "up", 10, 10)
    with statements(store) as turning:
        observe(store, monitor, "up", DAY, DAY)

    written = [" ".join(each.split()[:3]) for each in quiet if not re.match("BEGIN|SELECT", each)]
    assert written == [
        "INSERT INTO deliveries",
        "INSERT INTO checks",
        "INSERT INTO signals",
        "UPDATE monitors SET",
    ]
    read = [statement for statement in quiet if statement.startswith("SELECT")]
    assert len(read) == 2
    extra = [statement for statement in turning if "monitor_days" in statement]
    assert (len(turning) - len(quiet), len(extra)) == (2, 2)


def test_a_change_on_the_same_day_costs_none_either(store: Store, monitor: Monitor) -> None:
    observe(store, monitor, "up", 0, 0)
    with statements(store) as seen:
        observe(store, monitor, "down", 10, 10)

    assert not [statement for statement in seen if "monitor_days" in statement]


def test_days_are_kept_for_more_than_a_year_and_not_for_ever(
    store: Store, team: NewTeam, monitor: Monitor
) -> None:
    other = monitors.create(store, team.id, Draft("other"), at(0))
    latest = day_of(at(0))
    rows = [
        {"monitor_id": each.id, "day": latest - n, **dict.fromkeys(FIGURES, 1)}
        for each in (monitor, other)
        for n in (1, KEPT_DAYS - 1, KEPT_DAYS, KEPT_DAYS + 1)
    ]
    with store.write() as connection:
        connection.execute(insert(monitor_days), rows)

    observe(store, monitor, "up", -DAY, -DAY)
    assert stored_days(store) == 8
    observe(store, monitor, "up", 0, 0)

    with store.read() as connection:
        query = select(monitor_days.c.day).where(monitor_days.c.monitor_id == monitor.id)
        kept = sorted(latest - day for day in connection.scalars(query))
    assert kept == [1, KEPT_DAYS - 1, KEPT_DAYS]
    assert stored_days(store) == 7


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 100), st.integers(0, 3 * DAY)),
            st.integers(-100, 2 * DAY),
            st.sampled_from([str(status) for status in OBSERVABLE]),
            st.sampled_from("ab"),
            st.booleans(),
        ),
        max_size=15,
    )
)
def test_whatever_comes_in_whatever_order_every_second_counts_once(
    store: Store, team: NewTeam, steps: list[tuple[int, int, str, str, bool]]
) -> None:
    monitor = monitors.create(store, team.id, Draft("shop"), at(0))
    now, sent = 0, list[DeliveryEntry]()
    for later, late, status, key, together in steps:
        now += later
        happened = event(status, now - late, key=key)
        batch = [delivery(monitor, happened, received=now) for _ in range(1 + together)]
        record(store, batch, NO_LIMIT)
        sent += batch

    days = read_days(store, monitor.id, 60, at(now))

    assert [sum(day.seconds.values()) for day in days] == [*[DAY] * 59, (MORNING + now) % DAY]
    assert sum(total(days).checks.values()) == len(sent)
    assert total(days).incidents == number_of_incidents(store, monitor)
    assert days[-1].date == at(now).date()


def number_of_incidents(store: Store, monitor: Monitor) -> int:
    return len(history.list_incidents(store, monitor.id, before=None, limit=200))


def test_a_year_costs_one_statement(store: Store, monitor: Monitor) -> None:
    for number in range(400):
        observe(store, monitor, "up", number * DAY, number * DAY)
    now = at(399 * DAY) + timedelta(seconds=5)

    with statements(store) as seen:
        days = read_days(store, monitor.id, 366, now)

    assert [sum(day.checks.values()) for day in days] == [1] * 366
    assert [each.split()[0] for each in seen if each != "BEGIN"] == ["SELECT"]
    if store.engine.dialect.name == "sqlite":
        assert_uses_the_primary_key(store, seen[-1], monitor, now)


def assert_uses_the_primary_key(
    store: Store, statement: str, monitor: Monitor, now: datetime
) -> None:
    """PostgreSQL does so too once there are rows enough, which a test has not."""
    with store.read() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", (day_of(now) - 365, monitor.id)
        )
        steps = [row[3] for row in plan]
    assert any("monitor_days USING PRIMARY KEY (monitor_id=? AND day>?)" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)
