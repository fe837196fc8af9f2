"""Values are found by path and replaced in a copy."""

from typing import Any

import pytest

from gateway.core.paths import replace_at


@pytest.mark.parametrize(
    ("payload", "path", "expected"),
    [
        ({"a": 1}, "a", {"a": "1!"}),
        ({"a": {"b": 1, "c": 2}}, "a.b", {"a": {"b": "1!", "c": 2}}),
        ({"a": [{"b": 1}, 5, {"b": 2}]}, "a.*.b", {"a": [{"b": "1!"}, 5, {"b": "2!"}]}),
        ({"a": 1, "b": 2}, "*", {"a": "1!", "b": "2!"}),
        ([1, 2], "*", ["1!", "2!"]),
        ({"a": 1}, "x.y", {"a": 1}),
        ({"a": [1]}, "a.b", {"a": [1]}),
        (5, "a", 5),
    ],
)
def test_every_value_at_the_path_is_changed(payload: Any, path: str, expected: Any) -> None:
    assert replace_at(payload, path, lambda value: f"{value}!") == expected
