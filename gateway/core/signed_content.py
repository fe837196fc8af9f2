"""What a signature covers: templates such as ``v0:{timestamp}:{body}``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.compact_json import compact
from gateway.core.errors import DefinitionError
from gateway.core.model import Delivery

_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_TOKEN = re.compile(r"(body|timestamp|header|query)(?:\.([^|\s]+))?(?:\|(lower|json))?")
_KNOWN = "use {body}, {body|json}, {timestamp}, {header.NAME} or {query.NAME}, the last two |lower"


@dataclass(frozen=True, slots=True)
class Segments:
    """Pieces of signed content; a piece whose header or parameter is absent is left out."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A placeholder: ``kind`` is body, timestamp, header or query."""

    kind: str
    name: str = ""
    filter: str = ""

    def value(self, delivery: Delivery, timestamp: str) -> bytes | None:
        """What stands here for a delivery, or None if the delivery does not have it."""
        if self.kind == "body":
            return compact(delivery.body) if self.filter else delivery.body
        if self.kind == "timestamp":
            return timestamp.encode()
        text = self._found(delivery)
        if text is None:
            return None
        text = text.lower() if self.filter else text
        # Servers decode header bytes as latin-1 and query bytes as UTF-8.
        encoding = "latin-1" if self.kind == "header" else "utf-8"
        return text.encode(encoding, "replace")

    def is_absent(self, delivery: Delivery) -> bool:
        """Whether this is a header or parameter that the delivery does not have."""
        return self.kind in {"header", "query"} and self._found(delivery) is None

    def _found(self, delivery: Delivery) -> str | None:
        found = delivery.headers if self.kind == "header" else delivery.query
        return found.get(self.name)


@dataclass(frozen=True, slots=True)
class Content:
    """Literal bytes and tokens, in order."""

    parts: tuple[bytes | Token, ...]

    def tokens(self) -> Iterator[Token]:
        """The placeholders, in order."""
        return (part for part in self.parts if isinstance(part, Token))

    def required(self) -> Iterator[Token]:
        """The placeholders without which there is nothing to sign."""
        return self.tokens()

    def render(self, delivery: Delivery, timestamp: str) -> bytes | None:
        """The signed bytes, or None if the delivery lacks a part of them."""
        values = []
        for part in self.parts:
            value = part if isinstance(part, bytes) else part.value(delivery, timestamp)
            if value is None:
                return None
            values.append(value)
        return values[0] if len(values) == 1 else b"".join(values)


@dataclass(frozen=True, slots=True)
class SegmentedContent:
    """Contents in a row, of which those that lack a part are left out."""

    segments: tuple[Content, ...]

    def tokens(self) -> Iterator[Token]:
        """The placeholders of all segments, in order."""
        return (token for segment in self.segments for token in segment.tokens())

    def required(self) -> Iterator[Token]:
        """No placeholder is required; what is absent is left out."""
        return iter(())

    def render(self, delivery: Delivery, timestamp: str) -> bytes | None:
        """The signed bytes, or None if every segment is left out."""
        rendered = (segment.render(delivery, timestamp) for segment in self.segments)
        # Nothing at all is not signed content: its signature would fit any delivery.
        return b"".join(part for part in rendered if part is not None) or None


Compiled = Content | SegmentedContent


def compile_content(signed: str | Segments) -> Compiled:
    """Read one alternative of what is signed. Raises `DefinitionError`."""
    if isinstance(signed, Segments):
        if not signed.parts:
            raise DefinitionError("there is no segment", field="signed")
        return SegmentedContent(tuple(_compile_text(part) for part in signed.parts))
    return _compile_text(signed)


def _compile_text(text: str) -> Content:
    parts: list[bytes | Token] = []
    end = 0
    for match in _BRACES.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()].encode())
        parts.append(_token(match))
        end = match.end()
    if text[end:]:
        parts.append(text[end:].encode())
    if not any(isinstance(part, Token) for part in parts):
        raise DefinitionError(f"{text!r} has no placeholder", field="signed", hint=_KNOWN)
    return Content(tuple(parts))


def _token(match: re.Match[str]) -> Token:
    found = _TOKEN.fullmatch(match[1] or "")
    if found is None or not _sensible(kind=found[1], name=found[2], chosen=found[3]):
        raise DefinitionError(
            f"unknown placeholder {match[0]!r}", field="signed", offset=match.start(), hint=_KNOWN
        )
    kind, name, chosen = found[1], found[2] or "", found[3] or ""
    return Token(kind, name.lower() if kind == "header" else name, chosen)


def _sensible(*, kind: str, name: str | None, chosen: str | None) -> bool:
    if kind in {"header", "query"}:
        return name is not None and chosen != "json"
    return name is None and chosen in ({None, "json"} if kind == "body" else {None})
