"""Alerts by email, to a real SMTP server with TLS and a login."""

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from alerting import Desk
from certificates import Authority, issue, server_context
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.alerts.email import MailServer, email_kind, mail_of
from gateway.alerts.kinds import Kinds
from gateway.alerts.messages import Writer
from gateway.alerts.templates import Templates
from gateway.channel_kind import Message, SettingWrong

SENDER = "taco@example.com"
LOGIN = ("mailer", "the s3cret password")


class Mailbox:
    """Takes mail, or refuses it with ``answers`` by step."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answers: dict[str, str] = {}
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if "data" in self.answers:
            return self.answers["data"]
        content = envelope.content
        assert isinstance(content, bytes)
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((envelope.rcpt_tos, parsed))
        return "250 OK"


def authenticate(*arguments: Any) -> AuthResult:
    data = arguments[-1]
    assert isinstance(data, LoginPassword)
    known = (data.login.decode(), data.password.decode()) == LOGIN
    return AuthResult(success=known, handled=False)


@contextmanager
def running(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """The port of a server that is up."""
    loop = asyncio.new_event_loop()

    transports: list[asyncio.WriteTransport] = []

    class Tracked(SMTP):
        def connection_made(self, transport: Any) -> None:
            transports.append(transport)
            super().connection_made(transport)

    def protocol() -> SMTP:
        return Tracked(mailbox, loop=loop, **options)

    async def end() -> None:
        left = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for transport in transports:
            transport.abort()
        for _ in range(5):  # what closes in turns of the loop
            await asyncio.sleep(0)

    def run() -> None:
        loop.run_forever()
        loop.run_until_complete(end())
        loop.close()

    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", 0))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox, tmp_path: Any) -> Iterator[MailServer]:
    """With STARTTLS and a login."""
    authority = Authority(*issue("authority"))
    certificate = server_context(tmp_path, *issue("localhost", authority))
    trusting = ssl.create_default_context(
        cadata=authority.certificate.public_bytes(Encoding.PEM).decode()
    )
    with running(
        mailbox,
        tls_context=certificate,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    ) as port:
        yield MailServer("localhost", port, "starttls", SENDER, *LOGIN, timeout=3, tls=trusting)


@pytest.fixture
def plain(mailbox: Mailbox) -> Iterator[MailServer]:
    """Without TLS and login."""
    with running(mailbox) as port:
        yield MailServer("127.0.0.1", port, "none", SENDER, timeout=3)


def test_with_tls_and_a_login(desk: Desk, server: MailServer, mailbox: Mailbox) -> None:
    to = ("ops@example.com", "boss@example.com")
    desk.channel(kind="email", settings={"to": to})
    monitor = desk.monitor()
    sender = desk.dispatcher(email_kind(server))
    desk.say(monitor, "down")
    desk.send(sender)
    desk.say(monitor, "up")
    desk.send(sender)

    assert desk.states() == ["sent", "sent"], desk.rows()
    (recipients, opened), (_, resolved) = mailbox.mails
    [first, second] = desk.rows()
    assert recipients == list(to)
    assert opened["Subject"] == "Down: shop, api"
    assert opened["From"] == SENDER
    assert opened["Message-ID"] == f"<{first.id}@example.com>"
    assert resolved["Message-ID"] == f"<{second.id}@example.com>"
    assert opened["References"] == resolved["References"] == f"<{first.incident_id}@example.com>"
    plain = opened.get_body(("plain",))
    html = opened.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Why: it is down (rule r)" in plain.get_content()
    link = f"https://status.example.com/monitors/{monitor.id}"
    assert f'<a href="{link}">{link}</a>' in html.get_content()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "another s3cret"}, "localhost answers 535"),
        ({"tls": ssl.create_default_context()}, "localhost: "),
        ({"security": "none", "username": None}, "localhost answers 530"),
        ({"port": 1}, "refused"),
    ],
)
def test_what_goes_wrong_is_told(
    desk: Desk, server: MailServer, change: dict[str, Any], error: str
) -> None:
    desk.channel(kind="email", settings={"to": ("ops@example.com",)})
    desk.say(desk.monitor(), "down")
    desk.send(desk.dispatcher(email_kind(replace(server, **change))))

    [row] = desk.rows()
    assert row.state == "pending"
    assert error in row.last_error
    assert "s3cret" not in row.last_error


def test_a_full_mailbox_is_tried_again(desk: Desk, plain: MailServer, mailbox: Mailbox) -> None:
    mailbox.answers["data"] = "452 the disk is full"
    desk.channel(kind="email", settings={"to": ("ops@example.com",)})
    desk.say(desk.monitor(), "down")
    sender = desk.dispatcher(email_kind(plain))
    desk.send(sender)
    assert "answers 452 the disk is full" in desk.rows()[0].last_error

    mailbox.answers.clear()
    desk.clock.move(seconds=10)
    desk.send(sender)
    assert desk.states() == ["sent"]


def test_one_recipient_of_two_is_enough(
    desk: Desk, plain: MailServer, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.refused = {"gone@example.com"}
    channel = desk.channel(kind="email", settings={"to": ("ops@example.com", "gone@example.com")})
    sender = desk.dispatcher(email_kind(plain))

    assert sender.test(channel) == ""
    assert "refuses 1 of the recipients" in caplog.text
    mailbox.refused.add("ops@example.com")
    assert sender.test(channel) == "127.0.0.1 refuses every recipient, with 550"


def test_tls_from_the_start(desk: Desk, server: MailServer, mailbox: Mailbox) -> None:
    channel = desk.channel(kind="email", settings={"to": ("ops@example.com",)})
    strict = desk.dispatcher(email_kind(replace(server, security="tls")))

    assert strict.test(channel).startswith("localhost: ")  # it speaks STARTTLS only
    assert mailbox.mails == []


def test_without_a_server(desk: Desk) -> None:
    channel = desk.channel(kind="email", settings={"to": ("ops@example.com",)})

    assert "email.host" in desk.dispatcher(email_kind(None)).test(channel)
    with pytest.raises(SettingWrong, match=r"email\.host"):
        Kinds((email_kind(None),)).complete("email", {"to": ("ops@example.com",)})


@pytest.mark.parametrize(
    "address",
    [
        "ops",
        "ops@",
        "@example.com",
        "a@b@c",
        "ops@example.com\r\nBcc: all@example.com",
        "Ops <ops@example.com>",
        "ops@example.com, boss@example.com",
        "\u00f3ps@example.com",
        "",
    ],
)
def test_what_is_no_address(address: str) -> None:
    kinds = Kinds((email_kind(MailServer("host", 25, "none", SENDER)),))

    with pytest.raises(SettingWrong, match="not an email address"):
        kinds.complete("email", {"to": (address,)})


def test_headers_cannot_be_broken_out_of(desk: Desk) -> None:
    message: Message = Writer(Templates(), "en", "https://x").test("ID", None, desk.clock.now)
    evil = replace(message, title="Down\r\nBcc: all@example.com\x00", text="<script>\r\n.\r\n")
    mail = mail_of(evil, SENDER, ("ops@example.com",))

    assert mail["Subject"] == "Down Bcc: all@example.com"
    assert "Bcc" not in mail
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
