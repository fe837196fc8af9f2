"""Rules: reading, mapping, explaining."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.bounds import LEFT_OUT
from gateway.core.explanations import MAX_ATTEMPTS, Seen, explain
from gateway.core.model import Delivery, Event, Status
from gateway.core.nodes import Node, NodeErrors
from gateway.core.rule_documents import compile_rules
from gateway.core.rules import MAX_ITEMS, RuleSet
from gateway.core.written_rules import MAX_RULES

RECEIVED_AT = datetime(2026, 1, 20, 10, 30, tzinfo=UTC)


def deliver(**headers: str) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(body=b"", headers=named, query={"env": "prod"}, received_at=RECEIVED_AT)


def rules(*rule: dict[str, Any], **defaults: Any) -> RuleSet:
    named = [{"name": f"r{number}", **keys} for number, keys in enumerate(rule, 1)]
    return compile_rules(Node({"rules": named, "defaults": defaults})).complete({})


def one(payload: Any, **keys: Any) -> Event:
    """The only event of a rule that is up."""
    (event,) = rules({"status": "up", **keys}).map(payload, deliver()).events
    return event


def deep() -> Any:
    value: Any = []
    for _ in range(5000):
        value = [value]
    return value


class TestWhen:
    @pytest.mark.parametrize(
        ("when", "matches"),
        [
            (None, True),
            ("`true`", True),
            ("ok", True),
            ("zero == `0`", True),
            ("ok && header('x-kind') == 'a'", True),
            ("query('env') == 'prod'", True),
            ("ok && text", False),
            ("zero", False),
            ("absent", False),
            ("lower(absent) == 'a'", False),
        ],
    )
    def test_only_true_matches(self, when: str | None, matches: bool) -> None:
        found = rules({"status": "up", "when": when})
        payload = {"ok": True, "zero": 0, "text": "true"}

        mapped = found.map(payload, deliver(x_kind="a"))

        assert bool(mapped.events) is matches
        assert mapped.reason == ("" if matches else "no rule matched")
        assert mapped.rule == ("r1" if matches else "")

    def test_the_first_match_wins(self) -> None:
        found = rules({"status": "down", "when": "a"}, {"status": "up"}, {"status": "degraded"})

        assert [event.status for event in found.map({}, deliver()).events] == [Status.UP]


class TestStatus:
    @pytest.mark.parametrize(
        ("value", "status"),
        [
            ("success", Status.UP),
            ("failure", Status.DOWN),
            ("Failure", None),
            ("slow", Status.DEGRADED),
            ("neutral", None),
            (404, Status.DOWN),
            ("404", Status.DOWN),
            (1.5, Status.DEGRADED),
            (True, Status.UP),
            (None, Status.DEGRADED),
            (["a"], Status.DOWN),
            ({}, None),
        ],
    )
    def test_values_are_compared_as_text(self, value: Any, status: Status | None) -> None:
        values = {
            "success": "up",
            "failure": "down",
            "slow": "degraded",
            "neutral": "ignore",
            "404": "down",
            "1.5": "degraded",
            "true": "up",
            "null": "degraded",
            '["a"]': "down",
        }
        mapped = rules({"status": {"from": "x", "values": values}}).map({"x": value}, deliver())

        assert [event.status for event in mapped.events] == ([status] if status else [])

    def test_otherwise_is_what_no_value_says(self) -> None:
        status = {"from": "{{ a }}-{{ b }}", "values": {"1-2": "up"}, "otherwise": "down"}
        found = rules({"status": status})

        assert found.map({"a": 1, "b": 2}, deliver()).events[0].status is Status.UP
        assert found.map({"a": 1, "b": 3}, deliver()).events[0].status is Status.DOWN

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            ("ignore", "rule 'r1' ignores it"),
            ({"from": "x", "values": {"a": "up"}}, "rule 'r1': 'neutral' is ignored"),
        ],
    )
    def test_ignoring_decides_and_says_so(self, status: Any, reason: str) -> None:
        mapped = rules({"status": status}, {"status": "down"}).map({"x": "neutral"}, deliver())

        assert (mapped.events, mapped.rule, mapped.reason) == ((), "r1", reason)

    @pytest.mark.parametrize("payload", [{}, {"x": 5}])
    def test_what_cannot_be_looked_up_does_not_match(self, payload: Any) -> None:
        found = rules({"status": {"from": "lower(x)", "values": {"a": "up"}}}, {"status": "down"})

        assert found.map(payload, deliver()).rule == "r2"

    def test_a_value_without_text_does_not_match(self) -> None:
        found = rules({"status": {"from": "@", "values": {"a": "up"}}})

        assert found.map(deep(), deliver()).reason == "no rule matched"


class TestKey:
    @pytest.mark.parametrize(
        ("template", "key"),
        [
            (None, ""),
            ("payments", "payments"),
            ("{{ repo }}/{{ id }}", "acme/7"),
            ("{{ absent || 'default' }}", "default"),
        ],
    )
    def test_keys(self, template: str | None, key: str) -> None:
        assert one({"repo": "acme", "id": 7}, key=template).key == key

    def test_a_rule_without_its_key_does_not_match(self) -> None:
        found = rules({"status": "up", "key": "{{ a }}/{{ b }}"}, {"status": "down"})

        assert found.map({"a": 1}, deliver()).rule == "r2"

    def test_long_keys_keep_their_start_and_differ(self) -> None:
        first, second = (one({"k": "x" * 300 + end}, key="{{ k }}").key for end in "ab")

        assert len(first) == len(second) == 300
        assert first.startswith("x" * 267 + "~")
        assert first != second


class TestEvent:
    @pytest.mark.parametrize(
        ("value", "event_id"),
        [("a", "a"), (7, "7"), ("", None), (None, None), ("\0", "\ufffd"), (deep(), None)],
    )
    def test_event_ids(self, value: Any, event_id: str | None) -> None:
        assert one({"id": value}, event_id="id").event_id == event_id

    def test_an_incomplete_template_gives_no_event_id(self) -> None:
        assert one({"id": 1}, event_id="{{ id }}-{{ attempt }}").event_id is None

    def test_an_inapplicable_expression_gives_no_event_id(self) -> None:
        assert one({}, event_id="lower(id)").event_id is None

    @pytest.mark.parametrize(
        ("value", "occurred_at"),
        [
            ("2026-01-20T10:00:00Z", RECEIVED_AT - timedelta(minutes=30)),
            (1768905300, RECEIVED_AT + timedelta(minutes=5)),
            (1768905301, RECEIVED_AT),
            ("soon", RECEIVED_AT),
            (None, RECEIVED_AT),
        ],
    )
    def test_times(self, value: Any, occurred_at: datetime) -> None:
        assert one({"at": value}, occurred_at="at").occurred_at == occurred_at

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("it broke", "it broke"),
            (None, "run :"),
            (" a\0b\ud800 ", "run : a\ufffdb\ufffd"),
        ],
    )
    def test_messages(self, text: str | None, message: str) -> None:
        template = "{{ x }}" if text == "it broke" else "run :{{ x }} "

        assert one({"x": text}, message=template).message == message

    def test_long_messages_are_cut(self) -> None:
        message = one({"x": "m" * 3000}, message="{{ x }}").message

        assert message == "m" * 1999 + "…"

    def test_metadata_by_name(self) -> None:
        metadata = {"url": "run.url", "title": "{{ a }}!", "none": "lower(absent)"}

        event = one({"run": {"url": "https://x"}, "a": 1}, metadata=metadata)

        assert event.metadata == {"url": "https://x", "title": "1!", "none": None}

    @pytest.mark.parametrize(
        ("value", "metadata"), [({"a": 1}, {"a": 1}), ({}, {}), (None, {}), ([1], {})]
    )
    def test_metadata_as_one_object(self, value: Any, metadata: Any) -> None:
        assert one({"m": value}, metadata="m").metadata == metadata

    def test_metadata_is_made_storable(self) -> None:
        value = {"a\0": ["\ud800", {"b": "\0"}], "n": 1e308, "deep": deep()}

        event = one({"m": value}, metadata="m")

        assert event.metadata == {"a\ufffd": ["\ufffd", {"b": "\ufffd"}], "n": 1e308, LEFT_OUT: 1}

    def test_metadata_that_is_no_json_becomes_null(self) -> None:
        event = one({"n": [1e308, 1e308]}, metadata={"total": "sum(n)", "escaped": "'\\u0000'"})

        assert event.metadata == {"total": None, "escaped": "\\u0000"}

    def test_large_metadata_is_left_out_in_order(self) -> None:
        value = {"a": "x" * 5000, "b": "ü" * 2500, "c": 1, "d": "x" * 2000}

        event = one({"m": value}, metadata="m")

        assert list(event.metadata) == ["a", "c", "d", LEFT_OUT]
        assert event.metadata[LEFT_OUT] == 1

    @given(st.dictionaries(st.text(max_size=20), st.text() | st.floats(), max_size=400))
    def test_metadata_always_fits(self, value: Any) -> None:
        text = json.dumps(
            dict(one({"m": value}, metadata="m").metadata),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )

        assert len(text.encode()) <= 8192

    def test_the_rest_is_taken_over(self) -> None:
        event = one({}, resolve_after="30m")

        assert event.resolve_after == timedelta(minutes=30)
        assert event.rule == "r1"


class TestForEach:
    ALERTS = (
        {"for_each": "alerts", "when": "s == 'firing'", "status": "down", "key": "{{ id }}"},
        {"for_each": "alerts", "when": "s == 'resolved'", "status": "up", "key": "{{ id }}"},
    )

    def test_each_item_is_decided_for_itself(self) -> None:
        items = [{"id": 1, "s": "resolved"}, {"id": 2, "s": "?"}, {"id": 3, "s": "firing"}]

        mapped = rules(*self.ALERTS).map({"alerts": items}, deliver())

        assert [(event.key, event.status) for event in mapped.events] == [
            ("1", "up"),
            ("3", "down"),
        ]
        assert mapped.rule == "r2, r1"

    @pytest.mark.parametrize(
        "alerts", [None, [], {}, "text", [{"id": 1, "s": "?"}], [{"s": "firing"}]]
    )
    def test_a_block_that_decides_nothing_leaves_it_to_the_next(self, alerts: Any) -> None:
        mapped = rules(*self.ALERTS, {"status": "degraded"}).map({"alerts": alerts}, deliver())

        assert mapped.rule == "r3"

    def test_a_block_that_decides_is_the_last(self) -> None:
        found = rules(*self.ALERTS, {"status": "degraded"})

        mapped = found.map({"alerts": [{"id": 1, "s": "firing"}, {"id": 2}]}, deliver())

        assert mapped.rule == "r1"

    def test_an_inapplicable_list_does_not_match(self) -> None:
        found = rules({"for_each": "values(a)", "status": "up"})

        assert found.map({}, deliver()).reason == "no rule matched"

    def test_the_whole_payload_overrides_a_default(self) -> None:
        found = rules({"for_each": "@", "status": "up", "key": "{{ id }}"}, for_each="alerts")

        assert [event.key for event in found.map({"id": 1, "alerts": []}, deliver()).events] == [
            "1"
        ]

    def test_reasons_of_all_items_are_told_once(self) -> None:
        found = rules({"for_each": "[]", "status": {"from": "@", "values": {"a": "up"}}})

        mapped = found.map(["x", "y", "x"], deliver())

        assert mapped.reason == "rule 'r1': 'x' is ignored; rule 'r1': 'y' is ignored"
        assert mapped.rule == "r1"

    def test_what_follows_the_first_thousand_is_passed_over(self) -> None:
        found = rules({"for_each": "[]", "status": "up"}, event_id="root()[0]")

        mapped = found.map([7] * (MAX_ITEMS + 5), deliver())

        assert len(mapped.events) == MAX_ITEMS

    def test_shared_event_ids_are_numbered(self) -> None:
        found = rules({"for_each": "[]", "status": "up", "event_id": "@"})

        mapped = found.map(["a", "a", "a#2", "b", "a", "", ""], deliver())

        ids = [event.event_id for event in mapped.events]
        assert ids == ["a", "a#2", "a#2#2", "b", "a#3", None, None]


class TestRuleSet:
    def test_headers_that_rules_name(self) -> None:
        found = rules(
            {
                "status": {"from": "header('X-A')", "values": {"a": "up"}},
                "key": "{{ header('B') }}",
            },
            {
                "for_each": "[?@ == header('C')]",
                "status": "up",
                "metadata": {"d": "{{ header('D') }}"},
            },
            event_id="header('E')",
            metadata="from_json(header('F'))",
        )

        assert found.headers == {"x-a", "b", "c", "d", "e", "f"}

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
        )
    )
    def test_no_payload_raises(self, payload: Any) -> None:
        found = rules(
            {"status": {"from": "a", "values": {"x": "up"}, "otherwise": "down"}, "when": "b"},
            {"for_each": "c", "status": "up", "key": "{{ a }}", "message": "{{ lower(b) }}"},
            {"status": "up"},
            event_id="a",
            occurred_at="b",
            metadata="c",
        )

        assert found.map(payload, deliver()) == explain(found, payload, deliver()).mapped


WRONG: list[tuple[Any, list[tuple[tuple[Any, ...], int, str, str]]]] = [
    ([], [((), 0, "expected a mapping, found a list", "")]),
    ({}, [((), 0, "'rules' is missing", "")]),
    ({"rules": []}, [(("rules",), 0, "there are no rules", "")]),
    ({"rules": {}}, [(("rules",), 0, "expected a list, found a mapping", "")]),
    ({"rules": [5]}, [(("rules", 0), 0, "expected a mapping, found 5", "")]),
    ({"rulez": []}, [(("rulez",), 0, "unknown key 'rulez'", "did you mean 'rules'?")]),
    (
        {"rules": [{"name": "a", "status": "up", "wen": "b"}]},
        [(("rules", 0, "wen"), 0, "unknown key 'wen'", "did you mean 'when'?")],
    ),
    (
        {"rules": [{"name": "a"}], "defaults": {"when": "b"}},
        [
            (
                ("defaults", "when"),
                0,
                "unknown key 'when'",
                "known: event_id, for_each, key, message, metadata, occurred_at, resolve_after",
            ),
            (("rules", 0), 0, "'status' is missing", ""),
        ],
    ),
    (
        {"rules": [{"name": "a", "status": "up"}, {"name": "a", "status": "dwon"}]},
        [
            (("rules", 1, "name"), 0, "there are two rules named 'a'", ""),
            (
                ("rules", 1, "status"),
                0,
                "'dwon' is not one of: up, degraded, down, ignore",
                "did you mean 'down'?",
            ),
        ],
    ),
    (
        {
            "rules": [
                {
                    "name": True,
                    "status": {"from": "a.", "values": {"x": "on", "y": 1}, "otherwise": "?"},
                    "when": "a == 5",
                    "key": 7,
                    "message": "{{ containz(a) }}",
                    "occurred_at": 1.5,
                    "resolve_after": "0m",
                    "metadata": {"a": "b.", "c": "d"},
                }
            ]
        },
        [
            (("rules", 0, "name"), 0, "expected text, found true", "put it in quotes"),
            (("rules", 0, "status", "from"), 2, "the expression ends too early", ""),
            (
                ("rules", 0, "status", "values", "x"),
                0,
                "'on' is not one of: up, degraded, down, ignore",
                "did you mean 'down'?",
            ),
            (
                ("rules", 0, "status", "values", "y"),
                0,
                "1 is not one of: up, degraded, down, ignore",
                "known: degraded, down, ignore, up",
            ),
            (
                ("rules", 0, "status", "otherwise"),
                0,
                "'?' is not one of: up, degraded, down, ignore",
                "known: degraded, down, ignore, up",
            ),
            (("rules", 0, "key"), 0, "expected text, found 7", "put it in quotes"),
            (
                ("rules", 0, "message"),
                3,
                "unknown function 'containz'",
                "did you mean 'contains'?",
            ),
            (
                ("rules", 0, "when"),
                5,
                "unexpected '5'",
                "write a number between backticks: `5`",
            ),
            (("rules", 0, "metadata", "a"), 2, "the expression ends too early", ""),
            (("rules", 0, "occurred_at"), 0, "expected text, found 1.5", "put it in quotes"),
            (("rules", 0, "resolve_after"), 0, "the duration is zero", ""),
        ],
    ),
    (
        {
            "rules": [{"name": "a", "status": "up"}, {"name": "b", "status": "up"}],
            "defaults": {"event_id": "a ==", "metadata": {"x": "b."}},
        },
        [
            (("defaults", "metadata", "x"), 2, "the expression ends too early", ""),
            (("defaults", "event_id"), 4, "the expression ends too early", ""),
        ],
    ),
    (
        {"rules": [{"name": "a", "status": {"from": "b"}}]},
        [(("rules", 0, "status"), 0, "'values' is missing", "")],
    ),
    (
        {"rules": [{"name": "a", "status": {"from": "b", "values": {7: "up"}}}]},
        [(("rules", 0, "status", "values"), 0, "the key 7 is not text", "put it in quotes")],
    ),
    (
        {"rules": [{"name": str(number), "status": "up"} for number in range(MAX_RULES + 1)]},
        [(("rules",), 0, "there are 501 rules, more than 500", "")],
    ),
]


class TestReading:
    @pytest.mark.parametrize(("document", "errors"), WRONG)
    def test_everything_that_is_wrong_is_told(
        self, document: Any, errors: list[tuple[tuple[Any, ...], int, str, str]]
    ) -> None:
        with pytest.raises(NodeErrors) as raised:
            compile_rules(Node(document))

        found = [(one.path, one.offset, one.message, one.hint) for one in raised.value.errors]
        assert sorted(found, key=str) == sorted(errors, key=str)

    @pytest.mark.parametrize("text", ["repository.full_name", "lower(a)", "a||b", "a || b", "a[0]"])
    def test_an_expression_without_braces_is_refused(self, text: str) -> None:
        with pytest.raises(NodeErrors) as raised:
            rules({"status": "up", "key": text, "message": text})

        key, message = raised.value.errors
        assert key.message == f"{text!r} looks like an expression but is plain text"
        assert key.hint == f"write {{{{ {text} }}}}, or {{{{ '{text}' }}}} if it is text"
        assert message.path == ("rules", 0, "message")

    @pytest.mark.parametrize(
        "text", ["payments", "Deploy failed", "Deploy (production)", "v1.2", "a/b", "'a'", "12 %"]
    )
    def test_plain_text_is_not_refused(self, text: str) -> None:
        assert one({}, key=text).key == text

    def test_keys_of_others_are_let_pass(self) -> None:
        document = {"provider": "x", "rules": [{"name": "a", "status": "up"}], "defaults": None}

        found = compile_rules(Node(document), others=["provider"]).complete({})

        assert [rule.name for rule in found.rules] == ["a"]

    def test_a_rule_overrides_a_default(self) -> None:
        found = rules({"status": "up", "key": "own"}, {"status": "up"}, key="shared")

        assert [rule.key.text for rule in found.rules] == ["own", "shared"]


class TestExplain:
    def explained(self, payload: Any, *rule: dict[str, Any], **defaults: Any) -> list[str]:
        found = rules(*rule, **defaults)

        explanation = explain(found, payload, deliver(x_kind="a"))

        assert explanation.mapped == found.map(payload, deliver(x_kind="a"))
        return str(explanation).splitlines()

    @pytest.mark.parametrize(
        ("when", "lines"),
        [
            ("ok", ["when: ok is null"]),
            ("a", ["when: a is 1"]),
            ("a && b && c", ["when: b is false"]),
            ("a && d", ['when: d is "text"']),
            (
                "header('X-Kind') == 'b' && a == `2`",
                ["when: header('X-Kind') == 'b' is false", "    header('X-Kind') is \"a\""],
            ),
            (
                "header('X-Kind') == 'a' && (a == `2` || !b == c)",
                [
                    "when: (a == `2` || !b == c) is false",
                    "    a is 1",
                    "    b is false",
                    "    c is null",
                ],
            ),
            ("(a).x == 'b'", ["when: (a).x == 'b' is false", "    (a).x is null"]),
            ("a == `2` || b", ["when: a == `2` || b is false", "    a is 1", "    b is false"]),
            ("a | b", ["when: a | b is null"]),
            (
                "lower(c) == 'x'",
                [
                    "when: lower(c) == 'x' cannot be applied: lower() needs string, found null",
                    "    c is null",
                ],
            ),
            (
                "contains(list[?n == `1`].s, 'x')",
                ["when: contains(list[?n == `1`].s, 'x') is false", "    list[?n == `1`].s is []"],
            ),
            (
                "length(sort_by(list, &n)) == `9`",
                ["when: length(sort_by(list, &n)) == `9` is false", "    list is []"],
            ),
            ("'x' == 'y'", ["when: 'x' == 'y' is false"]),
            ("'x'.y", ["when: 'x'.y is null"]),
            (
                "long == 'x'",
                ["when: long == 'x' is false", '    long is "' + "x" * 118 + "…"],
            ),
        ],
    )
    def test_why_a_rule_did_not_match(self, when: str, lines: list[str]) -> None:
        payload = {"a": 1, "b": False, "d": "text", "list": [], "long": "x" * 200}

        first, *rest = self.explained(payload, {"status": "up", "when": when})

        assert [first, *rest] == [
            f"r1: not matched; {lines[0]}",
            *lines[1:],
            "=> ignored: no rule matched",
        ]

    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            (
                {"status": "up", "key": "{{ a }}/{{ b }}/{{ lower(c) }}"},
                "key: b is null, lower(c) cannot be applied: lower() needs string, found null",
            ),
            ({"status": "up", "for_each": "b"}, "for_each: b is null"),
            ({"status": "up", "for_each": "list"}, "for_each: list is []"),
            (
                {"status": "up", "for_each": "keys(b)"},
                "for_each: keys(b) cannot be applied: keys() needs object, found null",
            ),
            (
                {"status": {"from": "lower(b)", "values": {"a": "up"}}},
                "status: lower(b) cannot be applied: lower() needs string, found null",
            ),
        ],
    )
    def test_what_else_can_fail(self, rule: dict[str, Any], reason: str) -> None:
        assert self.explained({"a": 1, "list": []}, rule) == [
            f"r1: not matched; {reason}",
            "=> ignored: no rule matched",
        ]

    def test_a_match_shows_what_shaped_it(self) -> None:
        rule = {
            "status": {"from": "s", "values": {"bad": "down"}},
            "key": "{{ id }}",
            "message": "{{ id }} {{ lower(x) }}",
            "metadata": {"u": "url"},
        }

        lines = self.explained({"s": "bad", "id": 1}, rule, {"status": "up"}, event_id="id")

        assert lines == [
            "r1: matched; down at 2026-01-20T10:30:00.000Z",
            '    s is "bad"',
            "    id is 1",
            "    lower(x) cannot be applied: lower() needs string, found null",
            "    url is null",
            "r2: not tried; an earlier rule decided",
            '=> down, key "1", message "1"',
        ]

    @pytest.mark.parametrize(
        ("status", "lines"),
        [
            ("ignore", ["r1: ignored; its status is ignore", "=> ignored: rule 'r1' ignores it"]),
            (
                {"from": "s", "values": {"a": "up"}},
                [
                    "r1: ignored; the status for 'b' is ignore",
                    '    s is "b"',
                    "=> ignored: rule 'r1': 'b' is ignored",
                ],
            ),
        ],
    )
    def test_ignoring(self, status: Any, lines: list[str]) -> None:
        assert self.explained({"s": "b"}, {"status": status}) == lines

    def test_items_are_numbered(self) -> None:
        rule = {"for_each": "[]", "status": "up", "when": "@ == `1`", "metadata": "@"}

        lines = self.explained([1, 2], rule)

        assert lines == [
            "r1, item 0: matched; up at 2026-01-20T10:30:00.000Z",
            "    @ is 1",
            "r1, item 1: not matched; when: @ == `1` is false",
            "    @ is 2",
            '=> up, key "", message ""',
        ]

    def test_many_attempts_are_not_all_explained(self) -> None:
        found = rules({"for_each": "[]", "status": "up"})

        explanation = explain(found, [1] * (MAX_ATTEMPTS + 1), deliver())

        assert len(explanation.attempts) == MAX_ATTEMPTS
        assert len(explanation.mapped.events) == MAX_ATTEMPTS + 1

    def test_deep_values_are_not_shown(self) -> None:
        assert str(Seen("a", deep())) == "a is nested too deeply to show"
