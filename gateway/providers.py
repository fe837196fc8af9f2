"""All providers of a gateway: put together from plugins and rule files, found by name.

Where the same name is defined twice, an operator's folder stands above what is installed
or comes with the gateway; two definitions of one rank are an error.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from gateway.channel_kind import ChannelKind
from gateway.core import signatures
from gateway.core.errors import (
    DeliveryFailed,
    GatewayError,
    MethodNotAllowed,
    SourceError,
    SourceErrors,
)
from gateway.core.model import Delivery, Outcome
from gateway.core.nodes import suggest
from gateway.core.rules import RuleSet
from gateway.core.signatures import Credentials
from gateway.core.written_rules import WrittenRules
from gateway.fetching import Fetch
from gateway.known_answers import KnownAnswer
from gateway.payloads import parse_body
from gateway.plugin_loading import (
    Found,
    kinds_in,
    load_entry_points,
    load_packaged_rules,
    load_plugin_folder,
    load_rule_folder,
    providers_in,
)
from gateway.provider import Credential, Fetches, FetchingScheme, Provider, Reply
from gateway.provider_layers import Definition, by_name, join, layer
from gateway.rulefiles import Example

__all__ = [
    "Credential",
    "LoadedProvider",
    "Provider",
    "Providers",
    "Reply",
    "bundled",
    "load_channel_kinds",
    "load_providers",
]

NATIVE = "native"
"""The provider of deliveries that no other claims."""

_PACKAGE = Path(__file__).parent
_NOTHING: Mapping[str, tuple[str, ...]] = {}
_NONE_WRITTEN = WrittenRules()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedProvider:
    """A provider, its rules and where it was defined.

    ``also_redact`` are the operator's paths beside those of the provider. ``written`` are
    its rules as another provider's file can reuse them.

    The methods call the provider's own code. Whatever that raises by accident comes out
    as `DeliveryFailed`, so that the sender tries again later.
    """

    provider: Provider
    rules: RuleSet
    examples: tuple[Example, ...]
    origin: str
    also_redact: tuple[str, ...] = ()
    written: WrittenRules = _NONE_WRITTEN
    known_answers: tuple[KnownAnswer, ...] = ()
    _asking: tuple[Fetches, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_asking", tuple(_asking(self.provider)))

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    @property
    def redact(self) -> tuple[str, ...]:
        """The payload paths that are never stored."""
        return self.provider.redact + self.also_redact

    def detect(self, delivery: Delivery) -> bool:
        """Whether the provider claims a delivery."""
        detect = self.provider.detect
        return detect is not None and bool(self._call(detect, delivery))

    def fetches(self, delivery: Delivery, credentials: Credentials) -> tuple[Fetch, ...]:
        """What must be got before `handshake` and `verify`; nothing without credentials."""
        if not self._asking:
            return ()
        current = signatures.configured(credentials)
        if not current:
            return ()
        found = (self._call(each, delivery, current) for each in self._asking)
        return tuple(fetch for several in found for fetch in several)

    def handshake(self, delivery: Delivery, credentials: Credentials) -> Reply | None:
        """The answer to a challenge, None for every other delivery."""
        handshake = self.provider.handshake
        return None if handshake is None else self._call(handshake, delivery, credentials)

    def check_method(self, delivery: Delivery) -> None:
        """Raise `MethodNotAllowed` for a request that is no delivery of this provider."""
        methods = self.provider.methods
        if delivery.method not in methods:
            raise MethodNotAllowed(f"{self.name} does not {delivery.method}", allowed=methods)

    def verify(self, delivery: Delivery, credentials: Credentials, now: datetime) -> None:
        """Return if the delivery is authentic, or if no credential is configured.

        Raises a `SignatureError` otherwise.
        """
        self._call(signatures.verify, self.provider.signature, delivery, credentials, now)

    def parse(self, delivery: Delivery) -> Any:
        """The payload. Raises `MalformedPayload`."""
        return self._call(self.provider.parse or parse_body, delivery)

    def reply(self, outcome: Outcome) -> Reply | None:
        """The answer that the provider insists on, None if the usual one will do."""
        reply = self.provider.reply
        return None if reply is None else self._call(reply, outcome)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(*arguments)
        except GatewayError:
            raise
        except Exception as error:
            raise DeliveryFailed(
                f"provider {self.name} failed: {type(error).__name__}", provider=self.name
            ) from error


def _asking(provider: Provider) -> Iterator[Fetches]:
    """All that a delivery is shown to before it is verified."""
    for each in signatures.alternatives(provider.signature):
        if isinstance(each, FetchingScheme):
            yield each.fetches
    if provider.fetches is not None:
        yield provider.fetches


class Providers:
    """The loaded providers by name, in the order in which they are asked to detect.

    ``channel_kinds`` are the kinds of channel that plugins add.
    """

    def __init__(
        self, loaded: Iterable[LoadedProvider], channel_kinds: Iterable[ChannelKind] = ()
    ) -> None:
        self._loaded: Mapping[str, LoadedProvider] = {each.name: each for each in loaded}
        self.channel_kinds = tuple(channel_kinds)

    def __iter__(self) -> Iterator[LoadedProvider]:
        return iter(self._loaded.values())

    def __len__(self) -> int:
        return len(self._loaded)

    def __contains__(self, name: object) -> bool:
        return name in self._loaded

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(sorted(self._loaded))

    @property
    def written(self) -> Mapping[str, WrittenRules]:
        """The rules of each as other files can reuse them."""
        return {name: each.written for name, each in self._loaded.items()}

    def get(self, name: str) -> LoadedProvider:
        """The provider of this name. Raises `DeliveryFailed` if it is not loaded (any more)."""
        try:
            return self._loaded[name]
        except KeyError:
            hint = suggest(name, self._loaded)
            raise DeliveryFailed(f"no provider {name!r} is loaded ({hint})") from None

    def detect(self, delivery: Delivery) -> LoadedProvider:
        """The provider that claims a delivery, else the native one.

        Only the request is looked at, never the credentials: whoever is found must still
        verify. Operators' own providers are asked first, then all others by name.
        """
        claiming = next((each for each in self if each.detect(delivery)), None)
        return claiming or self.get(NATIVE)


def bundled(kind: str) -> Path:
    """The folder of the ``plugins`` or ``rules`` that come with the gateway.

    In an installed package it lies inside the package, in a source tree beside it.
    """
    inside = _PACKAGE / "_bundled" / kind
    return inside if inside.is_dir() else _PACKAGE.parent / kind


def load_providers(
    plugin_dirs: Iterable[Path] = (),
    rule_dirs: Iterable[Path] = (),
    *,
    redact: Mapping[str, tuple[str, ...]] = _NOTHING,
    entry_points: bool = True,
) -> Providers:
    """The providers of the gateway, of installed packages and of the operator's folders.

    ``redact`` are further paths, by the name of the provider, that are never stored.
    Raises `SourceErrors` with everything that is wrong in any of them.
    """
    errors: list[SourceError] = []
    installed = load_entry_points(errors) if entry_points else []
    packaged = load_packaged_rules(errors) if entry_points else []
    ours = [*load_plugin_folder(bundled("plugins"), errors), *installed]
    theirs = [found for folder in plugin_dirs for found in load_plugin_folder(folder, errors)]
    shipped = layer(
        providers_in(ours), [*load_rule_folder(bundled("rules"), errors), *packaged], errors
    )
    own = layer(
        providers_in(theirs),
        [found for folder in rule_dirs for found in load_rule_folder(folder, errors)],
        errors,
    )
    kinds = _kinds(ours, theirs, errors)
    definitions = list(join(shipped, own, errors))
    if errors:
        raise SourceErrors(errors)
    return Providers(
        (_loaded(each, redact.get(each.provider.name, ())) for each in definitions),
        kinds,
    )


def load_channel_kinds(plugin_dirs: Iterable[Path]) -> tuple[ChannelKind, ...]:
    """The kinds of channel that plugins add, without the rules of any provider.

    Raises `SourceErrors` with everything that is wrong in the plugins.
    """
    errors: list[SourceError] = []
    ours = [*load_plugin_folder(bundled("plugins"), errors), *load_entry_points(errors)]
    theirs = [found for folder in plugin_dirs for found in load_plugin_folder(folder, errors)]
    kinds = _kinds(ours, theirs, errors)
    if errors:
        raise SourceErrors(errors)
    return kinds


def _kinds(
    ours: Iterable[Found], theirs: Iterable[Found], errors: list[SourceError]
) -> tuple[ChannelKind, ...]:
    """The kinds of two ranks; an operator's own stands above another of its name."""
    named = by_name(kinds_in(ours), errors) | by_name(kinds_in(theirs), errors)
    return tuple(each.value for each in named.values())


def _loaded(definition: Definition, redact: tuple[str, ...]) -> LoadedProvider:
    provider, file = definition.provider, definition.rule_file
    loaded = LoadedProvider(
        provider=provider,
        rules=definition.rules,
        examples=(),
        origin=definition.origin,
        also_redact=redact,
        written=file.written,
        known_answers=file.known_answers,
    )
    # A plugin may read a body in a way that the rule file alone does not know.
    examples = tuple(example.parsed_by(loaded.parse) for example in file.examples)
    return replace(loaded, examples=examples)
