"""Reading plain data: each error has its path and a hint."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.core.nodes import Node, NodeError, suggest


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("text", Node.text, "text"),
        (True, Node.boolean, True),
        ("30s", Node.duration, timedelta(seconds=30)),
        ("5m", Node.duration, timedelta(minutes=5)),
        ("2h", Node.duration, timedelta(hours=2)),
        ("1d", Node.duration, timedelta(days=1)),
        ("up", lambda node: node.choice(["up", "down"]), "up"),
    ],
)
def test_right_data_is_read(value: Any, read: Callable[[Node], Any], expected: Any) -> None:
    assert read(Node(value)) == expected


@pytest.mark.parametrize(
    ("value", "read", "message", "hint"),
    [
        (1, Node.text, "expected text, found 1", ""),
        (["x"], Node.text, "expected text, found a list", ""),
        ("  ", Node.text, "expected some text", ""),
        ("yes", Node.boolean, "expected true or false, found text", ""),
        ("5 minutes", Node.duration, "'5 minutes' is not a duration", "write 30s, 5m, 2h or 1d"),
        (5, Node.duration, "5 is not a duration", "write 30s, 5m, 2h or 1d"),
        (
            "dwon",
            lambda n: n.choice(["up", "down"]),
            "'dwon' is not one of: up, down",
            "did you mean 'down'?",
        ),
        ([], Node.one_or_more, "the list is empty", ""),
        ({1: "x"}, lambda n: list(n.entries()), "the key 1 is not text", "put it in quotes"),
        ({}, lambda n: n.mapping(["a"], required=["a"]), "'a' is missing", ""),
        ("x", lambda n: list(n.items()), "expected a list, found text", ""),
        (None, lambda n: n.mapping(["a"]), "expected a mapping, found None", ""),
    ],
)
def test_wrong_data_is_explained(
    value: Any, read: Callable[[Node], Any], message: str, hint: str
) -> None:
    with pytest.raises(NodeError) as caught:
        read(Node(value, ("rules", 0)))

    assert caught.value.message == message
    assert caught.value.hint == hint
    assert caught.value.path == ("rules", 0)


def test_an_unknown_key_is_reported_at_the_key() -> None:
    with pytest.raises(NodeError) as caught:
        Node({"wehn": 1}, ("rules", 0)).mapping(["when", "key"])

    assert caught.value.path == ("rules", 0, "wehn")
    assert caught.value.hint == "did you mean 'when'?"


def test_nulls_count_as_left_out() -> None:
    assert Node({"a": None, "b": 1}).mapping(["a", "b"]) == {"b": Node(1, ("b",))}


def test_one_or_more_takes_a_list_or_a_single_piece() -> None:
    assert [node.value for node in Node(["a", "b"]).one_or_more()] == ["a", "b"]
    assert [node.value for node in Node("a").one_or_more()] == ["a"]


def test_entries_keep_their_path() -> None:
    assert list(Node({"a": 1}, ("x",)).entries()) == [("a", Node(1, ("x", "a")))]


def test_a_hint_lists_all_words_when_none_is_near() -> None:
    assert suggest("zzz", ["up", "down"]) == "known: down, up"
