from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import SourceError, SourceErrors
from gateway.core.nodes import NodeError
from gateway.documents import MAX_DEPTH, MAX_ERRORS, MAX_SIZE, Document, load_document

QUOTE = "put the value in quotes"
INDENT = "indent with spaces, not with tabs"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# only a comment", None),
        ("\ufeffa: b", {"a": "b"}),
        ("a: {b: [1, -2, 1.5, 2e3]}", {"a": {"b": [1, -2, 1.5, 2000.0]}}),
        ("[true, false, null, ~, ]", [True, False, None, None]),
        ("a: ", {"a": None}),
        ("on: off\nyes: no", {"on": "off", "yes": "no"}),
        ("[0551, +5511, 0x1F, .5, 1e999]", ["0551", "+5511", "0x1F", ".5", "1e999"]),
        ("[True, NULL, 12:30:45, 2026-01-20]", ["True", "NULL", "12:30:45", "2026-01-20"]),
        ("['1', \"true\", 'null', '']", ["1", "true", "null", ""]),
        ("a: |\n  1\nb: >-\n  x\n  y", {"a": "1\n", "b": "x y"}),
        ("'1': a", {"1": "a"}),
        ("---\na: b\n...", {"a": "b"}),
    ],
)  # fmt: skip
def test_what_text_means(text: str, data: Any) -> None:
    document = load_document(text, "x.yaml")

    assert document.data == data
    assert document.node.value == data


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("a: 1\na: 2", ["x.yaml:2:1: the key 'a' is given twice"]),
        ("b: {a: 1, 'a': 2}", ["x.yaml:1:11: the key 'a' is given twice"]),
        ("1: a", ["x.yaml:1:1: the key 1 is not text (put it in quotes)"]),
        ("a:\n  true: b", ["x.yaml:2:3: the key true is not text (put it in quotes)"]),
        (
            "a: &b c\nd: *b",
            [
                "x.yaml:1:4: anchors and aliases are not allowed (write the value out)",
                "x.yaml:2:4: anchors and aliases are not allowed (write the value out)",
            ],
        ),
        ("&b c: d", ["x.yaml:1:1: anchors and tags are not allowed"]),
        ("a: !!set {b}", ["x.yaml:1:4: the tag tag:yaml.org,2002:set is not allowed"]),
        ("a: {{ b }}", ['x.yaml:1:5: a key must be text (put a template in quotes: "{{ ... }}")']),
        (
            "? [a, [b]]\n: c",
            ['x.yaml:1:3: a key must be text (put a template in quotes: "{{ ... }}")'],
        ),
        ("a\n---\nb", ["x.yaml:2:1: the text holds several documents (remove the line '---')"]),
    ],
)
def test_what_is_refused(text: str, errors: list[str]) -> None:
    with pytest.raises(SourceErrors) as raised:
        load_document(text, "x.yaml")

    assert [str(error) for error in raised.value.errors] == errors


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a: b: c", ":1:5", "mapping values are not allowed in this context", QUOTE),
        ("a: `b`", ":1:4", "found character that cannot start any token", QUOTE),
        ("a: @", ":1:4", "found character that cannot start any token", QUOTE),
        ("a: {{ b }}/c", ":1:11", "did not find expected key", QUOTE),
        ("a:\n\tb: c", ":2:1", "found character that cannot start any token", INDENT),
        ("a:\n  - b\n c", ":3:2", "did not find expected key", ""),
        ("a: 'b", ":1:6", "found unexpected end of stream", ""),
        ("a: \0", "", "the text holds characters that YAML forbids", ""),
        ("a: \ud800", "", "the text holds characters that YAML forbids", ""),
        ("a" * (MAX_SIZE + 1), "", "the text has 262145 characters, more than 262144", ""),
        ("[" * 100_000, ":1:52", "more than 50 levels of nesting", ""),
        ("{a: " * 60 + "}" * 60, ":1:205", "more than 50 levels of nesting", ""),
        ("? " + "[" * 100_000, ":1:53", "more than 50 levels of nesting", ""),
    ],
)
def test_what_is_no_yaml(text: str, place: str, message: str, hint: str) -> None:
    with pytest.raises(SourceError) as raised:
        load_document(text, "x.yaml")

    error = raised.value
    assert str(error) == f"x.yaml{place}: {message}" + (f" ({hint})" if hint else "")


def test_errors_without_end_are_not_all_told() -> None:
    with pytest.raises(SourceErrors) as raised:
        load_document("a: 1\n" * 1000, "x.yaml")

    assert len(raised.value.errors) == MAX_ERRORS


def test_nesting_up_to_the_limit_is_read() -> None:
    document = load_document("[" * MAX_DEPTH + "]" * MAX_DEPTH, "x.yaml")

    assert str(document.data) == "[" * MAX_DEPTH + "]" * MAX_DEPTH


PLACES = """\
plain: abc def
single: 'it''s x'
double: "a \\" \\u00e9 x"
folded: abc
  def
deep:
  - {x: 1, "y": 2}
  - z:
      - 3
literal: |

  one
    two
block: >-
  abc
  def
umlauts: {ü😀: ä€x}
"""


@pytest.mark.parametrize(
    ("path", "offset", "place"),
    [
        ((), 0, (1, 1)),
        (("plain",), 0, (1, 8)),
        (("plain",), 4, (1, 12)),
        (("plain",), 99, (1, 14)),
        (("single",), 0, (2, 9)),
        (("single",), 5, (2, 16)),
        (("double",), 5, (3, 21)),
        (("double",), 6, (3, 22)),
        (("double",), 99, (3, 23)),
        (("folded",), 5, (5, 4)),
        (("deep",), 0, (7, 3)),
        (("deep",), 3, (7, 3)),
        (("deep", 0, "x"), 0, (7, 9)),
        (("deep", 0, "y"), 0, (7, 17)),
        (("deep", 0, "absent", "x"), 5, (7, 5)),
        (("deep", 1, "z", 0), 0, (9, 9)),
        (("deep", 7), 0, (7, 3)),
        (("literal",), 0, (10, 10)),
        (("literal",), 1, (12, 3)),
        (("literal",), 8, (13, 6)),
        (("block",), 1, (15, 4)),
        (("block",), 5, (16, 4)),
        (("umlauts", "ü😀"), 2, (17, 17)),
    ],
)
def test_places(path: tuple[str | int, ...], offset: int, place: tuple[int, int]) -> None:
    error = load_document(PLACES, "x.yaml").error(path, "wrong", "hint", offset)

    assert (error.line, error.column) == place
    assert str(error) == f"x.yaml:{place[0]}:{place[1]}: wrong (hint)"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("plain",), (1, 1)),
        (("deep", 0, "y"), (7, 12)),
        (("deep", 1), (8, 5)),
        (("deep", 0, "absent"), (7, 5)),
        (("umlauts", "ü😀"), (17, 11)),
    ],
)
def test_places_of_keys(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    error = load_document(PLACES, "x.yaml").located(NodeError("wrong", path=path, at_key=True))

    assert (error.line, error.column) == place


def test_an_empty_block_has_a_place() -> None:
    error = load_document("a: |\nb: 1", "x.yaml").error(("a",), "wrong", offset=3)

    assert error.line == 1


def test_data_without_text_has_no_places() -> None:
    error = Document("x.yaml", {"a": 1}).error(("a",), "wrong")

    assert str(error) == "x.yaml: wrong"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: text == 'x #1'", "' #' begins a comment here: put the value in quotes"),
        ('a: text == "x #1"', "' #' begins a comment here: put the value in quotes"),
        ("a: text == 'x'  # why", "hint"),
        ("a: text == 'x", "hint"),
        ("a: 'text' # it's", "hint"),
    ],
)
def test_a_comment_that_cuts_a_value_is_pointed_out(text: str, hint: str) -> None:
    assert load_document(text, "x.yaml").error(("a",), "wrong", "hint").hint == hint


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_what_yaml_writers_write_is_read(value: Any) -> None:
    class Writer(yaml.SafeDumper):
        def ignore_aliases(self, _: Any) -> bool:
            return True

    text = yaml.dump(value, Dumper=Writer, default_style='"', allow_unicode=False)
    if "!!" in text:
        text = yaml.dump(str(value), Dumper=Writer, default_style='"')
        value = str(value)

    assert load_document(text, "x.yaml").data == value


@given(st.text("ab:'\"{}[]|>-# \n\t&*!?~1", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = load_document(text, "x.yaml")
    except (SourceError, SourceErrors):
        return

    for path in document.places:
        assert document.error(path, "wrong", offset=5).line >= 1
