"""``taco up`` as an operator meets it: one command, two processes, Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from processes import Place, Running, command_of, is_alive, wait_for

from gateway.core.times import parse_time
from gateway.providers import load_providers
from gateway.testing import signed

pytestmark = pytest.mark.process

SETTINGS = """
heartbeat: {sweep_every: 1s, grace: 0s}
web: {keepalive: 2s, graceful_timeout: 3s}
worker: {shutdown_timeout: 3s}
"""
SECRET = "the secret of the webhook"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("up"), SETTINGS)


@pytest.fixture(scope="module")
def gateway(place: Place) -> Iterator[Running]:
    running = place.start("up")
    try:
        yield running.ready()
    finally:
        running.end()


@pytest.fixture(scope="module")
def token(gateway: Running) -> str:
    found = re.search(r"API token +([0-9a-f]{64})", gateway.printed)
    assert found, gateway.printed
    return found[1]


def create(place: Place, token: str, **fields: Any) -> dict[str, Any]:
    answer = place.request(
        "POST",
        "/monitors",
        orjson.dumps({"name": "shop", **fields}),
        {"Authorization": f"Bearer {token}"},
    )
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def show(place: Place, token: str, path: str) -> Any:
    return place.request("GET", path, headers={"Authorization": f"Bearer {token}"}).json


def test_it_says_where_it_is(place: Place, gateway: Running, token: str) -> None:
    assert f"at http://127.0.0.1:{place.port}\n" in gateway.printed
    assert gateway.printed.count(token) == 1
    assert "Ctrl-C stops it." in gateway.printed


def test_it_serves_a_signed_webhook_and_a_sent_example(place: Place, token: str) -> None:
    made = create(place, token, provider="github", webhookSecret=SECRET)
    github = load_providers().get("github")
    example = github.examples[0]
    delivery = signed(github.provider, example.body, SECRET, headers=example.headers)

    path = path_of(made["webhookUrl"])
    answer = place.request("POST", path, delivery.body, delivery.headers)
    unsigned = place.request("POST", path, delivery.body, example.headers)
    sent = place.taco("send", "github", "1", "--to", made["webhookUrl"], "--secret", SECRET)
    refused = place.taco("send", "github", "1", "--to", made["webhookUrl"], "--secret", "wrong")

    assert answer.json["success"] is True
    assert answer.json["result"]["provider"] == "github"
    assert unsigned.status == 401
    assert (sent.returncode, sent.stdout[:3]) == (0, "200"), sent.stderr
    assert (refused.returncode, refused.stdout[:3]) == (1, "401")
    lines = show(place, token, f"/monitors/{made['id']}/deliveries")["items"]
    outcomes = [line["outcome"] for line in lines]
    assert [outcomes[0], *outcomes[2:]] == ["rejected", "rejected", "recorded"]
    assert outcomes[1] in {"recorded", "duplicate", "late"}


def test_a_missed_heartbeat_becomes_an_incident_of_its_deadline(place: Place, token: str) -> None:
    made = create(place, token, heartbeatInterval=1)
    beat = place.request("GET", path_of(made["heartbeatUrl"])).json["monitor"]["lastHeartbeat"]
    deadline = show(place, token, f"/monitors/{made['id']}")["deadline"]
    incidents: list[Any] = []

    def missed() -> bool:
        incidents[:] = show(place, token, f"/monitors/{made['id']}/incidents")["items"]
        return bool(incidents)

    wait_for("the sweep", missed)

    assert incidents[0]["openedAt"] == deadline
    first, due = parse_time(beat), parse_time(deadline)
    assert first is not None
    assert due is not None
    assert (due - first).total_seconds() == 1
    assert show(place, token, f"/monitors/{made['id']}")["status"] == "down"
    again = place.request("GET", path_of(made["heartbeatUrl"]))
    assert again.status == 200
    [incident] = show(place, token, f"/monitors/{made['id']}/incidents")["items"]
    assert incident["resolvedAt"] == again.json["monitor"]["lastHeartbeat"]


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_a_process_that_dies_is_started_again(gateway: Running, name: str) -> None:
    def pids() -> set[int]:
        return {p for p in gateway.children() if command_of(p).rstrip().endswith(name)}

    before = pids()
    os.kill(min(before), signal.SIGKILL)  # a server's workers live on for a while

    wait_for(f"a new {name}", lambda: bool(pids() - before))
    gateway.ready()
    assert re.search(r"the (web|worker) process ended with code -9", gateway.printed)


def test_told_twice_it_waits_no_longer(tmp_path: Path) -> None:
    place = Place(tmp_path)
    running = place.start("up")
    try:
        running.ready()
        children = running.children()
        with place.connect() as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(9) == b"HTTP/1.1 "
            running.process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                running.process.wait(1.5)

            assert running.stop(signal.SIGINT, patience=3) == 0
            assert not [pid for pid in children if is_alive(pid)]
    finally:
        running.end()


def test_a_port_that_is_taken_is_one_sentence(place: Place, gateway: Running) -> None:
    assert gateway.process.poll() is None

    refused = place.taco("up")

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{place.port}" in refused.stderr
    assert "TACO_PORT" in refused.stderr


def test_ctrl_c_ends_everything_and_the_token_stays_secret(
    place: Place, gateway: Running, token: str
) -> None:
    idle = place.connect()  # somebody always keeps a connection open
    idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(9) == b"HTTP/1.1 "
    children = gateway.children()
    assert len(children) >= 2

    code = gateway.stop(signal.SIGINT, patience=8)

    idle.close()
    assert code == 0, gateway.printed
    assert not [pid for pid in children if is_alive(pid)]
    with pytest.raises(OSError, match="refused"), socket.socket() as probe:
        probe.connect(("127.0.0.1", place.port))
    second = place.start("up")
    try:
        second.ready()
        assert token not in second.printed
        assert "API token" not in second.printed
        assert show(place, token, "/monitors")["items"]
        assert second.stop(signal.SIGTERM, patience=8) == 0
    finally:
        second.end()
