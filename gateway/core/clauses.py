"""Takes an expression apart for its explanation: which part decided, and what it saw.

Works on the words of the text and not on the syntax tree, so that what is shown is what
the author wrote. Every part that comes out is itself an expression for the same subject.
"""

from itertools import pairwise

from gateway.core.syntax import Token, tokens

_OPENING = frozenset({"lparen", "lbracket", "filter", "lbrace"})
_CLOSING = frozenset({"rparen", "rbracket", "rbrace"})
# The loosest first. What stands behind a pipe has another subject: no part by itself.
_LOGIC = (
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"eq", "ne", "lt", "lte", "gt", "gte"}),
)
_REACHING = frozenset({"header", "query", "root"})


def clauses(text: str) -> list[str]:
    """The parts that must all hold, or the whole expression if it is no ``a && b``."""
    words = list(tokens(text))
    if {"or", "pipe"} & _outer_kinds(words):
        return [text.strip()]
    return _split(text, words, frozenset({"and"}))


def operands(text: str) -> list[str]:
    """The parts whose values decide what the expression gives; no literals."""
    words = list(tokens(text))
    kinds = _outer_kinds(words)
    if "pipe" in kinds:
        return [text.strip()]
    for separators in _LOGIC:
        if separators & kinds:
            return _unite(_split(text, words, separators))
    return _of_term(text, words)


def _of_term(text: str, words: list[Token]) -> list[str]:
    """The operands of an expression without operators outside of brackets."""
    first, last = words[0], words[-2]
    if first.kind == "expref" or (first.kind == "literal" and len(words) == 2):  # noqa: PLR2004
        return []
    if first.kind == "not":
        return operands(text[first.start + 1 :])
    if first.kind == "lparen" and _is_closed_by_last(words, 0):
        return operands(text[first.start + 1 : last.start])
    is_call = first.kind == "unquoted_identifier" and words[1].kind == "lparen"
    if is_call and first.value not in _REACHING and _is_closed_by_last(words, 1):
        inner = text[words[1].start + 1 : last.start]
        return _unite(_split(inner, list(tokens(inner)), frozenset({"comma"})))
    return [text.strip()]


def _unite(parts: list[str]) -> list[str]:
    return list(dict.fromkeys(found for part in parts for found in operands(part)))


def _depths(words: list[Token]) -> list[int]:
    """For each word how many brackets are open around it."""
    depths, depth = [], 0
    for word in words:
        depth -= word.kind in _CLOSING
        depths.append(depth)
        depth += word.kind in _OPENING
    return depths


def _outer_kinds(words: list[Token]) -> set[str]:
    return {word.kind for word, depth in zip(words, _depths(words), strict=True) if depth == 0}


def _is_closed_by_last(words: list[Token], at: int) -> bool:
    depths = _depths(words)
    return all(depth > depths[at] for depth in depths[at + 1 : -2])


def _split(text: str, words: list[Token], separators: frozenset[str]) -> list[str]:
    parts, begin = [], 0
    for (word, after), depth in zip(pairwise(words), _depths(words), strict=False):
        if depth == 0 and word.kind in separators:
            parts.append(text[begin : word.start].strip())
            begin = after.start
    return [*parts, text[begin:].strip()]
