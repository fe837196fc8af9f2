"""Turns a payload into events by the rules of its provider.

Rules that follow one another with the same ``for_each`` form a block. For each item of a
block its first matching rule decides; the first block in which a rule matched ends it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from gateway.core.bounds import fit_identifier, fit_message, fit_metadata
from gateway.core.errors import NotApplicable
from gateway.core.expressions import Expression, Scope, Template, Value
from gateway.core.functions import to_text
from gateway.core.model import Delivery, Event, Status
from gateway.core.times import parse_time

MAX_ITEMS = 1000
"""How many items of one delivery are mapped; those after them are passed over."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""


class Miss(NamedTuple):
    """Why a rule did not match: which of its keys failed, its text and the value it gave."""

    part: str
    text: str
    value: Any
    problem: str = ""


class Ignored(NamedTuple):
    """A rule matched and says that it means nothing; ``value`` is what it looked up."""

    value: str | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A status found by a value of the payload; None stands for ``ignore``."""

    source: Value
    values: Mapping[str, Status | None]
    otherwise: Status | None

    def find(self, subject: Any, scope: Scope) -> tuple[Status | None, str]:
        """The status, and the text it was found by. Raises `NotApplicable`."""
        value = self.source.evaluate(subject, scope)
        try:
            text = json_text(value)
        except RecursionError:
            raise NotApplicable("the value is nested too deeply") from None
        return self.values.get(text, self.otherwise), text


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of payload means; the keys are those of the rule file.

    ``status`` None stands for ``ignore``, ``for_each`` None for the payload as a whole.
    """

    name: str
    status: Status | Lookup | None
    key: Template
    message: Template
    when: Expression | None = None
    for_each: Expression | None = None
    metadata: Value | Mapping[str, Value] = field(default_factory=dict)
    occurred_at: Value | None = None
    event_id: Value | None = None
    resolve_after: timedelta | None = None

    @property
    def expressions(self) -> Iterator[Expression]:
        """Every expression of the rule: what selects it, then what shapes its event."""
        yield from (one for one in (self.for_each, self.when) if one is not None)
        yield from self.shaping

    @property
    def selecting(self) -> Iterator[Expression]:
        """The expressions that decide whether there is an event, and of which status."""
        if self.when is not None:
            yield self.when
        if isinstance(self.status, Lookup):
            source = self.status.source
            yield from source.expressions if isinstance(source, Template) else (source,)

    @property
    def shaping(self) -> Iterator[Expression]:
        """The expressions that shape the event."""
        values: list[Value | None] = [self.key, self.message, self.occurred_at, self.event_id]
        if isinstance(self.status, Lookup):
            values.insert(0, self.status.source)
        if isinstance(self.metadata, Mapping):
            values.extend(self.metadata.values())
        else:
            values.append(self.metadata)
        for value in values:
            if isinstance(value, Template):
                yield from value.expressions
            elif value is not None:
                yield value

    def judge(self, subject: Any, scope: Scope, received_at: datetime) -> Event | Ignored | Miss:
        """What the rule makes of ``subject``."""
        part, text, found = "when", "", None
        try:
            if self.when is not None:
                text = self.when.text
                value = self.when.evaluate(subject, scope)
                if value is not True:
                    return Miss(part, text, value)
            status = self.status
            if isinstance(status, Lookup):
                part, text = "status", status.source.text
                status, found = status.find(subject, scope)
        except NotApplicable as error:
            return Miss(part, text, None, error.message)
        if status is None:
            return Ignored(found)
        key = self.key.render_complete(subject, scope)
        if key is None:
            return Miss("key", self.key.text, None)
        return self._event(status, key, subject, scope, received_at)

    def _event(
        self, status: Status, key: str, subject: Any, scope: Scope, received_at: datetime
    ) -> Event:
        occurred_at = parse_time(_value(self.occurred_at, subject, scope))
        if occurred_at is None or occurred_at > received_at + CLOCK_TOLERANCE:
            occurred_at = received_at
        event_id = _text(_value(self.event_id, subject, scope))
        return Event(
            status=status,
            occurred_at=occurred_at,
            key=fit_identifier(key),
            message=fit_message(self.message.render(subject, scope).strip()),
            metadata=fit_metadata(self._metadata(subject, scope)),
            event_id=fit_identifier(event_id) if event_id else None,
            resolve_after=self.resolve_after,
            rule=self.name,
        )

    def _metadata(self, subject: Any, scope: Scope) -> Mapping[str, Any]:
        if isinstance(self.metadata, Mapping):
            return {name: _value(one, subject, scope) for name, one in self.metadata.items()}
        value = _value(self.metadata, subject, scope)
        return value if isinstance(value, dict) else {}


_Block = tuple[Expression | None, tuple[Rule, ...]]


class Judgement(NamedTuple):
    """A rule, the item it was tried on, and what came of it.

    ``item`` counts the items of ``for_each`` from 0 and is None without one.
    """

    rule: Rule
    item: int | None
    subject: Any
    verdict: Event | Ignored | Miss


@dataclass(frozen=True, slots=True)
class Mapped:
    """The events of a delivery, and the rules that decided.

    Without events, ``reason`` says why for people.
    """

    events: tuple[Event, ...]
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one provider, in order."""

    rules: tuple[Rule, ...]
    _blocks: tuple[_Block, ...] = field(init=False, repr=False, compare=False)

    _headers: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_blocks", _blocks(self.rules))
        read = (one.headers for rule in self.rules for one in rule.expressions)
        object.__setattr__(self, "_headers", frozenset().union(*read))

    @property
    def headers(self) -> frozenset[str]:
        """The headers that the rules name, in lower case."""
        return self._headers

    def map(self, payload: Any, delivery: Delivery) -> Mapped:
        """The events that ``payload`` holds. Raises nothing for any JSON value."""
        return conclude(self.judgements(payload, delivery))

    def judgements(self, payload: Any, delivery: Delivery) -> Iterator[Judgement]:
        """Every rule that is tried, in order, until one block has decided."""
        scope = Scope(payload, delivery.headers, delivery.query)
        for for_each, rules in self._blocks:
            found = _items(for_each, scope)
            if isinstance(found, Miss):
                yield from (Judgement(rule, None, payload, found) for rule in rules)
                continue
            matched = False
            for item, subject in found:
                for rule in rules:
                    verdict = rule.judge(subject, scope, delivery.received_at)
                    yield Judgement(rule, item, subject, verdict)
                    if not isinstance(verdict, Miss):
                        matched = True
                        break
            if matched:
                return


def conclude(judgements: Iterable[Judgement]) -> Mapped:
    """What the judgements of one delivery come to."""
    events: list[Event] = []
    deciding: dict[str, None] = {}
    ignored: dict[str, None] = {}
    for rule, _, _, verdict in judgements:
        if isinstance(verdict, Event):
            events.append(verdict)
            deciding[rule.name] = None
        elif isinstance(verdict, Ignored):
            ignored[_ignoring(rule, verdict)] = None
            deciding[rule.name] = None
    if events:
        return Mapped(_with_distinct_ids(events), ", ".join(deciding), "")
    return Mapped((), ", ".join(deciding), fit_message("; ".join(ignored)) or "no rule matched")


def json_text(value: Any) -> str:
    """A value as it is compared with the words of ``values``: text as is, else JSON."""
    return "null" if value is None else to_text(value)


def _items(for_each: Expression | None, scope: Scope) -> Iterable[tuple[int | None, Any]] | Miss:
    if for_each is None:
        return ((None, scope.root),)
    try:
        found = for_each.evaluate(scope.root, scope)
    except NotApplicable as error:
        return Miss("for_each", for_each.text, None, error.message)
    if not isinstance(found, list) or not found:
        return Miss("for_each", for_each.text, found)
    return enumerate(found[:MAX_ITEMS])


def _blocks(rules: Iterable[Rule]) -> tuple[_Block, ...]:
    grouped = groupby(rules, key=lambda rule: rule.for_each)
    return tuple((for_each, tuple(block)) for for_each, block in grouped)


def _ignoring(rule: Rule, verdict: Ignored) -> str:
    if verdict.value is None:
        return f"rule {rule.name!r} ignores it"
    return f"rule {rule.name!r}: {verdict.value[:100]!r} is ignored"


def _with_distinct_ids(events: list[Event]) -> tuple[Event, ...]:
    """Number the events that share an id, the same way each time the delivery comes."""
    if len(events) == 1:
        return (events[0],)
    uses: dict[str, int] = {}
    distinct = []
    for event in events:
        event_id = event.event_id
        while event_id is not None and event_id in uses:
            uses[event_id] += 1
            event_id = fit_identifier(f"{event_id}#{uses[event_id]}")
        if event_id is not None:
            uses[event_id] = 1
        distinct.append(event if event_id == event.event_id else replace(event, event_id=event_id))
    return tuple(distinct)


def _value(source: Value | None, subject: Any, scope: Scope) -> Any:
    """The value, null where there is none or it cannot be found out."""
    if source is None:
        return None
    try:
        return source.evaluate(subject, scope)
    except NotApplicable:
        return None


def _text(value: Any) -> str:
    try:
        return to_text(value)
    except RecursionError:
        return ""
