"""Challenges that a platform sends to see whether the address is ours, written as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core import signatures
from gateway.core.errors import MalformedPayload, NotApplicable
from gateway.core.expressions import (
    Expression,
    Scope,
    Template,
    compile_expression,
    compile_template,
)
from gateway.core.model import Delivery, Outcome
from gateway.core.nodes import Node
from gateway.core.rule_documents import compiled
from gateway.core.signatures import Credentials, Scheme
from gateway.provider import Reply

METHODS = ("POST", "GET", "OPTIONS", "PUT")
_TEXT = "text/plain; charset=utf-8"
_STATUSES = range(200, 300)

_EMPTY = compile_template("")

ReadScheme = Callable[[Node], Scheme]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One challenge and its answer.

    ``signed`` asks for the provider's own signature first. ``proof`` is another scheme
    that must hold where its credential is configured.
    """

    method: str
    when: Expression | None
    signed: bool
    proof: Scheme | None
    status: int
    body: Template
    content_type: str
    headers: Mapping[str, Template]

    def applies(self, payload: Any, delivery: Delivery) -> bool:
        """Whether the delivery is this challenge."""
        if delivery.method != self.method:
            return False
        if self.when is None:
            return True
        try:
            return self.when.evaluate(payload, _scope(payload, delivery)) is True
        except NotApplicable:
            return False

    def answer(self, payload: Any, delivery: Delivery) -> Reply:
        """The answer that the sender waits for."""
        scope = _scope(payload, delivery)
        return Reply(
            status=self.status,
            body=self.body.render(payload, scope).encode(),
            content_type=self.content_type,
            headers={
                name: _one_line(value.render(payload, scope))
                for name, value in self.headers.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Handshakes:
    """The challenges of one provider; called with a delivery it answers, or gives None."""

    recipes: tuple[Recipe, ...]
    signature: Scheme
    parse: Callable[[Delivery], Any]

    def __call__(self, delivery: Delivery, credentials: Credentials) -> Reply | None:
        """The answer to a challenge. Raises a `SignatureError` for one that is not proven."""
        if all(recipe.method != delivery.method for recipe in self.recipes):
            return None
        try:
            payload = self.parse(delivery) if delivery.body else {}
        except MalformedPayload:
            return None
        recipe = next((each for each in self.recipes if each.applies(payload, delivery)), None)
        if recipe is None:
            return None
        if recipe.signed:
            signatures.verify(self.signature, delivery, credentials, delivery.received_at)
        if recipe.proof is not None:
            known = {name: credentials.get(name, ()) for name in recipe.proof.credential_names}
            signatures.verify(recipe.proof, delivery, known, delivery.received_at)
        return recipe.answer(payload, delivery)


@dataclass(frozen=True, slots=True)
class FixedReply:
    """The same answer to every stored delivery."""

    reply: Reply

    def __call__(self, _outcome: Outcome) -> Reply:
        """The answer."""
        return self.reply


def read_recipes(node: Node, read_scheme: ReadScheme) -> tuple[Recipe, ...]:
    """Read ``handshake:`` of a rule file; raises `NodeError`."""
    return tuple(_read_recipe(piece, read_scheme) for piece in node.one_or_more())


def read_reply(node: Node) -> FixedReply:
    """Read ``reply:`` of a rule file; raises `NodeError`."""
    parts = node.mapping(("status", "body", "content_type"))
    return FixedReply(
        Reply(
            status=_status(parts.get("status")),
            body=parts["body"].text().encode() if "body" in parts else b"",
            content_type=parts["content_type"].text() if "content_type" in parts else _TEXT,
        )
    )


def _read_recipe(node: Node, read_scheme: ReadScheme) -> Recipe:
    parts = node.mapping(("method", "when", "signed", "proof", "reply"), required=("reply",))
    reply = parts["reply"].mapping(("status", "body", "content_type", "headers"))
    return Recipe(
        method=parts["method"].choice(METHODS) if "method" in parts else "POST",
        when=compiled(parts["when"], compile_expression) if "when" in parts else None,
        signed="signed" in parts and parts["signed"].boolean(),
        proof=read_scheme(parts["proof"]) if "proof" in parts else None,
        status=_status(reply.get("status")),
        body=compiled(reply["body"], compile_template) if "body" in reply else _EMPTY,
        content_type=reply["content_type"].text() if "content_type" in reply else _TEXT,
        headers={
            name: compiled(piece, compile_template) for name, piece in reply["headers"].entries()
        }
        if "headers" in reply
        else {},
    )


def _status(node: Node | None) -> int:
    if node is None:
        return 200
    if not isinstance(node.value, int) or node.value not in _STATUSES:
        node.fail("expected an HTTP status from 200 to 299")
    return node.value


def _scope(payload: Any, delivery: Delivery) -> Scope:
    return Scope(payload, delivery.headers, delivery.query)


def _one_line(text: str) -> str:
    """A header must not end early, whatever the sender asked for."""
    return "".join(letter for letter in text if letter.isprintable())
