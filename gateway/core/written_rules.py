"""Rules as a document has them: without its defaults, and with the names of rules to reuse."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.core.nodes import NodeError, NodeErrors, Path, suggest
from gateway.core.rules import Rule, RuleSet

MAX_RULES = 500


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule, where it is, and which of its keys are given; defaults are for the others."""

    rule: Rule
    given: frozenset[str]
    path: Path


@dataclass(frozen=True, slots=True)
class RulesOf:
    """Stands for the rules of another provider; ``path`` leads to its name."""

    provider: str
    path: Path


@dataclass(frozen=True, slots=True)
class WrittenRules:
    """The rules of one document in order. ``defaults`` are values of `Rule` by attribute."""

    entries: tuple[WrittenRule | RulesOf, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reuses(self) -> bool:
        """Whether rules of another provider are to stand among these."""
        return any(isinstance(entry, RulesOf) for entry in self.entries)

    def complete(self, others: Mapping[str, "WrittenRules"]) -> RuleSet:
        """The rules with those of ``others`` among them, as if they had been written here.

        So our defaults count for them too. Raises `NodeErrors` with each place at which
        rules should stand that cannot.
        """
        rules: dict[str, Rule] = {}
        errors: list[NodeError] = []
        for entry in self.entries:
            try:
                for written in list(_expanded(entry, others, ())):
                    _check(written.rule.name, rules, entry.path)
                    rules[written.rule.name] = self._with_defaults(written)
            except NodeError as error:
                errors.append(error)
        if errors:
            raise NodeErrors(errors)
        return RuleSet(tuple(rules.values()))

    def _with_defaults(self, written: WrittenRule) -> Rule:
        missing = self.defaults.keys() - written.given
        return replace(written.rule, **{name: self.defaults[name] for name in missing})


def _check(name: str, rules: Mapping[str, Rule], path: Path) -> None:
    if name in rules:
        raise NodeError(f"there are two rules named {name!r}", path=path)
    if len(rules) == MAX_RULES:
        raise NodeError(f"from here on there are more than {MAX_RULES} rules", path=path)


def _expanded(
    entry: WrittenRule | RulesOf, others: Mapping[str, WrittenRules], trail: tuple[str, ...]
) -> Iterator[WrittenRule]:
    """The rule itself, or all of the provider, with those that it reuses in turn."""
    if isinstance(entry, WrittenRule):
        yield entry
        return
    if entry.provider not in others:
        hint = suggest(entry.provider, others)
        raise NodeError(f"no provider {entry.provider!r} has rules", path=entry.path, hint=hint)
    if entry.provider in trail:
        circle = " -> ".join((*trail, entry.provider))
        raise NodeError(f"these rules would never end: {circle}", path=entry.path)
    for inner in others[entry.provider].entries:
        yield from _expanded(replace(inner, path=entry.path), others, (*trail, entry.provider))
