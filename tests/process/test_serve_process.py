"""The web process on real sockets: slow, greedy and broken clients, and what it logs."""

import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from processes import Place, Running, wait_for

from gateway.app import open_store, utc_now
from gateway.config import load_config
from gateway.providers import load_providers
from gateway.store import monitors, teams
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.monitors import Draft, Monitor
from gateway.testing import signed

pytestmark = pytest.mark.process

# The log level that says most must not say too much either.
SETTINGS = """
log: {level: debug}
database: {busy_timeout: 1s}
web: {read_timeout: 1s, max_body: 64KiB, keepalive: 2s, graceful_timeout: 1s}
limits: {per_monitor: {rate: 1000/1s, burst: 1000}}
"""
SECRET = "the-secret-of-the-webhook"
UP = b'{"status": "up"}'


@dataclass
class Served:
    place: Place
    running: Running
    store: Store
    api_token: str
    team: str

    def monitor(self, provider: str = "auto", *secrets: str) -> Monitor:
        credentials = {"secret": secrets} if secrets else {}
        draft = Draft("shop", provider=provider, credentials=credentials)
        return monitors.create(self.store, self.team, draft, utc_now())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = Place(tmp_path_factory.mktemp("serve"), SETTINGS)
    running = place.start("serve")
    try:
        wait_for("the server listens", lambda: answers(place, 503))
        config = load_config(SETTINGS, str(place.folder / "config.yaml"), {})
        store = open_store(config, create=True)
        migrate(store)
        team = teams.ensure_first_team(store, "main", utc_now())
        assert team is not None
        running.ready()  # a database that comes later is found
        yield Served(place, running, store, team.api_token, team.id)
        store.close()
    finally:
        running.end()


def answers(place: Place, status: int) -> bool:
    try:
        return place.request("GET", "/readyz").status == status
    except OSError:
        return False


def head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def read_all(client: socket.socket) -> bytes:
    received = b""
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def test_a_slow_body_is_answered_and_cut_off(served: Served) -> None:
    monitor = served.monitor()
    with served.place.connect() as client:
        client.sendall(head(f"/webhooks/{monitor.token}", "Content-Length: 16") + UP[:5])
        started = time.monotonic()
        received = read_all(client)

    assert received.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_timeout"' in received
    assert time.monotonic() - started < 3


def test_half_sent_bodies_keep_nobody_waiting(served: Served) -> None:
    monitor = served.monitor()
    path = f"/webhooks/{monitor.token}"
    clients = [served.place.connect() for _ in range(40)]
    for client in clients:
        client.sendall(head(path, "Content-Length: 16") + UP[:5])

    started = time.monotonic()
    statuses = [served.place.request("POST", path, UP).status for _ in range(5)]
    waited = time.monotonic() - started
    for client in clients:
        client.close()

    assert statuses == [200] * 5
    assert waited < 0.8


def test_a_huge_declared_body_is_refused_unread(served: Served) -> None:
    monitor = served.monitor()
    with served.place.connect() as client:
        client.sendall(head(f"/webhooks/{monitor.token}", f"Content-Length: {100 << 20}") + b"x")
        received = read_all(client)

    assert received.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in received
    assert b"connection: close" in received.lower()


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_huge_body_is_not_read_to_its_end(served: Served, declared: bool) -> None:
    monitor = served.monitor()
    framing = f"Content-Length: {100 << 20}" if declared else "Transfer-Encoding: chunked"
    piece = b"x" * 65536 if declared else b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    with served.place.connect() as client:
        client.settimeout(5)
        client.sendall(head(f"/webhooks/{monitor.token}", framing))
        try:
            while sent < 100 << 20:
                client.sendall(piece)
                sent += len(piece)
        except OSError:
            pass

    assert sent < 20 << 20  # what fits into the buffers on the way
    assert served.place.request("POST", f"/webhooks/{monitor.token}", UP).status == 200


def test_keep_alive_goes_on_after_an_error(served: Served) -> None:
    monitor = served.monitor()
    path = f"/webhooks/{monitor.token}"
    with served.place.connect() as client:
        for body, status in ((b"{", b"400"), (UP, b"200")):
            client.sendall(head(path, f"Content-Length: {len(body)}") + body)
            assert client.recv(65536).split(b" ")[1] == status


def test_heartbeats_by_head_and_get(served: Served) -> None:
    monitor = served.monitor()
    path = f"/webhooks/{monitor.token}/heartbeat"

    for method in ("GET", "HEAD", "POST"):
        answer = served.place.request(method, path)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        assert bool(answer.body) is (method != "HEAD")


def test_a_locked_database_is_told_and_waited_out(served: Served) -> None:
    monitor = served.monitor()
    path = f"/webhooks/{monitor.token}"
    blocker = sqlite3.connect(served.place.database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    refused = served.place.request("POST", path, UP)
    blocker.execute("ROLLBACK")
    blocker.close()

    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert served.place.request("POST", path, UP).status == 200


WEBSOCKET = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
)
BROKEN = [
    "POST {path} HTTP/9.9\r\nHost: x\r\n\r\n",
    "POST {path} with spaces HTTP/1.1\r\nHost: x\r\n\r\n",
    "P\0ST {path} HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST {path}\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nBad Header: {secret}\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nX-Secret: {secret}\0\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {secret}\r\n\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST {path} HTTP/1.1\r\nHost: x\r\nX-Long: {secret}" + "x" * 20_000 + "\r\n\r\n",
    "POST {path}" + "x" * 20_000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
    f"POST {{path}} HTTP/1.1\r\nHost: x\r\n{WEBSOCKET}\r\n",
    f"GET {{path}} HTTP/1.1\r\nHost: x\r\n{WEBSOCKET}\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01{path}{secret}\r\n\r\n",
]


def test_broken_requests_are_refused_and_the_server_goes_on(served: Served) -> None:
    monitor = served.monitor()
    for request in BROKEN:
        with served.place.connect() as client:
            text = request.format(path=f"/webhooks/{monitor.token}", secret=SECRET)
            client.sendall(text.encode("latin-1"))
            client.shutdown(socket.SHUT_WR)
            received = read_all(client)
        assert received == b"" or re.match(rb"HTTP/1\.1 [45]\d\d ", received), (request, received)
        assert not received.startswith(b"HTTP/1.1 500"), request

    assert served.place.request("POST", f"/webhooks/{monitor.token}", UP).status == 200


def test_no_log_line_and_no_answer_holds_a_secret(served: Served) -> None:
    """Last in this file: looks at the log of everything above, at the level ``debug``."""
    github = load_providers().get("github")
    monitor = served.monitor("github", SECRET)
    path = f"/webhooks/{monitor.token}"
    right = signed(github.provider, b"{}", SECRET)
    token = {"Authorization": f"Bearer {served.api_token}"}
    wrong = {"Authorization": f"Bearer {served.api_token[:-1]}x"}
    requests = [
        ("POST", path, right.body, right.headers),
        ("POST", path, b"{}", {"x-hub-signature-256": f"sha256={SECRET}"}),
        ("POST", f"{path}?secret={SECRET}", b"{", right.headers),
        ("PUT", path, b"", {}),
        ("GET", f"{path}/nothing", b"", {}),
        ("GET", f"{path}/heartbeat", b"", {}),
        ("POST", f"{path}x", b"{}", {}),
        ("GET", "/monitors", b"", wrong),
        ("PATCH", f"/monitors/{monitor.id}", b'{"webhookSecret": ["' + SECRET.encode(), token),
        ("POST", "/monitors", b'{"name": 1, "webhookSecret": "%b"}' % SECRET.encode(), token),
        ("POST", "/monitors", b'{"name": "x", "webhookSecret": "%b"}' % SECRET.encode(), token),
    ]
    answers = [served.place.request(*request) for request in requests]
    known = served.place.request("GET", f"/monitors/{monitor.id}", headers=token)

    assert [answer.status for answer in answers] == [
        *(200, 401, 401, 405, 404, 200, 404),
        *(401, 400, 400, 201),
    ]
    assert known.json["webhookToken"] == monitor.token
    for answer in answers:
        assert SECRET.encode() not in answer.body
        assert served.api_token[:-1].encode() not in answer.body
    printed = served.running.printed
    assert printed
    for secret in (SECRET, served.api_token[:-1], monitor.token, "/webhooks/"):
        assert secret not in printed, printed[max(0, printed.index(secret) - 300) :][:600]
    assert not re.search(r"\b[0-9a-f]{64}\b", printed)
