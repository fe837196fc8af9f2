"""Bounds: the first look at metadata decides as the careful way does."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.bounds import _fit_piecewise, _is_plain, fit_metadata

WITH_SURROGATES = st.text(st.characters(exclude_categories=()), max_size=12)
LONG = st.text('aü\N{PILE OF POO}\0\x01\n"\\9', max_size=700)
NUMBERS = st.integers(-(2**66), 2**66) | st.floats()
VALUES = st.none() | st.booleans() | NUMBERS | WITH_SURROGATES | LONG | st.lists(NUMBERS)


def as_json(metadata: Any) -> str:
    return json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@given(st.dictionaries(WITH_SURROGATES, VALUES, max_size=40))
@example({f"{number:02}": -(2**63) for number in range(32)})
@example({"\N{PILE OF POO}" * 499 + "a": 1.7976931348623157e308})
@example({"a": '"' * 499})
@example({"a": "\ud800", "b": "\0", "c": "\\u0000", "d": "1" * 19})
@example({"a": 2**64, "b": 2**64 - 1, "c": -(2**63) - 1})
@example({"a": math.nan, "b": math.inf, "c": -math.inf})
def test_a_first_look_changes_no_result(metadata: dict[str, Any]) -> None:
    assert as_json(fit_metadata(metadata)) == as_json(_fit_piecewise(metadata))


@pytest.mark.parametrize(
    ("metadata", "plain"),
    [
        ({"url": "https://x/ü", "run": 7, "share": 0.5, "ok": True, "none": None}, True),
        ({str(number): number for number in range(32)}, True),
        ({str(number): number for number in range(33)}, False),
        ({"a": "x" * 499}, True),
        ({"a": "x" * 500}, False),
        ({"a\0": 1}, False),
        ({"a": "\ud800"}, False),
        ({"a": 2**64}, False),
        ({"a": math.nan}, False),
        ({"a": []}, False),
    ],
)
def test_what_is_seen_at_first_look(metadata: dict[str, Any], plain: bool) -> None:
    assert _is_plain(metadata) is plain
