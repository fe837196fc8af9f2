"""Alerts through Apprise, whose connections go through our guard."""

import socket
import subprocess
import sys
import threading

import pytest
from alerting import Desk
from receiving import Reaction, Receiver

from gateway.alerts.apprise_kind import apprise_kind
from gateway.alerts.connect_guard import Refused, guarded
from gateway.alerts.kinds import Kinds
from gateway.channel_kind import SettingWrong
from gateway.outgoing import Outgoing

KINDS = Kinds((apprise_kind(),))


def address(receiver: Receiver, extra: str = "") -> str:
    return f"json://user:s3cret@127.0.0.1:{receiver.server.server_address[1]}/hook{extra}"


def test_it_gets_there(desk: Desk, receiver: Receiver) -> None:
    desk.channel(kind="apprise", settings={"url": (address(receiver),)})
    desk.say(desk.monitor(), "down")
    desk.send(desk.dispatcher(apprise_kind()))

    assert desk.states() == ["sent"]
    [posted] = receiver.received
    assert posted.json["title"] == "Down: shop, api"
    assert "Why: it is down (rule r)" in posted.json["message"]
    assert posted.json["type"] == "failure"


@pytest.mark.parametrize(
    ("reaction", "error"),
    [(Reaction(500), "error=500"), (Reaction(hang=0.6), "onnection")],
    ids=["500", "hangs"],
)
def test_it_is_tried_again(desk: Desk, receiver: Receiver, reaction: Reaction, error: str) -> None:
    receiver.reactions.append(reaction)
    desk.channel(kind="apprise", settings={"url": (address(receiver),)})
    desk.say(desk.monitor(), "down")
    sender = desk.dispatcher(apprise_kind(), patience=0.3)
    desk.send(sender)

    [row] = desk.rows()
    assert error in row.last_error
    assert "s3cret" not in row.last_error
    desk.clock.move(seconds=10)
    desk.send(sender)
    assert desk.states() == ["sent"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_does_not_reach_what_must_not_be_called(
    desk: Desk, receiver: Receiver, host: str
) -> None:
    url = address(receiver).replace("127.0.0.1", host)
    channel = desk.channel(kind="apprise", settings={"url": (url,)})
    error = desk.dispatcher(apprise_kind(), outgoing=Outgoing(patience=1)).test(channel)

    assert "json:// leads to " in error
    assert "neither public nor in alerts.allow_networks" in error
    assert receiver.received == []


@pytest.mark.parametrize("extra", ["", "?redirect=yes"])
def test_redirects_are_not_followed(desk: Desk, receiver: Receiver, extra: str) -> None:
    receiver.reactions.append(Reaction(307, {"Location": receiver.url}))
    channel = desk.channel(kind="apprise", settings={"url": (address(receiver, extra),)})

    assert "error=307" in desk.dispatcher(apprise_kind()).test(channel)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("url", "field", "error"),
    [
        ("slack", "url", "should be an Apprise URL"),
        ("json://host/ x", "url", "should be an Apprise URL"),
        ("syslog://", "url", "should be an Apprise URL"),
        ("syslog://localhost", "url", "not for alerts of a server"),
        ("dbus://x", "url", "not for alerts of a server"),
        ("mqtt://host/topic", "url", "not for alerts of a server"),
        ("mailto://user:pw@example.com", "url", "there is the kind 'email'"),
    ],
)
def test_what_cannot_be_chosen(url: str, field: str, error: str) -> None:
    with pytest.raises(SettingWrong, match=error) as told:
        KINDS.complete("apprise", {"url": (url,)})
    assert told.value.field == field


def test_an_address_that_it_does_not_understand(desk: Desk) -> None:
    channel = desk.channel(kind="apprise", settings={"url": ("nonsense://s3cret",)})

    assert desk.dispatcher(apprise_kind()).test(channel) == (
        "Apprise does not understand this nonsense:// address"
    )


def test_it_is_loaded_only_when_it_is_needed() -> None:
    code = "import sys, gateway.app, gateway.worker; print('apprise' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False"


class TestGuard:
    def test_it_holds_for_its_thread_only(self, receiver: Receiver) -> None:
        place = receiver.server.server_address
        with guarded(lambda _: False) as guard:
            elsewhere: list[str] = []

            def other() -> None:
                with socket.create_connection(("127.0.0.1", place[1])):
                    elsewhere.append("connected")

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            with pytest.raises(Refused, match=r"127\.0\.0\.1 must not be called"):
                socket.create_connection(("127.0.0.1", place[1]))
        assert elsewhere == ["connected"]
        assert guard.refused == "127.0.0.1"
        socket.create_connection(("127.0.0.1", place[1])).close()

    def test_nor_datagrams_local_sockets_and_programs(self) -> None:
        with guarded(lambda _: False) as guard:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain, pytest.raises(Refused):
                plain.sendto(b"x", ("127.0.0.1", 9))
            with socket.socket(socket.AF_UNIX) as local, pytest.raises(Refused):
                local.connect("/nowhere")
            with pytest.raises(Refused):
                subprocess.run(["true"], check=True)
        assert guard.refused == "another program"

    def test_what_is_allowed_goes_through(self, receiver: Receiver) -> None:
        with guarded(lambda host: host == "127.0.0.1") as guard:
            socket.create_connection(("127.0.0.1", receiver.server.server_address[1])).close()
        assert guard.refused is None
