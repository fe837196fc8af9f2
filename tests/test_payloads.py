import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.compact_json import compact
from gateway.core.errors import MalformedPayload
from gateway.core.model import Delivery
from gateway.payloads import DEEPEST, MOST_FIELDS, is_form, parse_body, parse_form, parse_json
from gateway.testing import delivery

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b" [] \n", []),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"[18446744073709551616]", [18446744073709551616]),
        (b"[-9223372036854775809]", [-9223372036854775809]),
        (b'{"id": 123456789012345678901234567890}', {"id": 123456789012345678901234567890}),
        (b'{"id": "12345678901234567890", "x": 1.5}', {"id": "12345678901234567890", "x": 1.5}),
        (b"[" * DEEPEST + b"]" * DEEPEST, json.loads("[" * DEEPEST + "]" * DEEPEST)),
        (b'["' + b"[" * 5000 + b'"]', ["[" * 5000]),
    ],
)
def test_json(raw: bytes, expected: object) -> None:
    assert parse_json(raw) == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"up", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": "\xff"}', "not JSON.*UTF-8"),
        (b"[NaN]", "not JSON"),
        (b"[Infinity]", "not JSON"),
        (b"[1e999]", "not JSON"),
        (b"[" + b"9" * 400 + b"]", "not JSON"),
        (b'["\\ud800"]', "not JSON"),
        (b"[" * 201 + b"]" * 201, "deeper than 200"),
        (b'{"a":' * 201 + b"1" + b"}" * 201, "deeper than 200"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 1000 + b"12345678901234567890" + b"]" * 1000, "deeper than 200"),
        (b"null", "neither an object nor an array"),
        (b'"up"', "neither an object nor an array"),
        (b"12345678901234567890", "neither an object nor an array"),
        ("{}".encode("utf-16"), "not JSON"),
    ],
)
def test_bodies_that_are_no_payload(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        parse_json(raw)


def test_the_last_of_repeated_keys_is_the_one_that_was_signed() -> None:
    raw = b'{"status": "up", "status": "down"}'

    assert json.loads(compact(raw) or b"") == parse_json(raw) == {"status": "down"}


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()))
def test_integers_and_texts_stay_exact(payload: dict[str, object]) -> None:
    assert parse_json(json.dumps(payload).encode()) == payload


@given(st.binary(max_size=60) | st.text('[]{}":,1e9.-\\u ', max_size=60).map(str.encode))
def test_any_bytes_are_a_payload_or_malformed(raw: bytes) -> None:
    for parse in (parse_json, parse_form):
        try:
            assert isinstance(parse(raw), dict | list)
        except MalformedPayload:
            continue


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=S%C3%A3o+Paulo", {"a": "São Paulo"}),
        ("a=São".encode(), {"a": "São"}),
    ],
)
def test_forms(raw: bytes, expected: dict[str, str]) -> None:
    assert parse_form(raw) == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b"no form", "not a form"),
        (b"a=%FF", "not a form"),
        (b"a=\xff", "not a form"),
        (b"&".join([b"a=1"] * (MOST_FIELDS + 1)), "not a form"),
    ],
)
def test_bodies_that_are_no_form(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedPayload, match=message):
        parse_form(raw)


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        (delivery(b"a=1", headers=FORM), {"a": "1"}),
        (delivery(b'{"a": "="}'), {"a": "="}),
        (delivery(b' {"a": "="}', headers=FORM), {"a": "="}),
        (delivery(b"[]", headers={"content-type": "text/plain"}), []),
    ],
)
def test_the_content_type_decides_unless_it_is_json(delivered: Delivery, expected: object) -> None:
    assert parse_body(delivered) == expected
    assert is_form(delivered) is (expected == {"a": "1"})
