"""Texts of alerts that an operator writes instead of ours: one YAML file a language.

The templates are those of rules, ``{{ expression }}``, over what a webhook gets as its data
and the built-in ``title`` and ``text``. They are checked when they are loaded; one that
gives nothing at run time is passed over, so that no alert is lost for a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.alerts.texts import KINDS, LANGUAGES
from gateway.core.errors import ExpressionError, SourceError, SourceErrors
from gateway.core.expressions import Scope, Template, compile_template
from gateway.core.nodes import Node, NodeError
from gateway.documents import load_document

EVERY = "every"
"""The key of texts for all kinds of alert that have none of their own."""

PARTS = ("title", "text")


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates by language, kind of alert and part."""

    by_place: Mapping[tuple[str, str, str], Template] = field(default_factory=dict)

    def render(self, language: str, kind: str, part: str, data: Mapping[str, Any]) -> str | None:
        """The text, or None where the built-in one is to be taken."""
        places = ((language, kind, part), (language, EVERY, part))
        template = next((self.by_place[place] for place in places if place in self.by_place), None)
        if template is None:
            return None
        return template.render(data, Scope(data, {}, {})).strip() or None


def load_templates(folder: Path | None) -> Templates:
    """The templates in a folder: ``pt-BR.yaml`` and ``en.yaml``, or one of them.

    Raises `SourceErrors` with everything that is wrong in them.
    """
    found: dict[tuple[str, str, str], Template] = {}
    errors: list[SourceError] = []
    files = sorted(folder.glob("*.y*ml")) if folder is not None else []
    if folder is not None and not files:
        names = " or ".join(f"{language}.yaml" for language in LANGUAGES)
        errors.append(SourceError(f"there is no {names} in it", source=str(folder)))
    for path in files:
        _read(path, found, errors)
    if errors:
        raise SourceErrors(errors)
    return Templates(found)


def _read(
    path: Path, found: dict[tuple[str, str, str], Template], errors: list[SourceError]
) -> None:
    if path.stem not in LANGUAGES:
        hint = f"the languages are {', '.join(LANGUAGES)}"
        errors.append(SourceError("it is not named for a language", source=str(path), hint=hint))
        return
    try:
        document = load_document(path.read_text("utf-8"), str(path))
    except SourceErrors as several:
        errors += several.errors
    except SourceError as error:
        errors.append(error)
    except (OSError, UnicodeDecodeError) as error:
        errors.append(SourceError(f"cannot be read: {error}", source=str(path)))
    else:
        try:
            for (kind, part), template in _templates(document.node):
                found[path.stem, kind, part] = template
        except NodeError as error:
            errors.append(document.located(error))


def _templates(root: Node) -> list[tuple[tuple[str, str], Template]]:
    return [
        ((kind, part), _template(text))
        for kind, node in root.mapping((*KINDS, EVERY)).items()
        for part, text in node.mapping(PARTS).items()
    ]


def _template(node: Node) -> Template:
    try:
        return compile_template(node.text())
    except ExpressionError as error:
        node.fail(error.message, hint=error.hint, offset=error.offset)
