"""All kinds of channel by name: ours and those of plugins. Checks settings, hides secrets."""

from collections.abc import Iterable, Iterator, Mapping

from gateway.channel_kind import ChannelKind, Setting, Settings, SettingWrong
from gateway.core.nodes import suggest
from gateway.core.redaction import REDACTED

_SHORTEST_HIDDEN = 6


class Kinds:
    """The kinds of channel; of two with the same name the later counts."""

    def __init__(self, kinds: Iterable[ChannelKind]) -> None:
        self._kinds: Mapping[str, ChannelKind] = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[ChannelKind]:
        return iter(self._kinds.values())

    def get(self, name: str) -> ChannelKind:
        """The kind of this name; raises `SettingWrong` for one that is not loaded."""
        try:
            return self._kinds[name]
        except KeyError:
            hint = suggest(name, self._kinds)
            raise SettingWrong("kind", f"{name!r} is unknown ({hint})") from None

    def complete(self, name: str, given: Settings) -> tuple[Settings, dict[str, str]]:
        """Checked settings, with what is made up for those left out; and the latter alone.

        Raises `SettingWrong` for the first that cannot work.
        """
        kind = self.get(name)
        for key in given:
            if kind.setting(key) is None:
                hint = suggest(key, [setting.name for setting in kind.settings])
                raise SettingWrong(key, f"{name} has no such setting ({hint})")
        settings = dict(given)
        made: dict[str, str] = {}
        for setting in kind.settings:
            _complete(setting, settings, made)
        if kind.check is not None:
            kind.check(settings)
        return settings, made

    def shown(self, name: str, settings: Settings) -> dict[str, str | list[str]]:
        """Settings for people: secrets hidden, of addresses no more than the host."""
        kind = self._kinds.get(name)
        shown: dict[str, str | list[str]] = {}
        for key, values in settings.items():
            setting = kind.setting(key) if kind is not None else None
            hidden = setting is None or setting.secret
            texts = [hide(value) if hidden else value for value in values]
            several = setting is not None and setting.several
            shown[key] = texts if several else ", ".join(texts)
        return shown

    def scrubbed(self, name: str, settings: Settings, text: str) -> str:
        """A text with every secret setting hidden that it holds."""
        kind = self._kinds.get(name)
        for key, values in settings.items():
            setting = kind.setting(key) if kind is not None else None
            if setting is not None and not setting.secret:
                continue
            for value in values:
                if len(value) >= _SHORTEST_HIDDEN:
                    text = text.replace(value, hide(value))
        return text


def hide(value: str) -> str:
    """What may be seen of a secret: of a web address the host, of other URLs the scheme."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        return REDACTED
    if scheme not in {"http", "https"}:
        return f"{scheme}://..."
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return f"{scheme}://{host}/..."


def _complete(setting: Setting, settings: dict[str, tuple[str, ...]], made: dict[str, str]) -> None:
    values = settings.get(setting.name, ())
    if not values and setting.make is not None:
        made[setting.name] = setting.make()
        settings[setting.name] = (made[setting.name],)
    elif not values and setting.required:
        raise SettingWrong(setting.name, "is missing")
    elif len(values) > 1 and not setting.several:
        raise SettingWrong(setting.name, "takes one value only")
