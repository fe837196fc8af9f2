"""What senders say on their heartbeat addresses, over HTTP."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gateways import Gateway

from gateway.app import utc_now
from gateway.store import history, monitors
from gateway.store.monitors import Monitor


def say(
    gateway: Gateway, monitor: Monitor, said: str = "", method: str = "GET", **options: Any
) -> Any:
    return gateway.request(method, f"/webhooks/{monitor.token}/heartbeat{said}", **options)


def runs(gateway: Gateway, monitor: Monitor) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = gateway.manage("GET", f"/monitors/{monitor.id}/runs").json[
        "items"
    ]
    return items


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("said", "status", "state"),
    [
        ("/start", "pending", "running"),
        ("/fail", "down", "failed"),
        ("/0", "up", "succeeded"),
        ("/1", "down", "failed"),
        ("/255", "down", "failed"),
        ("?rid=r1", "up", "succeeded"),
    ],
)
def test_what_a_job_can_say(
    gateway: Gateway, method: str, said: str, status: str, state: str
) -> None:
    monitor = gateway.monitor(heartbeat_interval=300)
    path, _, query = said.partition("?")

    answer = say(gateway, monitor, path, method, query_string=query)

    assert answer.status_code == 200
    if method != "HEAD":
        assert set(answer.json["monitor"]) == {"id", "name", "lastHeartbeat"}
        assert answer.json["monitor"]["lastHeartbeat"]
    assert gateway.reread(monitor).status == status
    assert [run["state"] for run in runs(gateway, monitor)] == [state]


@pytest.mark.parametrize("said", ["/stop", "/256", "/-1", "/0x1", "/START", "/1/2", "/%00"])
def test_what_it_cannot(gateway: Gateway, said: str) -> None:
    monitor = gateway.monitor(heartbeat_interval=300)

    answer = say(gateway, monitor, said)

    assert answer.status_code == 404
    assert answer.json["code"] == "not_found"
    assert gateway.reread(monitor).last_heartbeat is None


@pytest.mark.parametrize("rid", ["a b", "x" * 65, "%00", "é", "a/b"])
def test_a_name_that_no_run_can_have(gateway: Gateway, rid: str) -> None:
    monitor = gateway.monitor()

    answer = say(gateway, monitor, "/start", params={"rid": rid})

    assert answer.status_code == 400
    assert "rid should be a UUID" in answer.json["details"]["reason"]
    assert runs(gateway, monitor) == []


def test_other_parameters_do_not_matter(gateway: Gateway) -> None:
    monitor = gateway.monitor()

    assert say(gateway, monitor, query_string="t=1&rid=").status_code == 200
    assert runs(gateway, monitor) == []


def test_a_run_with_its_log(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    log = b"x" * 100_000 + f"+ curl https://x/webhooks/{monitor.token}/heartbeat \xff end".encode()

    say(gateway, monitor, "/start", "POST", query_string="rid=r1")
    say(gateway, monitor, "/3", "POST", query_string="rid=r1", body=log[-60_000:])

    [run] = runs(gateway, monitor)
    assert (run["rid"], run["state"], run["exitCode"]) == ("r1", "failed", 3)
    assert run["duration"] is not None
    assert run["logSize"] == 60_000
    assert run["log"].endswith("/webhooks/[redacted]/heartbeat \xff end")
    assert monitor.token not in str(run)


def test_a_log_is_cut_at_its_beginning(start: Any) -> None:
    gateway = start("web: {max_body: 1MiB}")
    monitor = gateway.monitor()

    say(gateway, monitor, "/0", "POST", body=b"a" * 100_000 + b"the end")

    [run] = runs(gateway, monitor)
    assert (len(run["log"]), run["logSize"]) == (64 * 1024, 100_007)
    assert run["log"].endswith("the end")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_link_preview_is_no_sign_of_life_where_post_is_asked_for(
    gateway: Gateway, method: str
) -> None:
    monitor = gateway.monitor(heartbeat_interval=300, heartbeat_post_only=True)

    for said in ("", "/start", "/0"):
        answer = say(gateway, monitor, said, method)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST, OPTIONS"
    assert gateway.reread(monitor).last_heartbeat is None
    assert runs(gateway, monitor) == []

    assert say(gateway, monitor, method="POST").status_code == 200
    assert gateway.reread(monitor).status == "up"


@pytest.mark.parametrize(("before", "then", "status"), [(True, False, 200), (False, True, 405)])
def test_a_change_of_post_only_counts_at_once(
    gateway: Gateway, before: bool, then: bool, status: int
) -> None:
    """Although another process still has the monitor as it was in its cache."""
    monitor = gateway.monitor(heartbeat_post_only=before)
    say(gateway, monitor, method="POST")
    changes = {"heartbeat_post_only": then}
    monitors.change(gateway.store, monitor.team_id, monitor.id, changes, utc_now())
    known = directory_of(gateway)._known
    known[monitor.token] = replace(known[monitor.token], read_at=utc_now() - timedelta(seconds=9))

    assert say(gateway, monitor).status_code == status


def directory_of(gateway: Gateway) -> Any:
    route: Any = gateway.app._router.find(f"/webhooks/{'0' * 64}/heartbeat", req=None)
    return route[0]._intake._directory


def test_runs_of_another_team_are_not_found(gateway: Gateway) -> None:
    assert gateway.manage("GET", "/monitors/0123456789ABCDEFGHJKMNPQRS/runs").status_code == 404


def test_an_accepted_webhook_as_a_sign_of_life(gateway: Gateway) -> None:
    monitor = gateway.monitor(heartbeat_interval=300, webhook_is_heartbeat=True)

    answer = gateway.post(monitor, b'{"status": "up"}')

    after = gateway.reread(monitor)
    assert answer.status_code == 200
    assert after.deadline is not None
    keys = {row.key for row in history.list_signals(gateway.store, monitor.id, 9)}
    assert keys == {"", "heartbeat"}
