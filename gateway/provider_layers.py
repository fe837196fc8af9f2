"""Joins plugins and rule files into definitions: who overrides whom, and what is missing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gateway.core.errors import DefinitionError, SourceError, SourceErrors
from gateway.core.proofs import Scheme
from gateway.core.rules import RuleSet
from gateway.core.written_rules import WrittenRules
from gateway.handshakes import Handshakes
from gateway.plugin_loading import Registered, Value_co
from gateway.provider import Provider
from gateway.rulefiles import RuleFile

_ATTRIBUTES = {
    "detect": "detect",
    "credentials": "credentials",
    "body": "parse",
    "methods": "methods",
    "handshake": "handshake",
    "reply": "reply",
    "redact": "redact",
    "answer_within": "answer_within",
}
"""The attribute of a provider that each key of a rule file gives."""

_DEFAULTS = {field.name: field.default for field in fields(Provider)}


@dataclass(frozen=True, slots=True)
class Definition:
    """A provider, its rules, the file they are in, and where the provider itself is defined."""

    provider: Provider
    rules: RuleSet
    rule_file: RuleFile
    origin: str


@dataclass(frozen=True, slots=True)
class Layer:
    """Plugins and rule files of one rank, by the name of their provider."""

    plugins: Mapping[str, Registered[Provider]]
    rule_files: Mapping[str, RuleFile]

    @property
    def names(self) -> set[str]:
        """The providers that have anything here."""
        return self.plugins.keys() | self.rule_files.keys()


class _Incomplete(SourceError):
    """One half of a provider is not there, perhaps because it could not be read."""


def layer(
    plugins: Iterable[Registered[Provider]],
    rule_files: Iterable[RuleFile],
    errors: list[SourceError],
) -> Layer:
    """One rank of sources; a name that comes twice is an error, added to the list."""
    named = by_name(plugins, errors)
    files: dict[str, RuleFile] = {}
    for rule_file in rule_files:
        known = files.setdefault(rule_file.provider, rule_file)
        if known is not rule_file:
            errors.append(_twice(rule_file.provider, rule_file.source, 0, known.source))
    return Layer(named, files)


def by_name(
    found: Iterable[Registered[Value_co]], errors: list[SourceError]
) -> dict[str, Registered[Value_co]]:
    """What plugins of one rank register; a name that comes twice is an error."""
    named: dict[str, Registered[Value_co]] = {}
    for each in found:
        first = named.setdefault(each.name, each)
        if first is not each:
            what = "provider" if isinstance(each.value, Provider) else "kind of channel"
            errors.append(_twice(each.name, each.source, each.line, first.origin, what))
    return named


def join(shipped: Layer, own: Layer, errors: list[SourceError]) -> Iterator[Definition]:
    """Every complete provider, the operator's own first; errors are added to the list.

    A half that is missing is no further error when something else could not be read.
    """
    is_all_read = not errors
    files = {**shipped.rule_files, **own.rule_files}
    written = {name: file.written for name, file in files.items()}
    for name in [*sorted(own.names), *sorted(shipped.names - own.names)]:
        try:
            yield _define(name, shipped, own, written)
        except _Incomplete as error:
            if is_all_read:
                errors.append(error)
        except SourceErrors as several:
            errors += several.errors if is_all_read else ()
        except SourceError as error:
            errors.append(error)


def _define(
    name: str, shipped: Layer, own: Layer, written: Mapping[str, WrittenRules]
) -> Definition:
    plugin = own.plugins.get(name) or shipped.plugins.get(name)
    files = [each.rule_files[name] for each in (own, shipped) if name in each.rule_files]
    if plugin is None:
        provider, origin = _without_code(name, files)
        return Definition(provider, files[0].rules(written), files[0], origin)
    if not files:
        raise _Incomplete(
            f"the provider {name!r} has no rules",
            source=plugin.source,
            line=plugin.line,
            column=1,
            hint=f"write the file {name}.yaml into a folder of rules",
        )
    replaces = name in own.plugins and name not in own.rule_files
    if files[0].signature is not None and not replaces:
        raise SourceError(
            f"a plugin defines the signature of {name!r} already",
            source=files[0].source,
            hint=f"take out 'signature:', or the plugin {plugin.origin}",
        )
    provider = _completed(plugin, files)
    return Definition(provider, files[0].rules(written), files[0], plugin.origin)


def _completed(plugin: Registered[Provider], files: list[RuleFile]) -> Provider:
    """The provider of a plugin with what its rule files say beside the rules.

    What the plugin itself defines cannot be said a second time.
    """
    provider = plugin.value
    for name, attribute in _ATTRIBUTES.items():
        file = next((each for each in files if name in each.given), None)
        if file is None:
            continue
        if name != "credentials" and getattr(provider, attribute) != _DEFAULTS[attribute]:
            raise file.document.error(
                (name,), f"the plugin of {provider.name!r} defines {name!r} already", at_key=True
            )
        provider = replace(provider, **{attribute: _values(file, provider.signature)[attribute]})
    return provider


def _values(file: RuleFile, signature: Scheme) -> dict[str, Any]:
    """What a rule file says of its provider beside name and signature, by attribute."""
    return {
        "detect": file.detect,
        "credentials": file.credentials,
        "parse": file.body,
        "methods": file.methods,
        "handshake": _handshake(file, signature),
        "reply": file.reply,
        "redact": file.redact,
        "answer_within": file.answer_within.total_seconds(),
    }


def _without_code(name: str, files: list[RuleFile]) -> tuple[Provider, str]:
    """A provider of rule files alone; one without a signature keeps that of the next.

    And where it is defined.
    """
    signed = next((file for file in files if file.signature is not None), None)
    if signed is None or signed.signature is None:
        raise _Incomplete(
            f"no plugin registers {name!r}, and there is no 'signature:'",
            source=files[0].source,
            hint="for a sender that cannot sign: {type: unsigned, reason: why}",
        )
    try:
        provider = Provider(
            name,
            title=signed.title,
            signature=signed.signature,
            docs_url=signed.docs,
            **_values(signed, signed.signature),
        )
    except DefinitionError as error:
        raise SourceError(error.message, source=signed.source, hint=error.hint) from None
    return provider, signed.source


def _handshake(file: RuleFile, signature: Scheme) -> Handshakes | None:
    return Handshakes(file.handshake, signature, file.body) if file.handshake else None


def _twice(name: str, source: str, line: int, first: str, what: str = "provider") -> SourceError:
    return SourceError(
        f"the {what} {name!r} is defined a second time",
        source=source,
        line=line,
        column=min(line, 1),
        hint=f"first in {first}",
    )
