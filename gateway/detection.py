"""Tells from headers or an unmistakable body which provider a delivery comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from gateway.bodies import Body
from gateway.core.errors import MalformedPayload, NotApplicable
from gateway.core.expressions import Expression, Scope, compile_expression
from gateway.core.model import Delivery
from gateway.core.nodes import Node
from gateway.core.rule_documents import compiled

_parse = Body()


@dataclass(frozen=True, slots=True)
class HeaderTest:
    """A header that is there, with a value that matches a glob pattern if one is given."""

    header: str
    matches: str = "*"

    def __call__(self, delivery: Delivery) -> bool:
        """Whether the delivery passes."""
        value = delivery.header(self.header)
        return value is not None and fnmatchcase(value, self.matches)


@dataclass(frozen=True, slots=True)
class ShapeTest:
    """An expression that is true for the payload."""

    when: Expression

    def __call__(self, delivery: Delivery) -> bool:
        """Whether the delivery passes; a body that cannot be read does not."""
        payload = _payload(delivery)
        try:
            scope = Scope(payload, delivery.headers, delivery.query)
            return self.when.evaluate(payload, scope) is True
        except NotApplicable:
            return False


@dataclass(frozen=True, slots=True)
class Detect:
    """Claims a delivery that passes any of the tests."""

    tests: tuple[Callable[[Delivery], bool], ...]

    def __call__(self, delivery: Delivery) -> bool:
        """Whether the delivery is claimed."""
        return any(test(delivery) for test in self.tests)


def read_detect(node: Node) -> Detect:
    """Read ``{header: X-GitHub-Event}``, ``{when: expression}`` or a list; raises `NodeError`."""
    return Detect(tuple(_read_test(piece) for piece in node.one_or_more()))


def _read_test(node: Node) -> Callable[[Delivery], bool]:
    parts = node.mapping(("header", "matches", "when"))
    if ("header" in parts) is ("when" in parts):
        node.fail("expected either 'header' or 'when'")
    if "when" in parts:
        return ShapeTest(compiled(parts["when"], compile_expression))
    return HeaderTest(**{name: part.text() for name, part in parts.items()})


def _payload(delivery: Delivery) -> Any:
    return _parsed(_Same(delivery))


class _Same:
    """A delivery that equals only itself, as a key to what was made of it."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.delivery is self.delivery

    def __hash__(self) -> int:
        return id(self.delivery)


# Every provider that looks at the shape asks for the payload of the same delivery.
@lru_cache(maxsize=1)
def _parsed(same: _Same) -> Any:
    try:
        return _parse(same.delivery)
    except MalformedPayload:
        return None
