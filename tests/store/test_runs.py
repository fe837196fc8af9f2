"""Runs of jobs: what is kept of them, and what is not."""

from datetime import UTC, datetime, timedelta

import pytest
from simulation import Simulation

from gateway.core.blindness import Duty
from gateway.store import history, monitors, runs
from gateway.store.engine import Store
from gateway.store.sweep import sweep
from gateway.store.teams import NewTeam
from gateway.store.watermarks import mark
from gateway.web.views import run_view

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
LIMITED = {"heartbeat_interval": 600, "heartbeat_max_run": 300}


@pytest.fixture
def job(store: Store, team: NewTeam) -> Simulation:
    made = Simulation(store, team.id, NOON)
    made.run(LIMITED, {}, "12:00")
    return made


def say(job: Simulation, *said: tuple[str, str]) -> None:
    for at, each in said:
        job.say(job.time(at), each)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("12:01", "")], []),
        ([("12:01", "?r1")], ["-12:01 succeeded"]),
        ([("12:01", "0")], ["-12:01 succeeded"]),
        ([("12:01", "fail")], ["-12:01 failed"]),
        ([("12:01", "7")], ["-12:01 failed"]),
        ([("12:01", "start")], ["12:01- running"]),
        ([("12:01", "start"), ("12:02", "")], ["12:01-12:02 succeeded"]),
        ([("12:01", "start"), ("12:02", "fail")], ["12:01-12:02 failed"]),
        (
            [("12:01", "start?a"), ("12:02", "start?b"), ("12:03", "0?a"), ("12:04", "1?b")],
            ["12:01-12:03 succeeded", "12:02-12:04 failed"],
        ),
        ([("12:01", "start?a"), ("12:02", "")], ["12:01- running"]),
        ([("12:01", "start?a"), ("12:02", "0?b")], ["12:01- running", "-12:02 succeeded"]),
        (
            [("12:01", "start"), ("12:02", "start"), ("12:03", "0"), ("12:04", "0")],
            ["12:01-12:04 succeeded", "12:02-12:03 succeeded"],
        ),
        ([("12:01", "start"), ("12:02", "0"), ("12:03", "")], ["12:01-12:02 succeeded"]),
    ],
)
def test_what_is_kept_of_runs(
    job: Simulation, said: list[tuple[str, str]], expected: list[str]
) -> None:
    say(job, *said)

    assert job.runs == expected


def test_a_run_is_shown_with_duration_exit_code_and_log(job: Simulation) -> None:
    job.say(job.time("12:01"), "start?r1")
    job.say(job.time("12:01:30"), "2?r1", b"disk full")

    [row] = history.list_runs(job.store, job.monitor.id, before=None, limit=5)
    assert run_view(row) == {
        "id": row.id,
        "rid": "r1",
        "state": "failed",
        "startedAt": "2026-01-20T12:01:00.000Z",
        "endedAt": "2026-01-20T12:01:30.000Z",
        "duration": 30.0,
        "deadline": None,
        "exitCode": 2,
        "logSize": 9,
        "log": "disk full",
    }


def test_the_log_of_the_start_stays_when_the_end_has_none(job: Simulation) -> None:
    job.say(job.time("12:01"), "start", b"begun")
    say(job, ("12:02", "0"))

    [row] = history.list_runs(job.store, job.monitor.id, before=None, limit=5)
    assert run_view(row)["log"] == "begun"


def test_a_plain_heartbeat_keeps_no_body(job: Simulation) -> None:
    job.say(job.time("12:01"), "", b"chatter")

    assert job.runs == []


def test_runs_of_a_paused_monitor_are_kept_and_mean_nothing(job: Simulation) -> None:
    paused = monitors.change(job.store, job.team_id, job.monitor.id, {"active": False}, NOON)
    assert paused is not None
    say(job, ("12:01", "start"), ("12:02", "1"), ("12:03", "start"))
    runs_before = job.runs

    sweep_at(job, "12:30")

    assert runs_before == ["12:01-12:02 failed", "12:03- running"]
    assert job.runs == ["12:01-12:02 failed", "12:03- unknown"]
    assert job.checks == []


def test_a_run_without_a_limit_is_forgotten_in_the_end(store: Store, team: NewTeam) -> None:
    job = Simulation(store, team.id, NOON)
    job.run({}, {}, "12:00")
    say(job, ("12:01", "start"))

    sweep_at(job, "12:00", days=7)
    assert job.runs == ["12:01- running"]
    sweep_at(job, "12:02", days=7)

    assert job.runs == ["12:01- unknown"]
    assert job.checks == []
    assert timedelta(days=7) == runs.FORGOTTEN_AFTER


def test_pages_of_runs(job: Simulation) -> None:
    say(job, *[(f"12:{n:02}", "0") for n in range(1, 6)])

    newest = history.list_runs(job.store, job.monitor.id, before=None, limit=2)
    older = history.list_runs(job.store, job.monitor.id, before=newest[-1].id, limit=2)

    assert [row.ended_at.minute for row in (*newest, *older)] == [5, 4, 3, 2]


def test_a_removed_monitor_leaves_no_runs(job: Simulation) -> None:
    say(job, ("12:01", "start"), ("12:02", "0"))

    assert monitors.remove(job.store, job.team_id, job.monitor.id)
    assert job.runs == []


def sweep_at(job: Simulation, at: str, days: int = 0) -> None:
    now = job.time(at) + timedelta(days=days)
    mark(job.store, Duty.RECEIVING, now, timedelta(days=99))
    sweep(job.store, now)
