"""Slack, Telegram, PagerDuty, ntfy and the like, through Apprise, an optional package.

It is imported when the first alert goes there, for it weighs 50 MB. It knows no guard:
its connections go through ours, and redirects are off. https://appriseit.com/services/
"""

import importlib.util
import logging
import re
import threading
from functools import partial
from typing import Any

from gateway.alerts.connect_guard import guarded
from gateway.channel_kind import (
    AlertNotSent,
    ChannelKind,
    Message,
    Setting,
    Settings,
    SettingWrong,
)
from gateway.core.model import Status
from gateway.outgoing import Outgoing

_SCHEMA = re.compile(r"([a-z0-9]{2,20})://\S{1,1990}")
# They do not leave the machine, or speak from threads that no guard reaches.
_LOCAL = ("dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows", "syslog", "blink1")
_THREADED = ("mqtt", "mqtts", "xmpp", "xmpps", "amqp", "amqps", "deltachat", "deltachats")
_REFUSED = frozenset((*_LOCAL, *_THREADED))
_MISSING = "it needs Apprise: pip install 'taco-gateway[apprise]'"
_LONGEST_REASON = 200


def apprise_kind() -> ChannelKind:
    """The kind ``apprise``."""
    return ChannelKind(
        "apprise",
        title="Apprise (Slack, Discord, Telegram, Teams, PagerDuty, ntfy, SMS ...)",
        settings=(
            Setting(
                "url",
                "Apprise URL",
                "As in slack://token/channel; see https://appriseit.com/services/.",
                secret=True,
            ),
        ),
        send=_send,
        check=_check,
    )


def _check(settings: Settings) -> None:
    found = _SCHEMA.fullmatch(settings["url"][0])
    if importlib.util.find_spec("apprise") is None:
        raise SettingWrong("kind", _MISSING)
    if found is None:
        raise SettingWrong("url", "it should be an Apprise URL, as in slack://token/channel")
    schema = found[1]
    if schema in _REFUSED:
        raise SettingWrong("url", f"{schema}:// is not for alerts of a server")
    if schema in {"mailto", "mailtos"}:
        raise SettingWrong("url", "for email there is the kind 'email'")


class _Heard(logging.Handler):
    """What Apprise logs of one attempt: the only place where it says why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = " ".join(record.getMessage().split())[:_LONGEST_REASON]


def _send(message: Message, settings: Settings, outgoing: Outgoing) -> None:
    try:
        import apprise  # noqa: PLC0415 - 50 MB that most do not need
    except ImportError:
        raise AlertNotSent(_MISSING) from None
    url = settings["url"][0]
    schema = url.partition(":")[0]
    asset = apprise.AppriseAsset(
        app_id="Taco Gateway", app_desc="Taco Gateway", http_redirects=False, storage_mode="memory"
    )
    logger = logging.getLogger("apprise")
    logger.propagate = False  # its lines may hold parts of the address
    heard = _Heard()
    logger.addHandler(heard)
    try:
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise AlertNotSent(f"Apprise does not understand this {schema}:// address")
        _notify(service, message, outgoing, heard, schema)
    finally:
        logger.removeHandler(heard)


def _notify(service: Any, message: Message, outgoing: Outgoing, heard: _Heard, schema: str) -> None:
    service.redirects = False
    service.socket_connect_timeout = service.socket_read_timeout = outgoing.patience
    with guarded(partial(outgoing.allows, encrypted=True)) as guard:
        sent = service.notify(body=message.text, title=message.title, notify_type=_type_of(message))
    if guard.refused is not None:
        raise AlertNotSent(
            f"{schema}:// leads to {guard.refused}, which is neither public nor in "
            "alerts.allow_networks"
        )
    if not sent:
        raise AlertNotSent(f"{schema}:// did not take it: {heard.last or 'no reason given'}")


def _type_of(message: Message) -> str:
    if message.kind == "test":
        return "info"
    types = {Status.UP: "success", Status.DEGRADED: "warning", Status.DOWN: "failure"}
    return types[message.status]
