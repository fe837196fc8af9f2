"""Reads plain data (from YAML or JSON) piece by piece, each error knowing its path.

Rule files and signature schemes are read with it; whoever has the text turns a path
into file, line and column.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from gateway.core.errors import GatewayError

Path = tuple[str | int, ...]

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_KINDS = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}


class NodeError(GatewayError):
    """A piece of data that is not what it should be.

    ``path`` leads to the piece, ``offset`` to a character within its text; ``at_key``
    says that the last key of the path is meant and not its value.
    """

    code = "document_invalid"

    def __init__(
        self, message: str, *, path: Path, offset: int = 0, hint: str = "", at_key: bool = False
    ) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset
        self.hint = hint
        self.at_key = at_key


class NodeErrors(GatewayError):
    """All that is wrong with a piece of data."""

    code = "document_invalid"

    def __init__(self, errors: "list[NodeError]") -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of plain data and the path that led to it."""

    value: Any
    path: Path = ()

    def fail(self, message: str, *, hint: str = "", offset: int = 0) -> NoReturn:
        """Raise a `NodeError` for this piece."""
        raise NodeError(message, path=self.path, offset=offset, hint=hint)

    def child(self, key: str | int) -> "Node":
        """The piece below ``key``, which must exist."""
        return Node(self.value[key], (*self.path, key))

    def mapping(self, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, "Node"]:
        """The pieces of a mapping whose keys are all ``known``; nulls count as left out."""
        self._expect(dict)
        known = tuple(known)
        for key in self.value:
            if key not in known:
                raise NodeError(
                    f"unknown key {key!r}",
                    path=(*self.path, key),
                    hint=suggest(key, known),
                    at_key=True,
                )
        for key in required:
            if self.value.get(key) is None:
                self.fail(f"{key!r} is missing")
        return {key: self.child(key) for key, value in self.value.items() if value is not None}

    def entries(self) -> Iterator[tuple[str, "Node"]]:
        """Key and piece of a mapping with keys of the author's choice."""
        self._expect(dict)
        for key in self.value:
            if not isinstance(key, str):
                self.fail(f"the key {key!r} is not text", hint="put it in quotes")
            yield key, self.child(key)

    def items(self) -> Iterator["Node"]:
        """The pieces of a list."""
        self._expect(list)
        for index in range(len(self.value)):
            yield self.child(index)

    def one_or_more(self) -> list["Node"]:
        """The pieces of a list, or the piece itself where one stands alone."""
        pieces = list(self.items()) if isinstance(self.value, list) else [self]
        if not pieces:
            self.fail("the list is empty")
        return pieces

    def text(self) -> str:
        """The piece as text, not empty."""
        self._expect(str)
        if not self.value.strip():
            self.fail("expected some text")
        return str(self.value)

    def choice(self, options: Iterable[str]) -> str:
        """The piece as one of a few words."""
        options = tuple(options)
        if self.value not in options:
            expected = ", ".join(options)
            self.fail(
                f"{self.value!r} is not one of: {expected}", hint=suggest(self.value, options)
            )
        return str(self.value)

    def boolean(self) -> bool:
        """The piece as true or false."""
        self._expect(bool)
        return bool(self.value)

    def duration(self) -> timedelta:
        """The piece as a duration: digits and a unit, ``30s``, ``5m``, ``2h``, ``1d``."""
        match = _DURATION.fullmatch(self.value) if isinstance(self.value, str) else None
        if match is None:
            self.fail(f"{self.value!r} is not a duration", hint="write 30s, 5m, 2h or 1d")
        return timedelta(**{_UNITS[match[2]]: int(match[1])})

    def _expect(self, kind: type) -> None:
        if not isinstance(self.value, kind):
            found = next((name for k, name in _KINDS.items() if isinstance(self.value, k)), None)
            self.fail(f"expected {_KINDS[kind]}, found {found or repr(self.value)}")


def suggest(word: object, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them when none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)
