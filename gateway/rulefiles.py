"""Reads a rule file: what a provider's events mean, and all that it needs besides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.core.errors import SourceError, SourceErrors
from gateway.core.nodes import Node, NodeError, NodeErrors
from gateway.core.proofs import Scheme
from gateway.core.rule_documents import compile_rules
from gateway.core.rules import RuleSet
from gateway.core.schemes import read_scheme
from gateway.detection import Detect, read_detect
from gateway.documents import Document, load_document
from gateway.examples import Example, differences, read_example
from gateway.provider import Credential

__all__ = ["Example", "RuleFile", "check_examples", "load_rule_file"]

KEYS = ("provider", "title", "docs", "signature", "detect", "credentials", "examples")
"""The keys of a rule file beside ``defaults`` and ``rules``."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One rule file.

    A provider without a plugin is described by it alone; ``signature``, ``detect`` and
    ``credentials`` are for these. ``docs`` is the address of the platform's own pages.
    """

    provider: str
    title: str
    docs: str
    signature: Scheme | None
    detect: Detect | None
    credentials: tuple[Credential, ...]
    rules: RuleSet
    examples: tuple[Example, ...]
    document: Document

    @property
    def source(self) -> str:
        """The path of the file, or another name for where the text came from."""
        return self.document.source


def load_rule_file(text: str, source: str) -> RuleFile:
    """Read and check a rule file; ``source`` names it in errors.

    Raises `SourceError` when the text is not YAML and `SourceErrors` with everything
    that is wrong with it.
    """
    document = load_document(text, source)
    errors: list[NodeError] = []
    root = document.node
    rules = _take(root, lambda node: compile_rules(node, others=KEYS), errors)
    parts: dict[str, Node] = {}
    if isinstance(root.value, dict):
        parts = {key: root.child(key) for key in KEYS if root.value.get(key) is not None}
        if "provider" not in parts:
            errors.append(NodeError("'provider' is missing", path=()))
    provider = _take(parts.get("provider"), Node.text, errors) or ""
    found = RuleFile(
        provider=provider,
        title=_take(parts.get("title"), Node.text, errors) or provider,
        docs=_take(parts.get("docs"), _address, errors) or "",
        signature=_take(parts.get("signature"), read_scheme, errors),
        detect=_take(parts.get("detect"), read_detect, errors),
        credentials=_each(parts.get("credentials"), _credential, errors),
        rules=rules or RuleSet(()),
        examples=_each(parts.get("examples"), read_example, errors),
        document=document,
    )
    if errors:
        located = [document.located(error) for error in errors]
        raise SourceErrors(sorted(located, key=lambda error: (error.line, error.column)))
    return found


def check_examples(rule_file: RuleFile) -> list[SourceError]:
    """Run the examples; an error for each way in which one does not hold."""
    return [
        rule_file.document.error(example.path, f"{example.name}: {difference}")
        for example in rule_file.examples
        for difference in differences(example, rule_file.rules)
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
