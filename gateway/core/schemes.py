"""Reads a signature scheme from plain data: the ``signature:`` part of a rule file."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from gateway.core.encodings import ENCODINGS, SECRET_ENCODINGS
from gateway.core.errors import DefinitionError
from gateway.core.hmac_scheme import DIGEST_SIZES, UNITS, Hmac, Pairs, Timestamp
from gateway.core.nodes import Node
from gateway.core.proofs import Scheme, header_names
from gateway.core.shared_secrets import Basic, Bearer, HeaderEquals, QueryEquals
from gateway.core.signatures import AnyOf, Unsigned
from gateway.core.signed_content import Segments, compile_content

Parts = Mapping[str, Node]


def read_scheme(node: Node) -> Scheme:
    """The scheme that a mapping describes: one ``type``, or several below ``any_of``.

    Raises `NodeError` with the path of whatever is wrong.
    """
    if isinstance(node.value, dict) and "any_of" in node.value:
        alternatives = node.mapping(["any_of"], required=["any_of"])["any_of"]
        schemes = tuple(read_scheme(item) for item in alternatives.items())
        return _build(alternatives, {}, AnyOf, schemes=schemes)
    if not isinstance(node.value, dict) or node.value.get("type") is None:
        node.fail("the signature has no type", hint="known: " + ", ".join(sorted(_READERS)))
    kind = node.child("type").choice(_READERS)
    known, required, read = _READERS[kind]
    parts = node.mapping(("type", *known), required)
    return read(node, parts)


def _read_hmac(node: Node, parts: Parts) -> Scheme:
    arguments: dict[str, Any] = {"header": _headers(parts["header"])}
    for key, reader in _HMAC_READERS.items():
        if key in parts:
            arguments[key] = reader(parts[key])
    return _build(node, parts, Hmac, **arguments)


def _read_header(node: Node, parts: Parts) -> Scheme:
    return _build(node, parts, HeaderEquals, header=_headers(parts["header"]), **_credential(parts))


def _read_query(node: Node, parts: Parts) -> Scheme:
    parameter = parts["parameter"].text()
    return _build(node, parts, QueryEquals, parameter=parameter, **_credential(parts))


def _read_bearer(node: Node, parts: Parts) -> Scheme:
    return _build(node, parts, Bearer, **_credential(parts))


def _read_basic(node: Node, parts: Parts) -> Scheme:
    return _build(node, parts, Basic, **_credential(parts))


def _read_unsigned(node: Node, parts: Parts) -> Scheme:
    return _build(node, parts, Unsigned, reason=parts["reason"].text())


def _credential(parts: Parts) -> dict[str, str]:
    return {"credential": parts["credential"].text()} if "credential" in parts else {}


def _headers(node: Node) -> tuple[str, ...]:
    pieces = node.one_or_more()
    for piece in pieces:
        _at(piece, header_names, piece.text())
    return tuple(piece.text() for piece in pieces)


def _signed(node: Node) -> tuple[str | Segments, ...]:
    return tuple(_content(piece) for piece in node.one_or_more())


def _content(node: Node) -> str | Segments:
    if not isinstance(node.value, dict):
        _at(node, compile_content, node.text())
        return node.text()
    segments = list(node.mapping(["segments"], required=["segments"])["segments"].items())
    for segment in segments:
        _at(segment, compile_content, segment.text())
    content = Segments(tuple(segment.text() for segment in segments))
    _at(node, compile_content, content)
    return content


def _pairs(node: Node) -> Pairs:
    parts = node.mapping(["separator", "pair", "signature", "timestamp"], required=["signature"])
    return Pairs(**{key: _literal(part) for key, part in parts.items()})


def _timestamp(node: Node) -> Timestamp:
    parts = node.mapping(["header", "unit"], required=["header"])
    unit = parts["unit"].choice(UNITS) if "unit" in parts else "auto"
    return Timestamp(_headers(parts["header"]), unit)


def _tolerance(node: Node) -> int:
    return int(node.duration().total_seconds())


def _literal(node: Node) -> str:
    """Text that may be a single space, as in headers with parts between spaces."""
    return " " if node.value == " " else node.text()


_HMAC_READERS: Mapping[str, Callable[[Node], Any]] = {
    "algorithm": lambda node: node.choice(DIGEST_SIZES),
    "encoding": lambda node: node.choice(ENCODINGS),
    "prefix": Node.text,
    "prefix_optional": Node.boolean,
    "list": _pairs,
    "timestamp": _timestamp,
    "tolerance": _tolerance,
    "signed": _signed,
    "secret_encoding": lambda node: node.choice(SECRET_ENCODINGS),
    "secret_prefix": Node.text,
    "credential": Node.text,
}

_Reader = Callable[[Node, Parts], Scheme]

_READERS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], _Reader]] = {
    "hmac": (("header", *_HMAC_READERS), ("header",), _read_hmac),
    "header_equals": (("header", "credential"), ("header",), _read_header),
    "bearer": (("credential",), (), _read_bearer),
    "basic": (("credential",), (), _read_basic),
    "query_equals": (("parameter", "credential"), ("parameter",), _read_query),
    "unsigned": (("reason",), ("reason",), _read_unsigned),
}
"""Of each type: the keys it knows, those it needs, and what reads them."""


def _build(node: Node, parts: Parts, scheme: Callable[..., Scheme], **arguments: Any) -> Scheme:
    try:
        return scheme(**arguments)
    except DefinitionError as error:
        _fail(parts.get(error.field, node), error)


def _at(node: Node, check: Callable[..., object], value: object) -> None:
    try:
        check(value)
    except DefinitionError as error:
        _fail(node, error)


def _fail(node: Node, error: DefinitionError) -> NoReturn:
    node.fail(error.message, hint=error.hint, offset=error.offset)
