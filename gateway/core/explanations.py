"""Says in words what each rule made of a payload, and which values decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.clauses import clauses, operands
from gateway.core.errors import NotApplicable
from gateway.core.evaluators import is_false
from gateway.core.expressions import Expression, Scope, compile_expression
from gateway.core.functions import encode_json
from gateway.core.model import Delivery
from gateway.core.rules import Ignored, Judgement, Mapped, Miss, Rule, RuleSet, conclude
from gateway.core.times import format_time

MAX_ATTEMPTS = 200
"""How many attempts are explained; a delivery with many items makes many."""

_LONGEST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Seen:
    """An expression and its value for the payload, or the problem that it has none."""

    text: str
    value: Any
    problem: str = ""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.text} cannot be applied: {self.problem}"
        return f"{self.text} is {_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rule tried on one item, which counts from 0 and is None without ``for_each``.

    ``reason`` is a short sentence, ``seen`` holds the values that it rests on.
    """

    rule: str
    item: int | None
    verdict: Literal["matched", "ignored", "not matched", "not tried"]
    reason: str
    seen: tuple[Seen, ...] = ()

    def __str__(self) -> str:
        item = "" if self.item is None else f", item {self.item}"
        lines = [f"{self.rule}{item}: {self.verdict}; {self.reason}", *map(str, self.seen)]
        return "\n    ".join(lines)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `RuleSet.map` gives and how it came to be; as text it is for people."""

    mapped: Mapped
    attempts: tuple[Attempt, ...]

    def __str__(self) -> str:
        lines = [str(attempt) for attempt in self.attempts]
        lines += [
            f"=> {event.status}, key {_shown(event.key)}, message {_shown(event.message)}"
            for event in self.mapped.events
        ]
        if not self.mapped.events:
            lines.append(f"=> ignored: {self.mapped.reason}")
        return "\n".join(lines)


def explain(rules: RuleSet, payload: Any, delivery: Delivery) -> Explanation:
    """Map ``payload`` and say of every rule what it did.

    Raises nothing for any JSON value.
    """
    scope = Scope(payload, delivery.headers, delivery.query)
    judgements = list(rules.judgements(payload, delivery))
    attempts = [_attempt(judgement, scope) for judgement in judgements[:MAX_ATTEMPTS]]
    tried = {judgement.rule.name for judgement in judgements}
    attempts += [
        Attempt(rule.name, None, "not tried", "an earlier rule decided")
        for rule in rules.rules
        if rule.name not in tried
    ]
    return Explanation(conclude(judgements), tuple(attempts))


def _attempt(judgement: Judgement, scope: Scope) -> Attempt:
    rule, item, subject, verdict = judgement
    if isinstance(verdict, Miss):
        reason, seen = _miss(rule, verdict, subject, scope)
        return Attempt(rule.name, item, "not matched", reason, seen)
    if isinstance(verdict, Ignored):
        reason = "its status is ignore"
        if verdict.value is not None:
            reason = f"the status for {verdict.value!r} is ignore"
        return Attempt(rule.name, item, "ignored", reason, _see(rule.selecting, subject, scope))
    reason = f"{verdict.status} at {format_time(verdict.occurred_at)}"
    return Attempt(rule.name, item, "matched", reason, _see(rule.shaping, subject, scope))


def _miss(rule: Rule, miss: Miss, subject: Any, scope: Scope) -> tuple[str, tuple[Seen, ...]]:
    if miss.part == "when":
        clause = _deciding_clause(miss.text, subject, scope)
        parts = [compile_expression(text) for text in operands(clause.text) if text != clause.text]
        return f"when: {clause}", _see(parts, subject, scope)
    if miss.part == "key":
        seen = _see(rule.key.expressions, subject, scope)
        return "key: " + ", ".join(str(one) for one in seen if one.value is None), ()
    return f"{miss.part}: {Seen(miss.text, miss.value, miss.problem)}", ()


def _deciding_clause(text: str, subject: Any, scope: Scope) -> Seen:
    """The first part of ``a && b`` that does not hold."""
    seen = [_look(compile_expression(part), subject, scope) for part in clauses(text)]
    return next((one for one in seen if is_false(one.value)), seen[-1])


def _see(sources: Iterable[Expression], subject: Any, scope: Scope) -> tuple[Seen, ...]:
    return tuple(_look(one, subject, scope) for one in dict.fromkeys(sources))


def _look(expression: Expression, subject: Any, scope: Scope) -> Seen:
    try:
        return Seen(expression.text, expression.evaluate(subject, scope))
    except NotApplicable as error:
        return Seen(expression.text, None, error.message)


def _shown(value: Any) -> str:
    try:
        text = encode_json(value)
    except RecursionError:
        return "nested too deeply to show"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
