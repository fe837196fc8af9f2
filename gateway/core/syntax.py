"""Parses an expression and refuses, when it is loaded, what could go wrong later.

The limits bound what an expression can cost, so that at run time the size of the payload
alone does.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

import jmespath
from jmespath import exceptions
from jmespath.lexer import Lexer

from gateway.core.errors import ExpressionError
from gateway.core.functions import ARITIES, strict_json
from gateway.core.nodes import suggest

MAX_LENGTH = 1000
MAX_NODES = 200
MAX_DEPTH = 50
MAX_GROWTH = 64

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`((?:\\.|[^`\\])*)`""", re.DOTALL)
_PROJECTIONS = frozenset({"projection", "value_projection", "filter_projection"})
_EQUALITY = frozenset({"eq", "ne"})
_OPERAND_ENDS = frozenset(
    {
        "unquoted_identifier",
        "quoted_identifier",
        "literal",
        "current",
        "star",
        "flatten",
        "rparen",
        "rbracket",
        "rbrace",
    }
)
_OPERAND_STARTS = frozenset(
    {
        "unquoted_identifier",
        "quoted_identifier",
        "literal",
        "current",
        "expref",
    }
)
_HINTS = {
    "and": "write && for and",
    "or": "write || for or",
    "not": "write ! for not",
    "in": "write contains(list, value)",
    "=": "write == to compare",
}


class Token(NamedTuple):
    """A word of an expression and where it starts."""

    kind: str
    value: Any
    start: int


class Syntax(NamedTuple):
    """A parsed expression that is not yet checked."""

    tree: Any
    tokens: tuple[Token, ...]


def parse(text: str) -> Syntax:
    """Parse ``text``; raises `ExpressionError` where it is not an expression."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text)} characters, more than {MAX_LENGTH}",
            hint="split it over several rules",
        )
    _check_literals(text)
    try:
        return Syntax(jmespath.compile(text).parsed, tuple(tokens(text)))
    except exceptions.LexerError as error:
        _fail_at(error.message[0].lower() + error.message[1:], error)
    except exceptions.ParseError as error:
        _fail_at(f"unexpected {str(error.token_value)!r}", error)
    except exceptions.JMESPathError:
        raise ExpressionError("the expression is empty") from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


def tokens(text: str) -> Iterator[Token]:
    """The words of an expression that parses, the last one of kind ``eof``."""
    for token in Lexer().tokenize(text):
        yield Token(token["type"], token["value"], token["start"])


def check(syntax: Syntax) -> None:
    """Raise `ExpressionError` if the expression could not work or could cost too much."""
    _check_commas(syntax.tokens)
    _check_comparisons(syntax.tokens)
    growth = _Checker(syntax.tokens).visit(syntax.tree)
    if growth > MAX_GROWTH:
        raise ExpressionError(
            f"the result could be {growth} times the payload, more than {MAX_GROWTH}",
            hint="use fewer multi-selects after one another",
        )


def named_headers(tree: Any) -> Iterator[str]:
    """The literal names that ``header('...')`` is called with, in lower case."""
    if tree["type"] == "slice":
        return
    for child in tree["children"]:
        is_named = child["type"] == "literal" and isinstance(child["value"], str)
        if is_named and tree["type"] == "function_expression" and tree["value"] == "header":
            yield child["value"].lower()
        yield from named_headers(child)


def _fail_at(message: str, error: exceptions.ParseError) -> NoReturn:
    if error.token_type in {None, "EOF"}:
        raise ExpressionError("the expression ends too early", offset=error.lex_position) from None
    word = str(error.token_value)
    hint = _HINTS.get(word, "")
    if error.token_type == "NUMBER":  # noqa: S105  a kind of token, no password
        hint = f"write a number between backticks: `{word}`"
    raise ExpressionError(message, offset=error.lex_position, hint=hint) from None


def _check_literals(text: str) -> None:
    # The parser takes bad JSON for text, and only a warning says so.
    for quoted in _QUOTED.finditer(text):
        if quoted[1] is None:
            continue
        try:
            strict_json(quoted[1].replace("\\`", "`"))
        except (ValueError, RecursionError):
            raise ExpressionError(
                f"{quoted[0]} is not JSON",
                offset=quoted.start(),
                hint="text is written 'so', backticks hold JSON",
            ) from None


def _check_commas(words: tuple[Token, ...]) -> None:
    """Refuse ``f(a b)`` and ``f(a,)``, which the parser lets pass."""
    for word, after in pairwise(words):
        if word.kind == "comma":
            wrong = after.kind == "rparen"
        else:
            wrong = word.kind in _OPERAND_ENDS and after.kind in _OPERAND_STARTS
        if wrong:
            raise ExpressionError("arguments are separated by one comma each", offset=after.start)


def _check_comparisons(words: tuple[Token, ...]) -> None:
    """Refuse ``a == "text"`` and ``a == true``: both would compare with a field."""
    for operator, word, after in zip(words, words[1:], words[2:], strict=False):
        if operator.kind not in _EQUALITY or after.kind in {"dot", "lbracket", "filter"}:
            continue
        if word.kind == "quoted_identifier":
            raise ExpressionError(
                f'"{word.value}" in double quotes is the name of a field',
                offset=word.start,
                hint=f"write '{word.value}' for text, @.\"{word.value}\" for the field",
            )
        if word.kind == "unquoted_identifier" and word.value in {"true", "false", "null"}:
            raise ExpressionError(
                f"{word.value} without backticks is the name of a field",
                offset=word.start,
                hint=f"write `{word.value}`",
            )


class _Checker:
    """Walks a syntax tree in the order of the text, to know where each call stands."""

    def __init__(self, words: tuple[Token, ...]) -> None:
        self._nodes = 0
        self._references = (word.start for word in words if word.kind == "expref")
        self._calls = (
            word.start
            for word, after in pairwise(words)
            if word.kind == "unquoted_identifier" and after.kind == "lparen"
        )

    def visit(
        self, node: Any, *, depth: int = 1, inside: bool = False, argument: bool = False
    ) -> int:
        """Check ``node``; return how many times larger than its input its value can be.

        ``inside`` says that the node is evaluated once for each element of a list,
        ``argument`` that it is the argument of a function.
        """
        self._count(depth)
        kind = node["type"]
        if kind == "slice":
            return 1
        called = kind == "function_expression"
        if called:
            _check_call(node, next(self._calls), inside=inside)
        if kind == "expref":
            _check_reference(next(self._references), argument=argument)
            inside = True
        growths = []
        for at, child in enumerate(_in_order(node)):
            each = inside or (at > 0 and kind in _PROJECTIONS)
            growths.append(self.visit(child, depth=depth + 1, inside=each, argument=called))
        return _growth(node, growths)

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(
                f"the expression has more than {MAX_NODES} parts",
                hint="split it over several rules",
            )
        if depth > MAX_DEPTH:
            raise ExpressionError("the expression is nested too deeply")


def _in_order(node: Any) -> list[Any]:
    children: list[Any] = node["children"]
    if node["type"] == "filter_projection":
        source, result, condition = children
        return [source, condition, result]
    return children


def _growth(node: Any, growths: list[int]) -> int:
    if node["type"] in {"multi_select_list", "multi_select_dict"}:
        return sum(growths)
    product = 2 if node["type"] == "function_expression" and node["value"] == "to_string" else 1
    for growth in growths:
        product *= growth
    return product


def _check_reference(offset: int, *, argument: bool) -> None:
    if not argument:
        raise ExpressionError(
            "& makes sense only in the argument of a function",
            offset=offset,
            hint="write && for and",
        )


def _check_call(node: Any, offset: int, *, inside: bool) -> None:
    name, arguments = node["value"], node["children"]
    arity = ARITIES.get(name)
    if arity is None:
        raise ExpressionError(
            f"unknown function {name!r}", offset=offset, hint=suggest(name, ARITIES)
        )
    if not arity.accepts(len(arguments)):
        least = "at least " if arity.variadic else ""
        plural = "" if arity.least == 1 else "s"
        raise ExpressionError(
            f"{name}() takes {least}{arity.least} argument{plural}, {len(arguments)} given",
            offset=offset,
        )
    if inside and name == "root":
        # Once for each element, it would make the cost the square of the payload's size.
        raise ExpressionError(
            "root() cannot be used inside a projection, filter or & reference",
            offset=offset,
            hint="use for_each, or compare outside the brackets",
        )
    for at, argument in enumerate(arguments):
        if (argument["type"] == "expref") is not (at in arity.references):
            wanted = "a reference, such as &name" if at in arity.references else "no & reference"
            raise ExpressionError(f"argument {at + 1} of {name}() must be {wanted}", offset=offset)
