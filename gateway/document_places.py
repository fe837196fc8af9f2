"""Where the pieces of a YAML text are, down to a character within a scalar."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

_COMMENT = re.compile(r"[ \t]+#")
_UNPAIRED = re.compile(r"['\"`]")
# What the reader of YAML turns into one character: an escape or a folded line break.
_FOLD = r"[ \t]*\r?\n[ \t]*"
_UNITS = {
    "": re.compile(rf"{_FOLD}|."),
    "'": re.compile(rf"''|{_FOLD}|."),
    '"': re.compile(rf"\\(?:x..|u.{{4}}|U.{{8}}|.)|{_FOLD}|."),
}
_INDENT = re.compile(r"\n( *)(?=[^ \r\n])")


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one piece: ``start`` and ``end`` count characters, the rest from 1.

    ``style`` is the quote or block indicator of a scalar, empty for a plain one, and None
    for what is no scalar. ``key`` is where the key of the piece is, or the piece itself.
    """

    start: int
    end: int
    line: int
    column: int
    style: str | None
    key: tuple[int, int]

    @classmethod
    def of(cls, event: Any, key: tuple[int, int] | None = None) -> "Place":
        """The place of a parser event, whose key is at ``key``."""
        first, last = event.start_mark, event.end_mark
        line, column = first.line + 1, first.column + 1
        style = (event.style or "") if isinstance(event, yaml.ScalarEvent) else None
        return cls(first.index, last.index, line, column, style, key or (line, column))

    def locate(self, text: str, offset: int) -> tuple[int, int]:
        """Line and column of a character of the piece's value, exact but for odd folding."""
        if offset <= 0 or self.style is None:
            return self.line, self.column
        raw = text[self.start : self.end]
        index = self._raw_index(raw, offset)
        newline = raw.rfind("\n", 0, index)
        if newline < 0:
            return self.line, self.column + index
        return self.line + raw.count("\n", 0, index), index - newline

    def is_cut_by_comment(self, text: str) -> bool:
        """Whether a plain scalar lost its closing quote to a comment."""
        if self.style != "" or not _COMMENT.match(text, self.end):
            return False
        marks = _UNPAIRED.findall(text[self.start : self.end])
        return any(marks.count(mark) % 2 for mark in marks)

    def _raw_index(self, raw: str, offset: int) -> int:
        index, unit = 1, _UNITS.get(self.style or "")
        if unit is None:
            found = _INDENT.search(raw)
            unit = re.compile(rf"\r?\n {{0,{len(found[1]) if found else 0}}}|.")
            header = unit.match(raw, raw.find("\n"))
            index = header.end() if header else 0
        elif self.style == "":
            index = 0
        for _ in range(offset):
            match = unit.match(raw, index)
            if match is None:
                break
            index = match.end()
        return min(index, len(raw) - 1)
