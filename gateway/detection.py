"""Tells from its headers which provider a delivery comes from, as rule files say it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.core.model import Delivery
from gateway.core.nodes import Node


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
class Detect:
    """Claims a delivery that passes any of the tests."""

    tests: tuple[HeaderTest, ...]

    def __call__(self, delivery: Delivery) -> bool:
        """Whether the delivery is claimed."""
        return any(test(delivery) for test in self.tests)


def read_detect(node: Node) -> Detect:
    """Read ``{header: X-GitHub-Event}`` or a list of such; raises `NodeError`."""
    return Detect(tuple(_read_test(piece) for piece in node.one_or_more()))


def _read_test(node: Node) -> HeaderTest:
    parts = node.mapping(("header", "matches"), required=("header",))
    return HeaderTest(**{name: part.text() for name, part in parts.items()})
