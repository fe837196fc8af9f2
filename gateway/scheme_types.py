"""Every type of signature scheme that a rule file can name: those of the core, and more."""

from collections.abc import Mapping
from typing import Any

from gateway.asymmetric import Ed25519
from gateway.core import schemes
from gateway.core.encodings import ENCODINGS
from gateway.core.nodes import Node
from gateway.core.proofs import Scheme
from gateway.core.schemes import (
    PLACE_READERS,
    Parts,
    Readers,
    SchemeType,
    SchemeTypes,
    build,
    read_parts,
)
from gateway.token_claims import ClaimValue, FromCredential
from gateway.tokens import KEY_SET, SHARED_KEY, Jwt


def read_scheme(node: Node) -> Scheme:
    """The scheme that a mapping describes; raises `NodeError`, see `schemes.read_scheme`."""
    return schemes.read_scheme(node, _TYPES)


def _read_ed25519(node: Node, parts: Parts) -> Scheme:
    return build(node, parts, Ed25519, **read_parts(parts, _ED25519_READERS))


def _read_jwt(node: Node, parts: Parts) -> Scheme:
    return build(node, parts, Jwt, **read_parts(parts, _JWT_READERS))


def _algorithms(node: Node) -> tuple[str, ...]:
    return tuple(piece.choice(SHARED_KEY + KEY_SET) for piece in node.one_or_more())


def _claims(node: Node) -> Mapping[str, ClaimValue]:
    return {name: _claim(piece) for name, piece in node.entries()}


def _claim(node: Node) -> ClaimValue:
    if isinstance(node.value, bool):
        return node.boolean()
    if not isinstance(node.value, dict):
        return tuple(piece.text() for piece in node.one_or_more())
    parts = node.mapping(("credential", "form"), required=("credential",))
    arguments: dict[str, Any] = {"credential": parts["credential"].text()}
    if "form" in parts:
        arguments["forms"] = tuple(piece.text() for piece in parts["form"].one_or_more())
    value: ClaimValue = build(node, parts, FromCredential, **arguments)
    return value


_ED25519_READERS: Readers = {
    **PLACE_READERS,
    "key_encoding": lambda node: node.choice(ENCODINGS),
    "key_prefix": Node.text,
    "private_prefix": Node.text,
    "credential": Node.text,
}

_JWT_READERS: Readers = {
    "header": schemes.read_headers,
    "algorithms": _algorithms,
    "jwks_url": Node.text,
    "issuer": _claim,
    "audience": Node.text,
    "claims": _claims,
    "body_sha256_claim": Node.text,
    "credential": Node.text,
}

_TYPES: SchemeTypes = {
    "ed25519": SchemeType(tuple(_ED25519_READERS), ("header",), _read_ed25519),
    "jwt": SchemeType(tuple(_JWT_READERS), ("algorithms",), _read_jwt),
}
