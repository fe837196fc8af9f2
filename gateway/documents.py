"""Reads YAML that people write, so that every error can name its line and column.

Plain words mean what they would mean in JSON, as in
https://yaml.org/spec/1.2.2/#102-json-schema: ``on``, ``yes``, ``0551``, ``12:30:45`` and
dates are text. What makes YAML dangerous or surprising is refused: aliases, tags, keys
given twice, keys that are not text, deep nesting.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.core.errors import SourceError, SourceErrors
from gateway.core.nodes import Node, NodeError, Path
from gateway.document_places import Place

MAX_SIZE = 256 * 1024
MAX_DEPTH = 50
MAX_ERRORS = 50

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
# Only what JSON calls a number: 0551 and +5511 are codes and telephone numbers.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a YAML text that came from ``source``, with the place of every piece."""

    source: str
    data: Any
    text: str = field(default="", repr=False)
    places: Mapping[Path, Place] = field(default_factory=dict, repr=False)

    @property
    def node(self) -> Node:
        """The data, to be read piece by piece."""
        return Node(self.data)

    def error(
        self, path: Path, message: str, hint: str = "", offset: int = 0, *, at_key: bool = False
    ) -> SourceError:
        """An error about the piece at ``path``, ``offset`` characters into its text.

        ``at_key`` points to the last key of the path and not to its value. What is not in
        the text is reported at the nearest piece around it.
        """
        while path and path not in self.places:
            path, offset, at_key = path[:-1], 0, False
        place = self.places.get(path)
        if place is None:
            return SourceError(message, source=self.source, hint=hint)
        line, column = place.key if at_key else place.locate(self.text, offset)
        if place.is_cut_by_comment(self.text):
            hint = "' #' begins a comment here: put the value in quotes"
        return SourceError(message, source=self.source, line=line, column=column, hint=hint)

    def located(self, error: NodeError) -> SourceError:
        """``error`` with its place."""
        return self.error(error.path, error.message, error.hint, error.offset, at_key=error.at_key)


def load_document(text: str, source: str) -> Document:
    """Read one YAML document; an empty text has the data None.

    Raises `SourceError` when the text is not YAML and `SourceErrors` when it is, but uses
    what is refused here.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_SIZE:
        raise SourceError(
            f"the text has {len(text)} characters, more than {MAX_SIZE}", source=source
        )
    reader = _Reader(source)
    try:
        # Not composed: deep nesting crashes libyaml's composer, and events can be bounded.
        data = reader.document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, text, source) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise SourceError("the text holds characters that YAML forbids", source=source) from None
    if reader.errors:
        raise SourceErrors(reader.errors)
    return Document(source, data, text, reader.places)


class _Reader:
    """Builds the data from the events of the parser, and notes places and errors."""

    def __init__(self, source: str) -> None:
        self.places: dict[Path, Place] = {}
        self.errors: list[SourceError] = []
        self._source = source

    def document(self, events: Iterator[Any]) -> Any:
        """The data of the only document that ``events`` may hold."""
        data = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and self.places:
                self._complain(event, "the text holds several documents", "remove the line '---'")
            if isinstance(event, yaml.NodeEvent):
                data = self._piece(event, events, ())
        return data

    def _piece(
        self, event: Any, events: Iterator[Any], path: Path, key: tuple[int, int] | None = None
    ) -> Any:
        self._check_depth(len(path), event)
        self.places[path] = Place.of(event, key)
        if event.anchor is not None:  # aliases have it too
            self._complain(event, "anchors and aliases are not allowed", "write the value out")
        elif getattr(event, "tag", None) is not None:
            self._complain(event, f"the tag {event.tag} is not allowed")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return _scalar(event) if isinstance(event, yaml.ScalarEvent) else None

    def _sequence(self, events: Iterator[Any], path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._piece(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, events)
            if key in pairs:
                self._complain(event, f"the key {key!r} is given twice")
            mark = event.start_mark
            place = (mark.line + 1, mark.column + 1)
            pairs[key] = self._piece(next(events), events, (*path, key), place)
        return pairs

    def _key(self, event: Any, events: Iterator[Any]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._complain(event, "a key must be text", 'put a template in quotes: "{{ ... }}"')
            self._skip(event, events)
            return ""
        key = _scalar(event)
        if not isinstance(key, str):
            self._complain(event, f"the key {event.value} is not text", "put it in quotes")
        if event.anchor is not None or event.tag is not None:
            self._complain(event, "anchors and tags are not allowed")
        return str(event.value)

    def _skip(self, event: Any, events: Iterator[Any]) -> None:
        """Pass over the rest of the piece that begins with ``event``."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            self._check_depth(depth, event)
            event = next(events)

    def _check_depth(self, depth: int, event: Any) -> None:
        # Raised at once: our recursion is not safe any deeper, and libyaml takes minutes.
        if depth > MAX_DEPTH:
            raise self._complain(event, f"more than {MAX_DEPTH} levels of nesting")

    def _complain(self, event: Any, message: str, hint: str = "") -> SourceError:
        mark = event.start_mark
        error = SourceError(
            message, source=self._source, line=mark.line + 1, column=mark.column + 1, hint=hint
        )
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)
        return error


def _scalar(event: Any) -> Any:
    text = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if number[1] or number[2] else int(text)


def _unreadable(error: yaml.MarkedYAMLError, text: str, source: str) -> SourceError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    # The parser often notices on the line after the one that is wrong.
    near = "".join(lines[max(line - 1, 0) : line + 1])
    problem = error.problem or "this is not YAML"
    hint = ""
    if "\t" in near:
        hint = "indent with spaces, not with tabs"
    elif "{{" in near or "mapping values" in problem or "cannot start" in problem:
        hint = "put the value in quotes"
    return SourceError(problem, source=source, line=line + 1, column=column + 1, hint=hint)
