"""Histories of senders with the exact checks and incidents they must lead to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulation import Simulation, Span

from gateway.store.engine import Store
from gateway.store.teams import NewTeam

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIVE = {"heartbeat_interval": 300, "starts_at_creation": True}
TIERED = {**FIVE, "heartbeat_grace": 600, "heartbeat_late_after": 60}
JOB = {"heartbeat_interval": 600, "heartbeat_max_run": 300, "starts_at_creation": True}


def every(minutes: int, first: int, last: int) -> dict[str, str]:
    return {f"12:{n:02}": "" for n in range(first, last + 1, minutes)}


Case = tuple[str, dict[str, Any], dict[str, str], str, tuple[Span, ...], tuple[Span, ...]]
# Monitor, what is said when, until when; when the web is down, when the worker is.
HISTORIES: list[tuple[Case, list[str], list[str]]] = [
    (("nobody wired it up", {"heartbeat_interval": 300}, {}, "12:50", (), ()), [], []),
    (
        ("its creator named the interval", FIVE, {}, "12:50", (), ()),
        ["12:06 down"],
        ["12:06- opened"],
    ),
    (("punctual", FIVE, every(5, 3, 50), "12:50", (), ()), ["12:03 up"], []),
    (
        ("dies and comes back", FIVE, {"12:03": "", "12:20": ""}, "12:24", (), ()),
        ["12:03 up", "12:09 down", "12:20 up"],
        ["12:09-12:20 opened,resolved"],
    ),
    (
        ("first late, then down, then back", TIERED, {"12:01": "", "12:40": ""}, "12:41", (), ()),
        ["12:01 up", "12:07 degraded", "12:16 down", "12:40 up"],
        ["12:07-12:40 opened,worsened,resolved"],
    ),
    (
        ("late and back", TIERED, {"12:01": "", "12:10": ""}, "12:14", (), ()),
        ["12:01 up", "12:07 degraded", "12:10 up"],
        ["12:07-12:10 opened,resolved"],
    ),
    (
        ("fails and says so", FIVE, {"12:01": "", "12:02": "fail", "12:04": "0"}, "12:06", (), ()),
        ["12:01 up", "12:02 down", "12:04 up"],
        ["12:02-12:04 opened,resolved"],
    ),
    (
        ("fails, then falls silent", FIVE, {"12:02": "3"}, "12:20", (), ()),
        ["12:02 down", "12:08 down"],
        ["12:02- opened"],
    ),
    (
        ("fails, then is late too: no easing", TIERED, {"12:02": "fail"}, "12:30", (), ()),
        ["12:02 down", "12:17 down"],
        ["12:02- opened"],
    ),
    # ---- the gateway's own outages
    (
        ("ten minutes of outage, it lives", FIVE, every(5, 3, 48), "12:50", (("12:06", "12:16"),)
         , (("12:06", "12:16"),)),
        ["12:03 up"],
        [],
    ),
    (
        ("ten minutes of outage, dead since", FIVE, every(5, 3, 8), "12:50",
         (("12:06", "12:16"),), (("12:06", "12:16"),)),
        ["12:03 up", "12:22 down"],  # interval and grace after it
        ["12:22- opened"],
    ),
    (
        ("dead before the outage, and found", FIVE, {"12:01": ""}, "12:50",
         (("12:20", "12:30"),), (("12:20", "12:30"),)),
        ["12:01 up", "12:07 down"],
        ["12:07- opened"],
    ),
    (
        ("only the web is down", FIVE, every(5, 3, 48), "12:50", (("12:06", "12:16"),), ()),
        ["12:03 up"],
        [],
    ),
    (
        ("only the worker is down: heard all the time", FIVE, every(5, 3, 48), "12:50", (),
         (("12:06", "12:16"),)),
        ["12:03 up"],
        [],
    ),
    (
        ("only the worker is down: found late, told in time", FIVE, {"12:03": ""}, "12:50", (),
         (("12:06", "12:30"),)),
        ["12:03 up", "12:09 down"],
        ["12:09- opened"],
    ),
    (
        ("the web never comes back", FIVE, {"12:03": ""}, "12:50", (("12:06", "13:00"),), ()),
        ["12:03 up"],
        [],
    ),
    (
        ("two outages, it lives", FIVE, every(5, 2, 57), "12:59",
         (("12:06", "12:16"), ("12:18", "12:28")), ()),
        ["12:02 up"],
        [],
    ),
    # ---- jobs
    (
        ("a job that ends", JOB, {"12:01": "start", "12:04": "0", "12:11": "start", "12:12": ""},
         "12:20", (), ()),
        ["12:04 up"],
        [],
    ),
    (
        ("a start without an end", JOB, {"12:01": "start"}, "12:10", (), ()),
        ["12:06 down"],
        ["12:06- opened"],
    ),
    (
        ("a start without an end, then silence", JOB, {"12:01": "start"}, "12:20", (), ()),
        ["12:06 down", "12:12 down"],
        ["12:06- opened"],
    ),
    (
        ("an end after its time", JOB, {"12:01": "start", "12:09": "0"}, "12:12", (), ()),
        ["12:06 down", "12:09 up"],
        ["12:06-12:09 opened,resolved"],
    ),
    (
        ("two runs side by side, one hangs", JOB,
         {"12:01": "start?a", "12:02": "start?b", "12:03": "0?b"}, "12:08", (), ()),
        ["12:03 up", "12:06 down"],
        ["12:06- opened"],
    ),
    (
        ("without a time limit a start promises nothing",
         {**FIVE, "heartbeat_interval": 600}, {"12:01": "start"}, "12:20", (), ()),
        ["12:11 down"],
        ["12:11- opened"],
    ),
    (
        ("the end may have come in the outage", JOB, {"12:01": "start", "12:05": "0"}, "12:12",
         (("12:04", "12:07"),), ()),
        [],
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "checks", "incidents"), HISTORIES, ids=[case[0] for case, _, _ in HISTORIES]
)
def test_a_history(
    store: Store, team: NewTeam, case: Case, checks: list[str], incidents: list[str]
) -> None:
    _, draft, said, until, web_down, worker_down = case
    simulation = Simulation(store, team.id, NOON, MINUTE, web_down, worker_down)

    simulation.run(draft, said, until)

    assert simulation.checks == checks
    assert simulation.incidents == incidents


# Daily jobs around clock changes. Times of the histories are UTC.
NIGHTLY = {"heartbeat_zone": "Europe/Berlin", "heartbeat_grace": 600, "starts_at_creation": True}
CLOCK_CHANGES: list[tuple[str, dict[str, Any], str, dict[str, str], str, list[str]]] = [
    (
        "02:30 is skipped: the job runs right after the gap",
        {"heartbeat_schedule": "30 2 * * *"},
        "2026-03-28 01:00",
        {"2026-03-28 01:30": "", "2026-03-29 01:00": "", "2026-03-30 00:30": ""},
        "2026-03-30 01:00",
        ["01:30 up"],
    ),
    (
        "02:30 is skipped, and so is the job",
        {"heartbeat_schedule": "30 2 * * *"},
        "2026-03-28 01:00",
        {"2026-03-28 01:30": "", "2026-03-30 00:30": ""},
        "2026-03-30 01:00",
        ["01:30 up", "29 01:10 down", "30 00:30 up"],
    ),
    (
        "02:30 comes twice: the job runs the first time",
        {"heartbeat_schedule": "30 2 * * *"},
        "2026-10-24 00:00",
        {"2026-10-24 00:30": "", "2026-10-25 00:30": "", "2026-10-26 01:30": ""},
        "2026-10-26 02:00",
        ["00:30 up"],
    ),
    (
        "02:30 comes twice: running the second time is late",
        {"heartbeat_schedule": "30 2 * * *"},
        "2026-10-24 00:00",
        {"2026-10-24 00:30": "", "2026-10-25 01:30": "", "2026-10-26 01:30": ""},
        "2026-10-26 02:00",
        ["00:30 up", "25 00:40 down", "25 01:30 up"],
    ),
    (
        "each half hour, by real time, through the hour that comes twice",
        {"heartbeat_schedule": "*/30 * * * *"},
        "2026-10-24 23:30",
        {f"2026-10-25 {hour:02}:{half}": "" for hour in range(3) for half in ("00", "30")},
        "2026-10-25 02:30",
        ["25 00:00 up"],
    ),
    (
        "weekdays only: the weekend is no silence",
        {"heartbeat_schedule": "0 9 * * mon-fri"},
        "2026-03-27 07:00",
        {"2026-03-27 08:00": "", "2026-03-30 07:00": ""},
        "2026-03-30 08:00",
        ["08:00 up"],
    ),
    (
        "a gateway that was away at the time waits for the next",
        {"heartbeat_schedule": "30 2 * * *"},
        "2026-01-20 01:00",
        {"2026-01-20 01:30": "", "2026-01-21 01:30": ""},
        "2026-01-22 03:00",
        ["01:30 up", "22 01:40 down"],
    ),
]


@pytest.mark.parametrize(
    ("draft", "begins", "said", "until", "checks"),
    [case[1:] for case in CLOCK_CHANGES],
    ids=[case[0] for case in CLOCK_CHANGES],
)
def test_a_history_of_days(
    store: Store,
    team: NewTeam,
    draft: dict[str, Any],
    begins: str,
    said: dict[str, str],
    until: str,
    checks: list[str],
) -> None:
    away = (("2026-01-21 01:00", "2026-01-21 02:00"),)
    start = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    simulation = Simulation(store, team.id, start, timedelta(minutes=30), web_down=away)

    simulation.run({**NIGHTLY, **draft}, said, until)

    assert simulation.checks == checks
