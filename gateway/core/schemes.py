"""Reads a signature scheme from plain data: the ``signature:`` part of a rule file."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

from gateway.core.encodings import ENCODINGS, SECRET_ENCODINGS
from gateway.core.errors import DefinitionError
from gateway.core.hmac_scheme import DIGEST_SIZES, Hmac
from gateway.core.nodes import Node
from gateway.core.proofs import Scheme, header_names
from gateway.core.shared_secrets import Basic, Bearer, HeaderEquals, QueryEquals
from gateway.core.signatures import AnyOf, Unsigned
from gateway.core.signed_content import Segments, compile_content
from gateway.core.signed_headers import UNITS, Pairs, Timestamp

Parts = Mapping[str, Node]
Readers = Mapping[str, Callable[[Node], Any]]

T = TypeVar("T")


class SchemeType(NamedTuple):
    """What stands for one ``type``: the keys it knows, those it needs, and what reads them."""

    known: tuple[str, ...]
    required: tuple[str, ...]
    read: Callable[[Node, Parts], Scheme]


SchemeTypes = Mapping[str, SchemeType]

_NO_OTHERS: SchemeTypes = {}


def read_scheme(node: Node, others: SchemeTypes = _NO_OTHERS) -> Scheme:
    """The scheme that a mapping describes: one ``type``, or several below ``any_of``.

    ``others`` are types beside those of the core. Raises `NodeError` with the path of
    whatever is wrong.
    """
    types = {**_TYPES, **others}
    if isinstance(node.value, dict) and "any_of" in node.value:
        alternatives = node.mapping(["any_of"], required=["any_of"])["any_of"]
        schemes = tuple(read_scheme(item, others) for item in alternatives.items())
        return build(alternatives, {}, AnyOf, schemes=schemes)
    if not isinstance(node.value, dict) or node.value.get("type") is None:
        node.fail("the signature has no type", hint="known: " + ", ".join(sorted(types)))
    known, required, read = types[node.child("type").choice(types)]
    parts = node.mapping(("type", *known), required)
    return read(node, parts)


def _read_hmac(node: Node, parts: Parts) -> Scheme:
    return build(node, parts, Hmac, **read_parts(parts, _HMAC_READERS))


def _read_header(node: Node, parts: Parts) -> Scheme:
    return build(
        node, parts, HeaderEquals, header=read_headers(parts["header"]), **_credential(parts)
    )


def _read_query(node: Node, parts: Parts) -> Scheme:
    parameter = parts["parameter"].text()
    return build(node, parts, QueryEquals, parameter=parameter, **_credential(parts))


def _read_bearer(node: Node, parts: Parts) -> Scheme:
    return build(node, parts, Bearer, **_credential(parts))


def _read_basic(node: Node, parts: Parts) -> Scheme:
    return build(node, parts, Basic, **_credential(parts))


def _read_unsigned(node: Node, parts: Parts) -> Scheme:
    return build(node, parts, Unsigned, reason=parts["reason"].text())


def _credential(parts: Parts) -> dict[str, str]:
    return {"credential": parts["credential"].text()} if "credential" in parts else {}


def read_parts(parts: Parts, readers: Readers) -> dict[str, Any]:
    """What the readers make of the parts that are there; raises `NodeError`."""
    return {key: read(parts[key]) for key, read in readers.items() if key in parts}


def read_headers(node: Node) -> tuple[str, ...]:
    """One or more names of headers; raises `NodeError`."""
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
    return Timestamp(read_headers(parts["header"]), unit)


def _tolerance(node: Node) -> int:
    return int(node.duration().total_seconds())


def _literal(node: Node) -> str:
    """Text that may be a single space, as in headers with parts between spaces."""
    return " " if node.value == " " else node.text()


PLACE_READERS: Readers = {
    "header": read_headers,
    "encoding": lambda node: node.choice(ENCODINGS),
    "prefix": Node.text,
    "prefix_optional": Node.boolean,
    "list": _pairs,
    "timestamp": _timestamp,
    "tolerance": _tolerance,
    "signed": _signed,
}
"""What reads the keys that say where a signature stands, and what it covers."""

_HMAC_READERS: Readers = {
    **PLACE_READERS,
    "algorithm": lambda node: node.choice(DIGEST_SIZES),
    "secret_encoding": lambda node: node.choice(SECRET_ENCODINGS),
    "secret_prefix": Node.text,
    "credential": Node.text,
}

_TYPES: SchemeTypes = {
    "hmac": SchemeType(tuple(_HMAC_READERS), ("header",), _read_hmac),
    "header_equals": SchemeType(("header", "credential"), ("header",), _read_header),
    "bearer": SchemeType(("credential",), (), _read_bearer),
    "basic": SchemeType(("credential",), (), _read_basic),
    "query_equals": SchemeType(("parameter", "credential"), ("parameter",), _read_query),
    "unsigned": SchemeType(("reason",), ("reason",), _read_unsigned),
}


def build(node: Node, parts: Parts, make: Callable[..., T], **arguments: Any) -> T:
    """What ``make`` gives; its `DefinitionError` becomes a `NodeError` at the part at fault."""
    try:
        return make(**arguments)
    except DefinitionError as error:
        _fail(parts.get(error.field, node), error)


def _at(node: Node, check: Callable[..., object], value: object) -> None:
    try:
        check(value)
    except DefinitionError as error:
        _fail(node, error)


def _fail(node: Node, error: DefinitionError) -> NoReturn:
    node.fail(error.message, hint=error.hint, offset=error.offset)
