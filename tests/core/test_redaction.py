"""What must not be stored is replaced, wherever a path leads."""

from typing import Any

import pytest

from gateway.core.redaction import REDACTED, redact


@pytest.mark.parametrize(
    ("payload", "path", "expected"),
    [
        ({"a": {"b": "x", "c": 1}}, "a.b", {"a": {"b": REDACTED, "c": 1}}),
        ({"a": [{"b": 1}, {"c": 2}]}, "a.*.b", {"a": [{"b": REDACTED}, {"c": 2}]}),
        (
            {"a": {"x": {"b": 1}, "y": {"b": 2}}},
            "a.*.b",
            {"a": {"x": {"b": REDACTED}, "y": {"b": REDACTED}}},
        ),
        ({"a": {"b": {"deep": 1}}}, "a.b", {"a": {"b": REDACTED}}),
        ({"a": {"b": None}}, "a.b", {"a": {"b": None}}),
        ({"a": 1}, "b.c", {"a": 1}),
        ({"a": [1]}, "a.b", {"a": [1]}),
        ("text", "a", "text"),
    ],
)
def test_a_path_replaces_what_it_reaches(payload: Any, path: str, expected: Any) -> None:
    assert redact(payload, [path]) == expected


def test_the_payload_itself_is_left_alone() -> None:
    payload = {"a": {"b": "x"}}

    redact(payload, ["a.b"])

    assert payload == {"a": {"b": "x"}}
