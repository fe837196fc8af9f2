"""Turns a syntax tree into a function, once, when it is loaded.

Rules mostly look up fields and compare them with words, for each of which walking the
tree costs many times the look-up. What is not among these common forms is left to
JMESPath's own interpreter; the tests compare the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jmespath.visitor import TreeInterpreter

from gateway.core.functions import Interpreter


# Without slots, so that the interpreter, which few rules need, is made when one asks for it.
@dataclass(frozen=True)
class Scope:
    """What an expression can reach beside its subject; header names are lower case."""

    root: Any
    headers: Mapping[str, str]
    query: Mapping[str, str]

    @cached_property
    def interpreter(self) -> Interpreter:
        """Runs the expressions that have no evaluator of their own."""
        return Interpreter(self.root, self.headers, self.query)


Evaluator = Callable[[Any, Scope], Any]
"""Takes the subject and the scope, and gives the value."""

_equals = TreeInterpreter.COMPARATOR_FUNC["eq"]


def is_false(value: Any) -> bool:
    """Whether JMESPath takes a value for false: null, false and what is empty, but not 0."""
    return not value and (isinstance(value, bool) or not isinstance(value, int | float))


def build(node: Any) -> Evaluator:
    """The function that evaluates ``node``."""
    maker = _MAKERS.get(node["type"], _left_to_interpreter)
    return maker(node)


def _left_to_interpreter(node: Any) -> Evaluator:
    return lambda subject, scope: scope.interpreter.visit(node, subject)


def _field(node: Any) -> Evaluator:
    name = node["value"]
    return lambda subject, _: subject.get(name) if isinstance(subject, dict) else None


def _subexpression(node: Any) -> Evaluator:
    children = node["children"]
    if any(child["type"] != "field" for child in children):
        return _left_to_interpreter(node)
    names = tuple(child["value"] for child in children)

    def evaluate(subject: Any, _: Scope) -> Any:
        for name in names:
            if not isinstance(subject, dict):
                return None
            subject = subject.get(name)
        return subject

    return evaluate


def _literal(node: Any) -> Evaluator:
    value = node["value"]
    return lambda _subject, _scope: value


def _comparator(node: Any) -> Evaluator:
    if node["value"] not in {"eq", "ne"}:
        return _left_to_interpreter(node)
    left, right = (build(child) for child in node["children"])
    wanted = node["value"] == "eq"
    word = node["children"][1]["value"] if node["children"][1]["type"] == "literal" else None
    if isinstance(word, str):
        return lambda subject, scope: (left(subject, scope) == word) is wanted
    return lambda subject, scope: _equals(left(subject, scope), right(subject, scope)) is wanted


def _and(node: Any) -> Evaluator:
    left, right = (build(child) for child in node["children"])

    def evaluate(subject: Any, scope: Scope) -> Any:
        value = left(subject, scope)
        return value if is_false(value) else right(subject, scope)

    return evaluate


def _or(node: Any) -> Evaluator:
    left, right = (build(child) for child in node["children"])

    def evaluate(subject: Any, scope: Scope) -> Any:
        value = left(subject, scope)
        return right(subject, scope) if is_false(value) else value

    return evaluate


def _not(node: Any) -> Evaluator:
    (inner,) = (build(child) for child in node["children"])
    return lambda subject, scope: is_false(inner(subject, scope))


def _function(node: Any) -> Evaluator:
    arguments = node["children"]
    if node["value"] != "header" or arguments[0]["type"] != "literal":
        return _left_to_interpreter(node)
    if not isinstance(arguments[0]["value"], str):
        return _left_to_interpreter(node)
    name = arguments[0]["value"].lower()
    return lambda _, scope: scope.headers.get(name)


_MAKERS: Mapping[str, Callable[[Any], Evaluator]] = {
    "field": _field,
    "subexpression": _subexpression,
    "literal": _literal,
    "comparator": _comparator,
    "and_expression": _and,
    "or_expression": _or,
    "not_expression": _not,
    "function_expression": _function,
}
