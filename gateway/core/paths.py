"""Finds values in a payload by path, and puts others in their place.

A path is names joined by dots; ``*`` stands for every name or index at its place, as in
``entry.*.changes.*.value.contacts``.
"""

from collections.abc import Callable
from typing import Any


def replace_at(payload: Any, path: str, change: Callable[[Any], Any]) -> Any:
    """A copy of ``payload`` in which every value that ``path`` reaches is changed.

    The payload itself stays as it is. A path that leads nowhere is no error.
    """
    return _replace(payload, path.split("."), change)


def _replace(value: Any, names: list[str], change: Callable[[Any], Any]) -> Any:
    if not names:
        return change(value)
    name, rest = names[0], names[1:]
    if isinstance(value, dict):
        chosen = value.keys() if name == "*" else value.keys() & {name}
        return {k: _replace(v, rest, change) if k in chosen else v for k, v in value.items()}
    if isinstance(value, list) and name == "*":
        return [_replace(item, rest, change) for item in value]
    return value
