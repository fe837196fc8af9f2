"""Reads the rules of a document and refuses whatever could not work."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from gateway.core import syntax
from gateway.core.errors import ExpressionError
from gateway.core.expressions import (
    Expression,
    Template,
    Value,
    compile_expression,
    compile_template,
    compile_value,
)
from gateway.core.model import OBSERVABLE, Status
from gateway.core.nodes import Node, NodeError, NodeErrors
from gateway.core.rules import Lookup, Rule
from gateway.core.written_rules import MAX_RULES, RulesOf, WrittenRule, WrittenRules

IGNORE = "ignore"
STATUSES = (*(status.value for status in OBSERVABLE), IGNORE)
DEFAULTABLE = ("for_each", "key", "message", "metadata", "occurred_at", "event_id", "resolve_after")
RULE_KEYS = ("name", "when", "status", *DEFAULTABLE)
RULES_OF = "rules_of"
"""The key of an entry that stands for the rules of another provider."""

_WHOLE_PAYLOAD = "@"
_NOTHING = Template("", ("",))

T = TypeVar("T")


def compile_rules(document: Node, others: Iterable[str] = ()) -> WrittenRules:
    """Compile the ``rules`` and ``defaults`` of a mapping.

    ``others`` are the keys that the mapping may have besides. Raises `NodeErrors` with
    everything that is wrong.
    """
    reader = _Reader()
    parts = reader.take(
        document, lambda node: node.mapping(("rules", "defaults", *others), required=("rules",))
    )
    defaults = reader.take((parts or {}).get("defaults"), lambda node: node.mapping(DEFAULTABLE))
    nodes = reader.take((parts or {}).get("rules"), _rule_nodes)
    values = reader.values(defaults or {})
    entries = [reader.entry(node) for node in nodes or ()]
    if reader.errors:
        raise NodeErrors(reader.errors)
    return WrittenRules(tuple(entry for entry in entries if entry is not None), values)


class _Reader:
    """Reads piece after piece and keeps the errors, so that one run shows all of them."""

    def __init__(self) -> None:
        self.errors: list[NodeError] = []
        self._names: set[str] = set()

    def take(self, node: Node | None, read: Callable[[Node], T]) -> T | None:
        """What ``read`` makes of ``node``, or None if there is none or it is wrong."""
        if node is None:
            return None
        try:
            return read(node)
        except NodeErrors as several:
            self.errors += several.errors
        except NodeError as error:
            self.errors.append(error)
        return None

    def values(self, parts: Mapping[str, Node]) -> dict[str, Any]:
        """What stands behind the keys that can have a default, by attribute of a rule."""
        return {name: self.take(part, _READERS[name]) for name, part in parts.items()}

    def entry(self, node: Node) -> WrittenRule | RulesOf | None:
        """A rule, or what stands for several; None if there is nothing to go on with."""
        if isinstance(node.value, dict) and RULES_OF in node.value:
            return self.take(node, _rules_of)
        parts = self.take(node, lambda node: node.mapping(RULE_KEYS, required=("name", "status")))
        if parts is None:
            return None
        given = {name: part for name, part in parts.items() if name in DEFAULTABLE}
        rule = Rule(
            name=self.take(parts["name"], self._name) or "",
            status=self.take(parts["status"], _status),
            **{"key": _NOTHING, "message": _NOTHING, **self.values(given)},
            when=self.take(parts.get("when"), _expression),
        )
        return WrittenRule(rule, frozenset(given), node.path)

    def _name(self, node: Node) -> str:
        name = _text(node)
        if name in self._names:
            node.fail(f"there are two rules named {name!r}")
        self._names.add(name)
        return name


def _rules_of(node: Node) -> RulesOf:
    part = node.mapping((RULES_OF,), required=(RULES_OF,))[RULES_OF]
    return RulesOf(part.text(), part.path)


def _rule_nodes(node: Node) -> list[Node]:
    nodes = list(node.items())
    if not nodes:
        node.fail("there are no rules")
    if len(nodes) > MAX_RULES:
        node.fail(f"there are {len(nodes)} rules, more than {MAX_RULES}")
    return nodes


def _status(node: Node) -> Status | Lookup | None:
    if not isinstance(node.value, dict):
        return _status_word(node)
    reader = _Reader()
    parts = node.mapping(("from", "values", "otherwise"), required=("from", "values"))
    source = reader.take(parts["from"], _value)
    values = reader.take(parts["values"], lambda node: dict(node.entries())) or {}
    statuses = {word: reader.take(value, _status_word) for word, value in values.items()}
    otherwise = reader.take(parts.get("otherwise"), _status_word)
    if reader.errors or source is None:
        raise NodeErrors(reader.errors)
    return Lookup(source, statuses, otherwise)


def _status_word(node: Node) -> Status | None:
    word = node.choice(STATUSES)
    return None if word == IGNORE else Status(word)


def _metadata(node: Node) -> Value | dict[str, Value]:
    if not isinstance(node.value, dict):
        return _value(node)
    reader = _Reader()
    values = {name: reader.take(value, _value) for name, value in node.entries()}
    if reader.errors:
        raise NodeErrors(reader.errors)
    return {name: value for name, value in values.items() if value is not None}


def _resolve_after(node: Node) -> timedelta:
    duration = node.duration()
    if not duration:
        node.fail("the duration is zero")
    return duration


def _for_each(node: Node) -> Expression | None:
    return None if node.value == _WHOLE_PAYLOAD else _expression(node)


def _expression(node: Node) -> Expression:
    return compiled(node, compile_expression)


def _value(node: Node) -> Value:
    return compiled(node, compile_value)


def _text_template(node: Node) -> Template:
    template = compiled(node, compile_template)
    if not template.expressions and _looks_like_expression(template.text):
        node.fail(
            f"{template.text!r} looks like an expression but is plain text",
            hint=f"write {{{{ {template.text} }}}}, or {{{{ '{template.text}' }}}} if it is text",
        )
    return template


def _looks_like_expression(text: str) -> bool:
    try:
        parsed = syntax.parse(text)
        if parsed.tree["type"] in {"field", "literal", "current"}:
            return False
        # With a space in it, text can have the syntax by chance: Deploy (production)
        if " " in text:
            syntax.check(parsed)
    except ExpressionError:
        return False
    return True


_READERS: Mapping[str, Callable[[Node], Any]] = {
    "for_each": _for_each,
    "key": _text_template,
    "message": _text_template,
    "metadata": _metadata,
    "occurred_at": _value,
    "event_id": _value,
    "resolve_after": _resolve_after,
}


def compiled(node: Node, compile_text: Callable[[str], T]) -> T:
    """What ``compile_text`` makes of a piece of text; raises `NodeError` at the right character."""
    text = _text(node)
    try:
        return compile_text(text)
    except ExpressionError as error:
        node.fail(error.message, offset=error.offset, hint=error.hint)


def _text(node: Node) -> str:
    if isinstance(node.value, bool | int | float):
        node.fail(f"expected text, found {_as_written(node.value)}", hint="put it in quotes")
    return node.text()


def _as_written(value: Any) -> str:
    return str(value).lower()
