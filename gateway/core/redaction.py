"""Takes out of a payload what must not be stored: whole values, by path."""

from collections.abc import Iterable
from typing import Any

from gateway.core.paths import replace_at

REDACTED = "[redacted]"


def redact(payload: Any, paths: Iterable[str]) -> Any:
    """A copy of ``payload`` with every value that a path reaches replaced.

    Paths are those of `gateway.core.paths`. Nulls stay: that nothing was there is no secret.
    """
    for path in paths:
        payload = replace_at(payload, path, _hidden)
    return payload


def _hidden(value: Any) -> Any:
    return None if value is None else REDACTED
