"""Compiles expressions and templates, and evaluates them against one delivery.

Expressions are JMESPath (https://jmespath.org/specification.html) with the functions of
`gateway.core.functions`. Whatever is compiled can be used by several threads at once.
"""

from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathTypeError

from gateway.core import syntax
from gateway.core.errors import ExpressionError, NotApplicable
from gateway.core.evaluators import Evaluator, Scope, build
from gateway.core.functions import to_text

MAX_TEMPLATE_LENGTH = 4000

__all__ = [
    "Expression",
    "Scope",
    "Template",
    "Value",
    "compile_expression",
    "compile_template",
    "compile_value",
]

_OPEN, _CLOSE = "{{", "}}"
_KINDS = {"NoneType": "null", "str": "text", "dict": "an object", "list": "a list"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; ``headers`` are those it names, in lower case."""

    text: str
    headers: frozenset[str] = field(repr=False, compare=False)
    _evaluate: Evaluator = field(repr=False, compare=False)

    def evaluate(self, subject: Any, scope: Scope) -> Any:
        """The JSON value for ``subject``; what is not there is None.

        Raises `NotApplicable` where a function gets what it cannot work with.
        """
        try:
            return self._evaluate(subject, scope)
        except JMESPathTypeError as error:
            raise NotApplicable(_mismatch(error)) from None
        except RecursionError:
            raise NotApplicable("the payload is nested too deeply") from None
        except (ValueError, TypeError, ArithmeticError) as error:
            raise NotApplicable(str(error)[:200]) from None


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text with the values of expressions in it."""

    text: str
    parts: tuple[str | Expression, ...]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions in the order of the text."""
        return tuple(part for part in self.parts if isinstance(part, Expression))

    def render(self, subject: Any, scope: Scope) -> str:
        """The text, with nothing for what is null or cannot be applied."""
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        return "".join(
            part if isinstance(part, str) else _shown(part, subject, scope) or ""
            for part in self.parts
        )

    def render_complete(self, subject: Any, scope: Scope) -> str | None:
        """The text, or None where a value is null or cannot be applied."""
        texts = []
        for part in self.parts:
            text = part if isinstance(part, str) else _shown(part, subject, scope)
            if text is None:
                return None
            texts.append(text)
        return "".join(texts)

    def evaluate(self, subject: Any, scope: Scope) -> str | None:
        """As `render_complete`, so that a template can stand where an expression can."""
        return self.render_complete(subject, scope)


Value = Expression | Template
"""What gives a value: an expression, or a template where the text holds ``{{``."""


def compile_expression(text: str) -> Expression:
    """Compile and check an expression; raises `ExpressionError` with offset and hint."""
    parsed = syntax.parse(text)
    syntax.check(parsed)
    return _expression(text, parsed)


def compile_template(text: str) -> Template:
    """Compile literal text with ``{{ expression }}`` parts; raises `ExpressionError`."""
    if len(text) > MAX_TEMPLATE_LENGTH:
        raise ExpressionError(
            f"the template has {len(text)} characters, more than {MAX_TEMPLATE_LENGTH}"
        )
    parts: list[str | Expression] = []
    end = 0
    while (start := text.find(_OPEN, end)) >= 0:
        parts.append(text[end:start])
        expression, end = _compile_part(text, start + len(_OPEN))
        parts.append(expression)
    parts.append(text[end:])
    return Template(text, tuple(part for part in parts if part) or ("",))


def compile_value(text: str) -> Value:
    """Compile a template if ``text`` holds ``{{``, else an expression."""
    return compile_template(text) if _OPEN in text else compile_expression(text)


def _compile_part(text: str, start: int) -> tuple[Expression, int]:
    """The expression that begins at ``start``, and where the template goes on.

    The first ``}}`` that leaves a whole expression before it ends the part: multi-select
    hashes and quoted text may hold the same characters.
    """
    first_error = None
    close = text.find(_CLOSE, start)
    while close >= 0:
        piece = text[start:close]
        try:
            parsed = syntax.parse(piece)
        except ExpressionError as error:
            first_error = first_error or error
            close = text.find(_CLOSE, close + 1)
            continue
        return _checked(piece, parsed, start), close + len(_CLOSE)
    if first_error is None:
        raise ExpressionError("'{{' without '}}'", offset=start - len(_OPEN))
    raise _moved(first_error, start)


def _expression(text: str, parsed: syntax.Syntax) -> Expression:
    named = frozenset(syntax.named_headers(parsed.tree))
    return Expression(text.strip(), named, build(parsed.tree))


def _checked(piece: str, parsed: syntax.Syntax, start: int) -> Expression:
    try:
        syntax.check(parsed)
    except ExpressionError as error:
        raise _moved(error, start) from None
    return _expression(piece, parsed)


def _moved(error: ExpressionError, start: int) -> ExpressionError:
    return ExpressionError(error.message, offset=error.offset + start, hint=error.hint)


def _shown(expression: Expression, subject: Any, scope: Scope) -> str | None:
    try:
        value = expression.evaluate(subject, scope)
        return None if value is None else to_text(value)
    except (NotApplicable, RecursionError):
        return None


def _mismatch(error: JMESPathTypeError) -> str:
    wanted = " or ".join(str(kind) for kind in error.expected_types)
    kind = type(error.current_value).__name__
    found = _KINDS.get(kind, "a number" if kind in {"int", "float"} else "true or false")
    return f"{error.function_name}() needs {wanted}, found {found}"
