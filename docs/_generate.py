"""Rewrites the generated blocks of the pages: ``make docs``. With ``--check`` it only compares.

A block stands between ``<!-- begin generated: NAME -->`` and ``<!-- end generated -->``.
``_blocks.py`` knows what each NAME holds. A NAME that begins with ``taco`` is a command, and
the block shows what it prints; the fenced blocks of the page that name a file, as in
```` ```yaml rules/acme.yaml ````, are there as files while it runs.
"""  # noqa: INP001 - a folder of pages, not a package

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(
    r"(<!-- begin generated: (.+?) -->\n).*?(<!-- end generated -->)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: its language, what stands behind the language, its text and place."""

    language: str
    label: str
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the documentation; ``name`` is its path below the root."""

    name: str
    text: str

    @property
    def fences(self) -> Iterator[Fence]:
        """The fenced blocks, in order."""
        for match in _FENCE.finditer(self.text):
            line = self.text.count("\n", 0, match.start()) + 1
            yield Fence(match[1], match[2].strip(), match[3], f"{self.name}:{line}")

    @property
    def files(self) -> dict[str, str]:
        """The fenced blocks that name a file, by its path."""
        return {fence.label: fence.text for fence in self.fences if "." in fence.label}

    def link(self, target: str) -> str:
        """The path from this page to a file below the root."""
        return os.path.relpath(target, Path(self.name).parent)

    def current(self) -> str:
        """The text with all generated blocks as they should be."""
        from docs import _blocks  # noqa: PLC0415 - it needs what is defined here

        return _BLOCK.sub(
            lambda match: f"{match[1]}{_blocks.render(match[2], self)}\n{match[3]}", self.text
        )


def pages() -> list[Page]:
    """Every page: those of ``docs/`` and those that stand beside it."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in found]


def main() -> None:
    """Rewrite the pages, or with ``--check`` fail if one of them is stale."""
    stale = [page for page in pages() if page.current() != page.text]
    if "--check" in sys.argv[1:]:
        for page in stale:
            click.echo(f"{page.name} is stale: run 'make docs'", err=True)
        raise SystemExit(bool(stale))
    for page in stale:
        (ROOT / page.name).write_text(page.current(), "utf-8")
        click.echo(f"{page.name} rewritten")


if __name__ == "__main__":
    main()
