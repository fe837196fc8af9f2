"""Takes out of a payload what must not be stored: whole values, by path.

A path is names joined by dots; ``*`` stands for every name or index at its place, as in
``entry.*.changes.*.value.contacts``.
"""

from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"


def redact(payload: Any, paths: Iterable[str]) -> Any:
    """A copy of ``payload`` with every value that a path reaches replaced.

    The payload itself is not changed. Paths that lead nowhere are no error.
    """
    for path in paths:
        payload = _without(payload, path.split("."))
    return payload


def _without(value: Any, names: list[str]) -> Any:
    if not names:
        return value if value is None else REDACTED
    name, rest = names[0], names[1:]
    if isinstance(value, dict):
        chosen = value.keys() if name == "*" else value.keys() & {name}
        return {key: _without(v, rest) if key in chosen else v for key, v in value.items()}
    if isinstance(value, list) and name == "*":
        return [_without(item, rest) for item in value]
    return value
