"""Alerts by email, through the operator's server; those of one incident make one thread."""

import logging
import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from html import escape

from gateway.channel_kind import (
    AlertNotSent,
    ChannelKind,
    Message,
    Setting,
    Settings,
    SettingWrong,
)
from gateway.outgoing import Outgoing

_log = logging.getLogger(__name__)
_LONGEST_ERROR = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes our mail. ``security`` is starttls, tls or none.

    ``timeout`` is in seconds, for each step.
    """

    host: str
    port: int
    security: str
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)


def email_kind(server: MailServer | None) -> ChannelKind:
    """The kind ``email``; without a server it can be chosen but says what is missing."""
    return ChannelKind(
        "email",
        title="Email",
        settings=(Setting("to", "Recipients", "One address or several.", several=True),),
        send=partial(_send, server),
        check=partial(_check, server),
    )


def _check(server: MailServer | None, settings: Settings) -> None:
    if server is None:
        raise SettingWrong("kind", "email needs a server: set email.host in config.yaml")
    for recipient in settings["to"]:
        address_of(recipient, "to")


def address_of(text: str, field: str) -> Address:
    """An email address; raises `SettingWrong` for all that is none."""
    try:
        address = Address(addr_spec=text)
    except (ValueError, MessageError, IndexError):
        raise SettingWrong(field, f"{text!r} is not an email address") from None
    if not address.username or not address.domain or not text.isascii() or not text.isprintable():
        raise SettingWrong(field, f"{text!r} is not an email address")
    return address


def mail_of(message: Message, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The mail: plain text and the same as HTML. Headers cannot be broken out of."""
    domain = sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["Subject"] = _one_line(message.title)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(message.sent_at)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    if message.incident_id:
        thread = f"<{message.incident_id}@{domain}>"
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes back
    mail["X-Alert-Id"] = message.id
    mail.set_content(message.text)
    mail.add_alternative(_html(message), subtype="html")
    return mail


def _one_line(text: str) -> str:
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _html(message: Message) -> str:
    lines = "<br>\n".join(escape(line) for line in message.text.splitlines())
    link = escape(message.link, quote=True)
    return (
        f'<!doctype html>\n<html lang="{message.language}"><body><p>'
        f'{lines.replace(link, f"""<a href="{link}">{link}</a>""")}</p></body></html>\n'
    )


def _send(
    server: MailServer | None,
    message: Message,
    settings: Settings,
    outgoing: Outgoing,  # noqa: ARG001 - the server is the operator's own
) -> None:
    if server is None:
        raise AlertNotSent("email.host in config.yaml is empty")
    mail = mail_of(message, server.sender, settings["to"])
    try:
        with _connected(server) as connection:
            refused = connection.send_message(mail)
    except smtplib.SMTPResponseException as error:
        raise AlertNotSent(f"{server.host} answers {error.smtp_code} {_said(error)}") from None
    except smtplib.SMTPRecipientsRefused as error:
        code, _ = next(iter(error.recipients.values()))
        raise AlertNotSent(f"{server.host} refuses every recipient, with {code}") from None
    except (OSError, smtplib.SMTPException) as error:
        told = getattr(error, "strerror", None) or type(error).__name__
        raise AlertNotSent(f"{server.host}: {told}") from None
    if refused:
        # The others have it: sending it to all again would be worse.
        _log.warning("%s refuses %d of the recipients of %s", server.host, len(refused), message.id)


def _connected(server: MailServer) -> smtplib.SMTP:
    # The name is given because looking for our own can take the resolver many seconds.
    name = server.sender.rpartition("@")[2]
    if server.security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, name, timeout=server.timeout, context=server.tls
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, name, timeout=server.timeout)
    try:
        if server.security == "starttls":
            connection.starttls(context=server.tls)
        if server.username is not None:
            connection.login(server.username, server.password or "")
    except BaseException:
        connection.close()
        raise
    return connection


def _said(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return _one_line(text)[:_LONGEST_ERROR]
