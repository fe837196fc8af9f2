from typing import Any

import pytest

from gateway.core.nodes import Node, NodeError
from gateway.core.schemes import read_scheme
from gateway.core.signatures import (
    AnyOf,
    Basic,
    Bearer,
    HeaderEquals,
    Hmac,
    Pairs,
    QueryEquals,
    Scheme,
    Segments,
    Timestamp,
    Unsigned,
)

SCHEMES: list[tuple[dict[str, Any], Scheme]] = [
    ({"type": "hmac", "header": "X-Sign"}, Hmac(("X-Sign",), ("{body}",))),
    (
        {"type": "hmac", "header": ["A", "B"], "prefix": "v0=", "prefix_optional": True},
        Hmac(("A", "B"), ("{body}",), prefix="v0=", prefix_optional=True),
    ),
    (
        {
            "type": "hmac",
            "header": "webhook-signature",
            "algorithm": "sha512",
            "encoding": "base64",
            "list": {"separator": " ", "pair": ",", "signature": "v1"},
            "timestamp": {"header": ["webhook-timestamp"], "unit": "s"},
            "tolerance": "5m",
            "signed": "{header.webhook-id}.{timestamp}.{body}",
            "secret_encoding": "base64",
            "secret_prefix": "whsec_",
            "credential": "signing_token",
        },
        Hmac(
            ("webhook-signature",),
            ("{header.webhook-id}.{timestamp}.{body}",),
            "sha512",
            encoding="base64",
            list=Pairs("v1", separator=" ", pair=","),
            timestamp=Timestamp(("webhook-timestamp",), "s"),
            tolerance=300,
            secret_encoding="base64",
            secret_prefix="whsec_",
            credential="signing_token",
        ),
    ),
    (
        {
            "type": "hmac",
            "header": "x-signature",
            "list": {"signature": "v1", "timestamp": "ts"},
            "signed": [
                {"segments": ["id:{query.data.id};", "ts:{timestamp};"]},
                "{timestamp}.{body}",
            ],
        },
        Hmac(
            ("x-signature",),
            (Segments(("id:{query.data.id};", "ts:{timestamp};")), "{timestamp}.{body}"),
            list=Pairs("v1", "ts"),
        ),
    ),
    (
        {
            "type": "hmac",
            "header": "x",
            "timestamp": {"header": "t"},
            "signed": "{timestamp}{body}",
        },
        Hmac(("x",), ("{timestamp}{body}",), timestamp=Timestamp(("t",))),
    ),
    ({"type": "header_equals", "header": "X-Token"}, HeaderEquals(("X-Token",))),
    (
        {"type": "header_equals", "header": "X-Token", "credential": "token"},
        HeaderEquals(("X-Token",), "token"),
    ),
    ({"type": "bearer"}, Bearer()),
    ({"type": "basic", "credential": "login"}, Basic("login")),
    ({"type": "query_equals", "parameter": "auth"}, QueryEquals("auth")),
    ({"type": "unsigned", "reason": "it cannot"}, Unsigned("it cannot")),
    ({"any_of": [{"type": "bearer"}, {"type": "basic"}]}, AnyOf((Bearer(), Basic()))),
]


@pytest.mark.parametrize(("data", "expected"), SCHEMES)
def test_schemes_are_read(data: dict[str, Any], expected: Scheme) -> None:
    scheme = read_scheme(Node(data))

    if isinstance(expected, Hmac) and "signed" not in data:
        assert isinstance(scheme, Hmac)
        assert scheme.signed == "{body}"
        expected = Hmac(
            expected.header, prefix=expected.prefix, prefix_optional=expected.prefix_optional
        )
    assert scheme == expected


HMAC = {"type": "hmac", "header": "X"}


@pytest.mark.parametrize(
    ("data", "path", "message", "hint"),
    [
        ("hmac", (), "no type", "basic, bearer"),
        ({}, (), "no type", "known"),
        ({"type": None}, (), "no type", "known"),
        ({"type": "hmca"}, ("type",), "'hmca'", "did you mean 'hmac'"),
        ({"type": "hmac"}, (), "'header' is missing", ""),
        ({"type": "unsigned"}, (), "'reason' is missing", ""),
        ({"type": "query_equals"}, (), "'parameter' is missing", ""),
        (HMAC | {"headers": "X"}, ("headers",), "unknown key", "'header'"),
        (HMAC | {"algorithm": "sha265"}, ("algorithm",), "'sha265'", "'sha256'"),
        (HMAC | {"encoding": "base46"}, ("encoding",), "'base46'", "'base64'"),
        (HMAC | {"tolerance": 300}, ("tolerance",), "not a duration", "5m"),
        (HMAC | {"tolerance": "5m"}, ("tolerance",), "tolerance", ""),
        (HMAC | {"prefix_optional": "yes"}, ("prefix_optional",), "true or false", ""),
        (HMAC | {"header": "X Y"}, ("header",), "name of a header", ""),
        (HMAC | {"header": ["X", ""]}, ("header", 1), "some text", ""),
        (HMAC | {"header": []}, ("header",), "empty", ""),
        (HMAC | {"signed": "{bdy}"}, ("signed",), "'{bdy}'", "{body}"),
        (HMAC | {"signed": ["{body}", "x"]}, ("signed", 1), "no placeholder", "{body}"),
        (HMAC | {"signed": {"parts": []}}, ("signed", "parts"), "unknown key", "segments"),
        (HMAC | {"signed": {"segments": []}}, ("signed",), "no segment", ""),
        (HMAC | {"signed": {"segments": ["a"]}}, ("signed", "segments", 0), "placeholder", ""),
        (HMAC | {"signed": "{timestamp}"}, ("signed",), "nothing says", "name the"),
        (HMAC | {"list": {"separator": ","}}, ("list",), "'signature' is missing", ""),
        (HMAC | {"list": {"signature": ""}}, ("list", "signature"), "some text", ""),
        (
            HMAC | {"timestamp": {"header": "t", "unit": "min"}},
            ("timestamp", "unit"),
            "'min'",
            "ms",
        ),
        (HMAC | {"timestamp": {"header": "\n"}}, ("timestamp", "header"), "some text", ""),
        (HMAC | {"timestamp": {"unit": "s"}}, ("timestamp",), "'header' is missing", ""),
        (HMAC | {"secret_encoding": "raw"}, ("secret_encoding",), "'raw'", "utf8"),
        ({"any_of": []}, ("any_of",), "no scheme", ""),
        ({"any_of": {"type": "bearer"}}, ("any_of",), "a list", ""),
        ({"any_of": [{"type": "bearer"}, {"type": "x"}]}, ("any_of", 1, "type"), "'x'", ""),
        ({"any_of": [{"type": "bearer"}], "type": "hmac"}, ("type",), "unknown key", "any_of"),
        ({"any_of": [{"type": "unsigned", "reason": "x"}]}, ("any_of",), "unsigned", ""),
    ],
)
def test_errors_name_the_place(
    data: Any, path: tuple[str | int, ...], message: str, hint: str
) -> None:
    with pytest.raises(NodeError) as caught:
        read_scheme(Node(data, ("signature",)))

    assert caught.value.path == ("signature", *path)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_errors_in_templates_point_into_them() -> None:
    with pytest.raises(NodeError) as caught:
        read_scheme(Node(HMAC | {"signed": "v0:{time}"}))

    assert caught.value.offset == len("v0:")
