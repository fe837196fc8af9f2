import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.compact_json import LIMIT, compact


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1.0", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0.50", "0.5"),
        ("-12.25", "-12.25"),
        ("1e3", "1000"),
        ("1E21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("123456789012345678901234", "1.2345678901234569e+23"),
        ("12345678901234567890", "12345678901234567000"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345", "123456789012345"),
        ("-5", "-5"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("-1.5e-9", "-1.5e-9"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("[ ]", "[]"),
        ("{ }", "{}"),
        ('"\\u0001\\u007f\\u2028\\ud83d\\ude00"', '"\\u0001\x7f\u2028😀"'),
        ('"\\"\\\\\\b\\f\\n\\r\\t"', '"\\"\\\\\\b\\f\\n\\r\\t"'),
        (
            '{"b":1,"01":2,"4294967294":3,"4294967295":4,"0":5}',
            '{"0":5,"4294967294":3,"b":1,"01":2,"4294967295":4}',
        ),
    ],
)
def test_what_javascript_writes(body: str, expected: str) -> None:
    assert compact(body.encode()) == expected.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"up",
        b"{'a': 1}",
        b"[NaN]",
        b"[-Infinity]",
        b"1e999",
        b"9" * 5000,
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        b"[" * 5000 + b"]" * 5000,
        b"[" + b" " * LIMIT + b"]",
    ],
)
def test_what_has_no_compact_form(body: bytes) -> None:
    assert compact(body) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_the_compact_form_says_the_same_and_is_its_own(value: object) -> None:
    spaced = json.dumps(value, indent=1).encode()
    short = compact(spaced)

    assert short is not None
    assert json.loads(short) == value
    assert compact(short) == short
