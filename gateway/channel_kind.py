"""A kind of channel as a value: what a plugin registers so that alerts can go there."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.core.errors import DefinitionError, GatewayError
from gateway.core.model import Change, Status
from gateway.outgoing import Outgoing

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,31}")

Settings = Mapping[str, tuple[str, ...]]
"""The values of a channel's settings by name; one that was left out is absent."""


class AlertNotSent(GatewayError):
    """The other side did not take an alert.

    ``retry_after`` is the least wait that it asked for; ``permanent`` says that it will
    never take this alert. The message is shown to people: it holds no secrets.
    """

    code = "alert_not_sent"

    def __init__(
        self, message: str, *, retry_after: timedelta | None = None, permanent: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


class SettingWrong(GatewayError):
    """A setting of a channel that cannot work. ``field`` is its name."""

    code = "setting_wrong"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that a channel of this kind must be told.

    ``label`` and ``help`` are shown in forms and by the command line. A ``secret`` one is
    never shown again: of an address only the host. ``make`` gives the value of one that is
    left out, shown once.
    """

    name: str
    label: str
    help: str = ""
    required: bool = True
    secret: bool = False
    several: bool = False
    make: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class TransitionTold:
    """One transition that a message tells of.

    ``alert_id`` is that of its alert, also where a later alert tells of it.
    """

    alert_id: str
    change: Change
    before: Status
    after: Status
    at: datetime
    message: str
    rule: str


@dataclass(frozen=True, slots=True)
class Message:
    """An alert, ready to be sent.

    ``id`` is the same however often it is sent: receivers can tell repetitions by it.
    ``kind`` is ``opened``, ``worsened``, ``eased``, ``resolved``, ``reminder`` or ``test``.
    ``status`` is that of the signal now, ``worst`` the worst of what is told. ``title`` is
    one line; ``text`` is all there is to say, in plain text. ``steps`` are the transitions
    that it tells of, oldest first: several if some came while earlier ones waited.
    """

    id: str
    kind: str
    language: str
    title: str
    text: str
    link: str
    status: Status
    worst: Status
    monitor_id: str
    monitor_name: str
    monitor_url: str | None
    tags: tuple[str, ...]
    key: str
    incident_id: str
    opened_at: datetime
    at: datetime
    sent_at: datetime
    steps: tuple[TransitionTold, ...]
    reminder: int = 0


Send = Callable[[Message, Settings, Outgoing], None]
Check = Callable[[Settings], None]


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A way to reach people or programs.

    ``send`` returns when the other side has taken the message, and else raises, best of
    all `AlertNotSent`. It is called in one of many threads, must end by itself within
    some seconds, and uses the `Outgoing` that it gets for HTTP. ``check`` raises
    `SettingWrong` for settings that cannot work, before they are stored.

    Raises `DefinitionError` for a kind that cannot work.
    """

    name: str
    title: str
    settings: tuple[Setting, ...]
    send: Send
    check: Check | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DefinitionError(
                f"{self.name!r} cannot be the name of a kind of channel",
                field="name",
                hint="up to 32 lower-case letters, digits and underscores",
            )
        if not self.title.strip():
            raise DefinitionError(f"the kind of channel {self.name} has no title", field="title")
        names = [setting.name for setting in self.settings]
        if len(set(names)) < len(names):
            raise DefinitionError(f"{self.name} has two settings of one name", field="settings")

    def setting(self, name: str) -> Setting | None:
        """The setting of this name."""
        return next((each for each in self.settings if each.name == name), None)
