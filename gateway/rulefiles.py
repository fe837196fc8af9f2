"""Reads a rule file: what a provider's events mean, and all that it needs besides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from gateway.bodies import Body, read_body_format
from gateway.core.errors import MalformedPayload, SourceError, SourceErrors
from gateway.core.model import Delivery
from gateway.core.nodes import Node, NodeError, NodeErrors
from gateway.core.proofs import Scheme
from gateway.core.rule_documents import compile_rules
from gateway.core.rules import RuleSet
from gateway.core.written_rules import WrittenRules
from gateway.detection import Detect, read_detect
from gateway.documents import Document, load_document
from gateway.examples import Example, differences, read_example
from gateway.handshakes import FixedReply, Recipe, read_recipes, read_reply
from gateway.known_answers import KnownAnswer, read_known_answer
from gateway.provider import Credential, Parse
from gateway.scheme_types import read_scheme

__all__ = ["Example", "RuleFile", "check_examples", "load_rule_file"]

KEYS = (
    "provider",
    "title",
    "docs",
    "signature",
    "detect",
    "credentials",
    "body",
    "methods",
    "handshake",
    "reply",
    "redact",
    "answer_within",
    "examples",
    "known_answers",
)
"""The keys of a rule file beside ``defaults`` and ``rules``."""

_PATIENCE = timedelta(seconds=10)
_ALONE: Mapping[str, WrittenRules] = {}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One rule file.

    A provider without a plugin is described by it alone; all from ``signature`` to
    ``answer_within`` is for these. ``docs`` is the address of the platform's own pages.
    """

    provider: str
    title: str
    docs: str
    signature: Scheme | None
    detect: Detect | None
    credentials: tuple[Credential, ...]
    body: Body
    methods: tuple[str, ...]
    handshake: tuple[Recipe, ...]
    reply: FixedReply | None
    redact: tuple[str, ...]
    answer_within: timedelta
    written: WrittenRules
    examples: tuple[Example, ...]
    known_answers: tuple[KnownAnswer, ...]
    document: Document

    @property
    def given(self) -> frozenset[str]:
        """The keys that the file has."""
        return frozenset(self.document.data)

    @property
    def source(self) -> str:
        """The path of the file, or another name for where the text came from."""
        return self.document.source

    def rules(self, others: Mapping[str, WrittenRules] = _ALONE) -> RuleSet:
        """The rules, with those of other providers that it reuses. Raises `SourceErrors`."""
        try:
            return self.written.complete(others)
        except NodeErrors as several:
            raise SourceErrors([self.document.located(each) for each in several.errors]) from None


def load_rule_file(text: str, source: str) -> RuleFile:
    """Read and check a rule file; ``source`` names it in errors.

    Raises `SourceError` when the text is not YAML and `SourceErrors` with everything
    that is wrong with it.
    """
    document = load_document(text, source)
    errors: list[NodeError] = []
    root = document.node
    written = _take(root, lambda node: compile_rules(node, others=KEYS), errors)
    parts: dict[str, Node] = {}
    if isinstance(root.value, dict):
        parts = {key: root.child(key) for key in KEYS if root.value.get(key) is not None}
        if "provider" not in parts:
            errors.append(NodeError("'provider' is missing", path=()))
    provider = _take(parts.get("provider"), Node.text, errors) or ""
    body = _take(parts.get("body"), read_body_format, errors) or Body()
    found = RuleFile(
        provider=provider,
        title=_take(parts.get("title"), Node.text, errors) or provider,
        docs=_take(parts.get("docs"), _address, errors) or "",
        signature=_take(parts.get("signature"), read_scheme, errors),
        detect=_take(parts.get("detect"), read_detect, errors),
        credentials=_each(parts.get("credentials"), _credential, errors),
        body=body,
        methods=_take(parts.get("methods"), _methods, errors) or ("POST",),
        handshake=_take(parts.get("handshake"), _recipes, errors) or (),
        reply=_take(parts.get("reply"), read_reply, errors),
        redact=_each(parts.get("redact"), Node.text, errors),
        answer_within=_take(parts.get("answer_within"), Node.duration, errors) or _PATIENCE,
        written=written or WrittenRules(),
        examples=_each(
            parts.get("examples"), partial(read_example, parse=_parser(parts, body)), errors
        ),
        known_answers=_each(parts.get("known_answers"), read_known_answer, errors),
        document=document,
    )
    if errors:
        located = [document.located(error) for error in errors]
        raise SourceErrors(sorted(located, key=lambda error: (error.line, error.column)))
    return found


def check_examples(
    rule_file: RuleFile, others: Mapping[str, WrittenRules] = _ALONE
) -> list[SourceError]:
    """Run the examples; an error for each way in which one does not hold."""
    rules = rule_file.rules(others)
    return [
        rule_file.document.error(example.path, f"{example.name}: {difference}")
        for example in rule_file.examples
        for difference in differences(example, rules)
    ]


def _take(node: Node | None, read: Callable[[Node], T], errors: list[NodeError]) -> T | None:
    """What ``read`` makes of ``node``, or None if there is none or it is wrong."""
    try:
        return None if node is None else read(node)
    except NodeErrors as several:
        errors += several.errors
    except NodeError as error:
        errors.append(error)
    return None


def _each(node: Node | None, read: Callable[[Node], T], errors: list[NodeError]) -> tuple[T, ...]:
    pieces = _take(node, lambda node: list(node.items()), errors) or ()
    found = [_take(piece, read, errors) for piece in pieces]
    return tuple(piece for piece in found if piece is not None)


def _parser(parts: dict[str, Node], body: Body) -> Parse:
    """What reads the examples; a plugin may read what the file alone cannot."""
    return body if "signature" in parts else lambda delivery: _readable(body, delivery)


def _readable(body: Body, delivery: Delivery) -> Any:
    try:
        return body(delivery)
    except MalformedPayload:
        return None


def _methods(node: Node) -> tuple[str, ...]:
    return tuple(piece.choice(("POST", "GET", "PUT")) for piece in node.one_or_more())


def _recipes(node: Node) -> tuple[Recipe, ...]:
    return read_recipes(node, read_scheme)


def _address(node: Node) -> str:
    address = node.text()
    if not address.startswith(("https://", "http://")):
        node.fail(f"{address!r} is not the address of a web page")
    return address


def _credential(node: Node) -> Credential:
    parts = node.mapping(("name", "label", "help", "required"), required=("name",))
    name = parts["name"].text()
    return Credential(
        name=name,
        label=parts["label"].text() if "label" in parts else name.replace("_", " ").capitalize(),
        help=parts["help"].text() if "help" in parts else "",
        required="required" in parts and parts["required"].boolean(),
    )
