"""The functions that rules may call, and the interpreter that runs them.

JMESPath's own functions (https://jmespath.org/specification.html#builtin-functions)
plus ours, which reach what the payload does not hold.
"""

import json
import math
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, NoReturn

from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A JSON value as compact JSON; raises RecursionError about a thousand levels deep."""


def to_text(value: Any) -> str:
    """A JSON value as text: null is empty, text stays, all else is compact JSON.

    Raises RecursionError for JSON that is nested about a thousand levels deep.
    """
    if isinstance(value, str):
        return value
    # What JSON makes of an integer, in a tenth of the time: keys are full of numbers.
    if type(value) is int:
        return str(value)
    return "" if value is None else encode_json(value)


def strict_json(text: str) -> Any:
    """What ``text`` means as JSON; raises ValueError also for NaN and Infinity."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


class RuleFunctions(Functions):
    """JMESPath's functions and ours, bound to one delivery."""

    def __init__(self, root: Any, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        self._root = root
        self._headers = headers
        self._query = query

    @signature({"types": ["string"]})
    def _func_header(self, name: str) -> str | None:
        return self._headers.get(name.lower())

    @signature({"types": ["string"]})
    def _func_query(self, name: str) -> str | None:
        return self._query.get(name)

    @signature()
    def _func_root(self) -> Any:
        return self._root

    @signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @signature({"types": ["string"]})
    def _func_upper(self, text: str) -> str:
        return text.upper()

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_matches(self, text: str, pattern: str) -> bool:
        return fnmatchcase(text, pattern)

    @signature({"types": ["string"]})
    def _func_from_json(self, text: str) -> Any:
        return strict_json(text)

    @signature({"types": []})
    def _func_to_string(self, value: Any) -> str:
        # The original escapes everything outside ASCII.
        return "null" if value is None else to_text(value)

    @signature({"types": []})
    def _func_to_number(self, value: Any) -> float | None:
        # The original makes numbers of 'nan' and 'inf', which no JSON can hold.
        if isinstance(value, str):
            return _number(value)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(text: str) -> float | None:
    for kind in (int, float):
        try:
            number: float = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


class Arity(NamedTuple):
    """What a function takes: how many arguments, and which of them are ``&`` references."""

    least: int
    variadic: bool
    references: frozenset[int]

    def accepts(self, count: int) -> bool:
        """Whether the function can be called with so many arguments."""
        return count >= self.least if self.variadic else count == self.least


def _arity(arguments: tuple[Mapping[str, Any], ...]) -> Arity:
    references = (at for at, one in enumerate(arguments) if "expref" in one["types"])
    variadic = bool(arguments and arguments[-1].get("variadic"))
    return Arity(len(arguments), variadic, frozenset(references))


ARITIES: Mapping[str, Arity] = {
    name: _arity(entry["signature"]) for name, entry in RuleFunctions.FUNCTION_TABLE.items()
}
"""Every function that a rule may call."""

_VISITS: Mapping[str, Callable[..., Any]] = {
    name.removeprefix("visit_"): getattr(TreeInterpreter, name)
    for name in dir(TreeInterpreter)
    if name.startswith("visit_")
}


class Interpreter(TreeInterpreter):
    """Runs the syntax trees of expressions against one delivery."""

    def __init__(self, root: Any, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        super().__init__(Options(custom_functions=RuleFunctions(root, headers, query)))

    # The original keeps bound methods, a reference cycle that would hold the payload until
    # the garbage collector comes by.
    def visit(self, node: Any, subject: Any) -> Any:
        """The value of ``node`` for ``subject``."""
        return _VISITS[node["type"]](self, node, subject)
