"""The outgoing ping, against a real HTTP server."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.core.blindness import Duty
from gateway.store import monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft
from gateway.store.teams import NewTeam
from gateway.store.watermarks import mark
from gateway.tasks import ping_once
from gateway.watchdog import Freshness, Punctuality, Watchdog
from gateway.worker import build_watchdog

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = "4b6e0a3c-secret"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class Receiver:
    status: int = 200
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{SECRET}?x=1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            receiver.paths.append(self.path)
            self.send_response(receiver.status)
            self.send_header("Location", receiver.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


def test_it_pings_once_in_a_slot(store: Store, receiver: Receiver) -> None:
    watchdog = Watchdog(receiver.url, ())

    sent = [ping_once(store, watchdog, at(each), MINUTE) for each in (0, 5, 59, 60, 200)]

    assert sent == [True, False, False, True, True]
    assert receiver.paths == [f"/{SECRET}?x=1"] * 3


@pytest.mark.parametrize("status", [301, 404, 500])
def test_what_is_no_answer_is_told_once_and_without_the_address(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.INFO)
    watchdog = Watchdog(receiver.url, ())
    receiver.status = status

    assert [watchdog.send() for _ in range(3)] == [False] * 3
    assert len(receiver.paths) == 3  # a redirect is not followed
    receiver.status = 200
    assert watchdog.send()

    assert caplog.messages == [
        f"watchdog ping failed: 127.0.0.1 answers {status}",
        "watchdog pings arrive again",
    ]
    assert SECRET not in caplog.text


def test_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog(f"https://127.0.0.1:9/{SECRET}", ())

    assert watchdog.send() is False
    assert caplog.messages == [
        "watchdog ping failed: no answer from 127.0.0.1 (ConnectionRefusedError)"
    ]


def test_it_pings_only_while_everything_runs(
    store: Store, team: NewTeam, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = build_watchdog(store, receiver.url, timedelta(seconds=5))

    def pings(seconds: float) -> bool:
        return ping_once(store, watchdog, at(seconds), timedelta(seconds=1))

    def marks(seconds: float, *duties: Duty) -> None:
        for duty in duties:
            mark(store, duty, at(seconds), timedelta(days=1))

    assert pings(0) is False  # nothing runs yet, which is no news in the first seconds
    assert caplog.messages == []
    marks(1, Duty.RECEIVING)
    assert pings(2) is False
    marks(3, Duty.SWEEPING)
    assert pings(4) is True
    assert pings(7) is False  # the web process is away
    assert pings(30) is False
    assert caplog.messages == ["watchdog ping not sent: no receiving since 2026-01-20 12:00:01"]
    marks(31, Duty.RECEIVING)
    assert pings(32) is False  # the sweep is away
    marks(33, Duty.RECEIVING, Duty.SWEEPING)
    assert pings(34) is True
    draft = Draft("x", heartbeat_interval=1, heartbeat_grace=0, starts_at_creation=True)
    monitors.create(store, team.id, draft, at(35))
    marks(60, Duty.RECEIVING, Duty.SWEEPING)
    assert pings(61) is False  # it runs, but does not get on
    assert len(receiver.paths) == 2


def test_probes_say_what_is_wrong(store: Store) -> None:
    fresh = Freshness(store, Duty.RECEIVING, timedelta(seconds=5))

    assert fresh(NOON) == "no receiving yet"
    assert Punctuality(store, timedelta(seconds=5))(NOON) == ""


def test_without_a_database_no_ping(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = build_watchdog(store, receiver.url, timedelta(seconds=5))
    with store.write() as connection:
        connection.exec_driver_sql("ALTER TABLE watermarks RENAME TO elsewhere")

    assert ping_once(store, watchdog, NOON, MINUTE) is False
    assert "no watchdog ping" in caplog.text
    assert receiver.paths == []
