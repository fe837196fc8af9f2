"""Alerts on their way to a real receiver, which does what receivers do."""

import threading
import time
from datetime import timedelta

import pytest
from alerting import SECRET, Desk
from receiving import Reaction, Receiver
from standardwebhooks import Webhook

from gateway.alerts.kinds import Kinds, hide
from gateway.alerts.webhook import SCHEME, new_secret, webhook_kind
from gateway.app import utc_now
from gateway.channel_kind import (
    AlertNotSent,
    ChannelKind,
    Message,
    Setting,
    Settings,
    SettingWrong,
)
from gateway.core.alerting import BREAKER_AFTER
from gateway.core.model import Delivery
from gateway.outgoing import Outgoing
from gateway.store import settlement


def test_the_whole_way(desk: Desk, receiver: Receiver) -> None:
    desk.channel(receiver.url)
    monitor = desk.monitor(url="https://shop.example.com", tags=("prod",))
    desk.say(monitor, "degraded")
    desk.clock.move(minutes=1)
    desk.send()
    desk.say(monitor, "down")
    desk.send()

    assert receiver.kinds == ["incident.opened", "incident.worsened"]
    opened, worsened = receiver.received
    [first, second] = desk.rows()
    assert [opened.id, worsened.id] == [first.id, second.id]
    assert opened.json == {
        "type": "incident.opened",
        "timestamp": "2026-01-20T12:00:01.000Z",
        "data": {
            "kind": "opened",
            "status": "degraded",
            "worst": "degraded",
            "monitor": {
                "id": monitor.id,
                "name": "shop",
                "url": "https://shop.example.com",
                "tags": ["prod"],
            },
            "key": "api",
            "incident": {
                "id": first.incident_id,
                "openedAt": "2026-01-20T12:00:01.000Z",
                "resolvedAt": None,
            },
            "at": "2026-01-20T12:00:01.000Z",
            "lastedSeconds": 0,
            "message": "it is degraded",
            "rule": "r",
            "reminder": 0,
            "steps": [
                {
                    "alertId": first.id,
                    "change": "opened",
                    "from": "pending",
                    "to": "degraded",
                    "at": "2026-01-20T12:00:01.000Z",
                    "message": "it is degraded",
                    "rule": "r",
                }
            ],
            "link": f"https://status.example.com/monitors/{monitor.id}",
            "language": "en",
            "title": "Degraded: shop, api",
            "text": opened.json["data"]["text"],
        },
    }


class TestSignatures:
    def test_another_library_accepts_each_of_two_secrets(
        self, desk: Desk, receiver: Receiver
    ) -> None:
        other = new_secret()
        desk.clock.now = utc_now()
        desk.channel(receiver.url, settings={"url": (receiver.url,), "secret": (SECRET, other)})
        desk.say(desk.monitor(), "down")
        desk.send()

        [posted] = receiver.received
        for secret in (SECRET, other):
            assert Webhook(secret).verify(posted.body, posted.headers)["type"] == "incident.opened"
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(new_secret()).verify(posted.body, posted.headers)

    def test_our_own_monitors_accept_them_too(self, desk: Desk, receiver: Receiver) -> None:
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        desk.send()

        [posted] = receiver.received
        arrived = Delivery(posted.body, posted.headers, received_at=desk.clock.now)
        SCHEME.verify(arrived, {"secret": (SECRET,)}, desk.clock.now)

    def test_a_repetition_has_the_same_id_and_body(self, desk: Desk, receiver: Receiver) -> None:
        receiver.reactions.append(Reaction(500))
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        desk.send()
        desk.clock.move(seconds=30)
        desk.send()

        first, second = receiver.received
        assert (first.id, first.body) == (second.id, second.body)
        assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_who_dies_between_sending_and_noting_it_sends_again(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    desk.channel(receiver.url)
    monitor = desk.monitor()
    desk.say(monitor, "down")
    sender = desk.dispatcher()
    with monkeypatch.context() as patch:
        patch.setattr(settlement, "settle_sent", die)
        with pytest.raises(SystemExit):
            sender.run(desk.clock.now + timedelta(seconds=1))
    desk.say(monitor, "up")
    desk.send(sender)
    assert receiver.kinds == ["incident.opened"]  # nobody else sends it, nor what comes after it

    desk.clock.move(seconds=6)
    desk.send(sender)
    first, again, end = receiver.received
    assert (first.id, first.body) == (again.id, again.body)
    assert end.json["type"] == "incident.resolved"
    assert desk.states() == ["sent", "sent"]


class TestDifficultReceivers:
    @pytest.mark.parametrize(
        ("reaction", "error"),
        [
            (Reaction(500), "answers 500"),
            (Reaction(400), "answers 400"),
            (Reaction(429), "answers 429"),
            (Reaction(302, {"Location": "http://127.0.0.1:1/x"}), "redirects are not followed"),
            (Reaction(hang=0.5), "no answer in time"),
        ],
        ids=str,
    )
    def test_it_is_tried_again(
        self, desk: Desk, receiver: Receiver, reaction: Reaction, error: str
    ) -> None:
        receiver.reactions.append(reaction)
        channel = desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        sender = desk.dispatcher(patience=0.3)
        desk.send(sender)

        [row] = desk.rows()
        assert error in row.last_error
        assert "s3cret" not in row.last_error
        assert "http://127.0.0.1:" in row.last_error
        assert row.state == "pending"
        assert timedelta(seconds=4) <= row.due_at - desk.clock.now <= timedelta(seconds=6)
        assert desk.reread(channel).last_error == row.last_error
        desk.clock.move(seconds=6)
        desk.send(sender)
        assert desk.states() == ["sent"]
        assert len({each.id for each in receiver.received}) == 1
        assert len(receiver.received) == 2

    def test_retry_after_is_obeyed_for_the_whole_channel(
        self, desk: Desk, receiver: Receiver
    ) -> None:
        receiver.reactions.append(Reaction(429, {"Retry-After": "120"}))
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        desk.send()
        desk.say(desk.monitor(), "down")

        desk.clock.move(seconds=119)
        desk.send()
        assert len(receiver.received) == 1
        desk.clock.move(seconds=2)
        desk.send()
        assert desk.states() == ["sent", "sent"]

    def test_gone_means_never_again(self, desk: Desk, receiver: Receiver) -> None:
        receiver.reactions.append(Reaction(410))
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        desk.send()

        assert desk.states() == ["dead"]

    def test_after_many_attempts_it_is_dead(
        self, desk: Desk, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver.usual = Reaction(500)
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        sender = desk.dispatcher(attempts=4)
        for _ in range(8):
            desk.send(sender)
            desk.clock.move(hours=8)

        assert len(receiver.received) == 4
        assert len({each.id for each in receiver.received}) == 1
        [row] = desk.rows()
        assert (row.state, row.attempts) == ("dead", 4)
        assert "given up" in caplog.text
        assert "s3cret" not in caplog.text

    def test_a_breaker_spares_a_broken_receiver(self, desk: Desk, receiver: Receiver) -> None:
        receiver.usual = Reaction(500)
        channel = desk.channel(receiver.url)
        for _ in range(20):
            desk.say(desk.monitor(), "down")
        desk.send()
        assert len(receiver.received) == BREAKER_AFTER
        assert desk.reread(channel).paused_until is not None

        desk.send()
        assert len(receiver.received) == BREAKER_AFTER
        desk.clock.move(minutes=2)
        desk.send()  # one probe
        assert len(receiver.received) == BREAKER_AFTER + 1

        receiver.usual = Reaction(200)
        desk.clock.move(minutes=5)
        desk.send()
        assert set(desk.states()) == {"sent"}
        assert desk.reread(channel).failures == 0

    def test_a_hanging_receiver_keeps_no_other_waiting(
        self, desk: Desk, receiver: Receiver
    ) -> None:
        receiver.usual = Reaction(hang=1)
        slow = desk.channel(receiver.url)
        done = threading.Event()
        quick = ChannelKind("quick", "Quick", (), lambda *_: done.set())
        desk.channel(kind="quick", settings={})
        for _ in range(3):
            desk.say(desk.monitor(), "down")
        sender = desk.dispatcher(webhook_kind(), quick, patience=0.2)
        started = time.monotonic()
        desk.send(sender)

        assert done.is_set()
        assert time.monotonic() - started < 3
        assert desk.reread(slow).failures > 0
        assert [row.state for row in desk.rows() if row.channel_id != slow.id] == ["sent"] * 3

    @pytest.mark.parametrize(
        ("url", "error"),
        [
            ("http://127.0.0.1:{port}/s3cret", "without TLS only networks"),
            ("https://127.0.0.1:{port}/s3cret", "it has no public address"),
            ("https://localhost:{port}/s3cret", "it has no public address"),
            ("https://[::1]:{port}/s3cret", "it has no public address"),
            ("https://169.254.169.254/s3cret", "it has no public address"),
        ],
    )
    def test_private_addresses_are_not_called(
        self, desk: Desk, receiver: Receiver, url: str, error: str
    ) -> None:
        port = receiver.server.server_address[1]
        desk.channel(url.format(port=port))
        desk.say(desk.monitor(), "down")
        desk.send(desk.dispatcher(outgoing=Outgoing(patience=1)))

        assert receiver.received == []
        [row] = desk.rows()
        assert error in row.last_error, row.last_error
        assert "s3cret" not in row.last_error

    def test_a_redirect_to_loopback_is_not_followed(self, desk: Desk, receiver: Receiver) -> None:
        receiver.reactions.append(Reaction(307, {"Location": receiver.url}))
        desk.channel(receiver.url)
        desk.say(desk.monitor(), "down")
        desk.send()

        assert len(receiver.received) == 1
        assert desk.states() == ["pending"]


class TestKindsOfPlugins:
    def test_whatever_they_raise_is_a_failure_without_secrets(self, desk: Desk) -> None:
        def send(_message: Message, settings: Settings, _outgoing: Outgoing) -> None:
            raise RuntimeError(f"cannot call {settings['token'][0]}")

        kind = ChannelKind("odd", "Odd", (Setting("token", "Token", secret=True),), send)
        desk.channel(kind="odd", settings={"token": ("a-secret-token",)})
        desk.say(desk.monitor(), "down")
        desk.send(desk.dispatcher(kind))

        [row] = desk.rows()
        assert row.last_error == "the channel's code raised RuntimeError"

    def test_secrets_are_taken_out_of_their_errors(self, desk: Desk) -> None:
        def send(_message: Message, settings: Settings, _outgoing: Outgoing) -> None:
            raise AlertNotSent(f"{settings['token'][0]} and {settings['room'][0]}, no")

        names = (Setting("token", "Token", secret=True), Setting("room", "Room"))
        kind = ChannelKind("odd", "Odd", names, send)
        desk.channel(kind="odd", settings={"token": ("a-secret-token",), "room": ("kitchen",)})
        desk.say(desk.monitor(), "down")
        desk.send(desk.dispatcher(kind))

        [row] = desk.rows()
        assert row.last_error == "[redacted] and kitchen, no"

    def test_one_that_is_gone_is_told(self, desk: Desk) -> None:
        desk.channel(kind="gone")
        desk.say(desk.monitor(), "down")
        desk.send()

        [row] = desk.rows()
        assert "'gone' is unknown" in row.last_error

    def test_settings_of_another_key_are_told(self, desk: Desk) -> None:
        desk.channel()
        desk.say(desk.monitor(), "down")
        other = type(desk.store)(desk.store.engine, type(desk.store.vault)(b"x" * 32))
        desk.send(desk.dispatcher(store=other))

        [row] = desk.rows()
        assert "does not open with this encryption key" in row.last_error


class TestTesting:
    def test_it_gets_there(self, desk: Desk, receiver: Receiver) -> None:
        channel = desk.channel(receiver.url, language="pt-BR")

        assert desk.dispatcher().test(channel) == ""
        [posted] = receiver.received
        assert posted.json["type"] == "test"
        assert posted.json["data"]["title"] == "Teste do Taco Gateway"

    def test_it_does_not(self, desk: Desk, receiver: Receiver) -> None:
        receiver.usual = Reaction(503)
        channel = desk.channel(receiver.url)

        assert desk.dispatcher().test(channel).endswith("answers 503")

    def test_one_that_works_again_gets_what_waits(self, desk: Desk, receiver: Receiver) -> None:
        receiver.usual = Reaction(500)
        channel = desk.channel(receiver.url)
        for _ in range(BREAKER_AFTER):
            desk.say(desk.monitor(), "down")
        desk.send()
        receiver.usual = Reaction(200)
        assert desk.dispatcher().test(desk.reread(channel)) == ""

        desk.send()
        assert set(desk.states()) == {"sent"}


def test_a_dispatcher_stops_in_time(desk: Desk, receiver: Receiver) -> None:
    desk.channel(receiver.url)
    desk.say(desk.monitor(), "down")

    assert not desk.dispatcher().run(desk.clock.now)
    assert receiver.received == []


class TestSettings:
    KINDS = Kinds((webhook_kind(),))

    @pytest.mark.parametrize(
        ("settings", "field", "error"),
        [
            ({}, "url", "is missing"),
            ({"url": ("nonsense",)}, "url", "should be an https address"),
            ({"url": ("https://user:pw@host/x",)}, "url", "without user"),
            ({"url": ("https://host/x#y",)}, "url", "should be"),
            ({"url": ("https://host/a b",)}, "url", "should be"),
            ({"url": ("https://host:99999/",)}, "url", "should be"),
            ({"url": ("ftp://host/x",)}, "url", "should be"),
            ({"url": ("https://a/", "https://b/")}, "url", "one value only"),
            ({"url": ("https://a/",), "secret": ("not base64!",)}, "secret", "not a key"),
            ({"url": ("https://a/",), "colour": ("red",)}, "colour", "no such setting"),
        ],
    )
    def test_wrong_ones(self, settings: Settings, field: str, error: str) -> None:
        with pytest.raises(SettingWrong, match=error) as told:
            self.KINDS.complete("webhook", settings)
        assert told.value.field == field

    def test_an_unknown_kind(self) -> None:
        with pytest.raises(SettingWrong, match=r"'webhok' is unknown .*webhook"):
            self.KINDS.complete("webhok", {})

    def test_a_secret_is_made(self) -> None:
        settings, made = self.KINDS.complete("webhook", {"url": ("https://a/",)})

        assert made == {"secret": settings["secret"][0]}
        assert not SCHEME.problem(made["secret"])

    def test_what_is_shown(self) -> None:
        settings = {"url": ("https://h.example.com/s3cret?k=s3cret",), "secret": (SECRET, SECRET)}

        assert self.KINDS.shown("webhook", settings) == {
            "url": "https://h.example.com/...",
            "secret": ["[redacted]", "[redacted]"],
        }
        assert "s3cret" not in str(self.KINDS.shown("a kind that is gone", settings))

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("https://user:pw@host:8443/x", "https://host:8443/..."),
            ("http://host?x=1", "http://host/..."),
            ("tgram://123:token/chat", "tgram://..."),
            ("plain", "[redacted]"),
        ],
    )
    def test_hide(self, value: str, shown: str) -> None:
        assert hide(value) == shown
