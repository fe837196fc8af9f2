from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import SourceErrors
from gateway.core.explanations import explain
from gateway.core.hmac_scheme import Hmac
from gateway.core.model import Delivery
from gateway.core.written_rules import WrittenRule
from gateway.provider import Credential
from gateway.providers import load_providers
from gateway.rulefiles import RuleFile, check_examples, load_rule_file

RULES = Path(__file__).parent.parent / "rules"
BUNDLED = {path.stem: path for path in sorted(RULES.glob("*.yaml"))}
PROVIDERS = load_providers(entry_points=False)
# No event of theirs tells of health, or none of them that it is over.
NEVER = {"discord": {"up", "degraded", "down"}, "twilio": {"down"}}


def bundled_file(name: str) -> RuleFile:
    """A file as its provider sees it: examples are read as a plugin reads them."""
    file = load_rule_file(BUNDLED[name].read_text(encoding="utf-8"), f"rules/{name}.yaml")
    return replace(file, examples=PROVIDERS.get(name).examples)


LOADED = {name: bundled_file(name) for name in BUNDLED}
RULE_SETS = {name: PROVIDERS.get(name).rules for name in BUNDLED}

SMALLEST = """\
provider: acme
rules:
  - name: any
    status: up
"""


def load(text: str) -> RuleFile:
    return load_rule_file(SMALLEST + text, "rules/acme.yaml")


def deliver(**headers: str) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(body=b"", headers=named, received_at=datetime(2026, 1, 20, tzinfo=UTC))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_files_are_named_for_their_provider(name: str) -> None:
    assert LOADED[name].provider == name
    assert LOADED[name].title != name


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_examples_hold(name: str) -> None:
    assert check_examples(LOADED[name], PROVIDERS.written) == []


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_examples_reach_every_rule_and_status(name: str) -> None:
    rule_file = LOADED[name]
    mapped = [
        RULE_SETS[name].map(example.payload, example.delivery) for example in rule_file.examples
    ]
    statuses = {str(event.status) for each in mapped for event in each.events}
    decided = {rule for each in mapped for rule in each.rule.split(", ")}

    assert {"up", "down"} - NEVER.get(name, set()) <= statuses
    # Those of another provider are tried by the examples there.
    own = [each for each in rule_file.written.entries if isinstance(each, WrittenRule)]
    assert decided - {""} >= {each.rule.name for each in own}
    # The native format refuses what it does not know instead of ignoring it.
    assert name == "native" or any(not each.events for each in mapped)


payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "action",
                    "type",
                    "status",
                    "workflow_run",
                    "conclusion",
                    "data",
                    "object",
                    "alert",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
EVENTS = ["workflow_run", "check_run", "status", "deployment_status", "dependabot_alert", "ping"]


@pytest.mark.parametrize("name", BUNDLED)
@given(payload=payloads, event=st.sampled_from(EVENTS))
def test_no_payload_makes_bundled_rules_raise(name: str, payload: Any, event: str) -> None:
    delivery = deliver(x_github_event=event)

    mapped = RULE_SETS[name].map(payload, delivery)

    assert explain(RULE_SETS[name], payload, delivery).mapped == mapped


def test_the_smallest_file() -> None:
    found = load("")

    assert (found.provider, found.title, found.docs) == ("acme", "acme", "")
    assert (found.signature, found.detect, found.credentials, found.examples) == (
        None,
        None,
        (),
        (),
    )
    assert found.source == "rules/acme.yaml"


def test_a_provider_without_code() -> None:
    found = load(
        """\
title: Acme
docs: https://acme.example/webhooks
signature: {type: hmac, header: X-Acme-Signature}
detect: {header: X-Acme-Signature}
credentials:
  - {name: secret}
  - {name: client_id, label: Client, help: See settings., required: true}
"""
    )

    assert (found.title, found.docs) == ("Acme", "https://acme.example/webhooks")
    assert found.signature == Hmac(header=("X-Acme-Signature",))
    assert found.credentials == (
        Credential("secret", "Secret"),
        Credential("client_id", "Client", "See settings.", required=True),
    )


@pytest.mark.parametrize(
    ("detect", "headers", "claimed"),
    [
        ("{header: X-A}", {"x_a": "1"}, True),
        ("{header: X-A}", {"x_b": "1"}, False),
        ("{header: User-Agent, matches: Acme/*}", {"user_agent": "Acme/2"}, True),
        ("{header: User-Agent, matches: Acme/*}", {"user_agent": "curl"}, False),
        ("[{header: X-A}, {header: X-B}]", {"x_b": "1"}, True),
        ("[{header: X-A}, {header: X-B}]", {}, False),
    ],
)
def test_detect(detect: str, headers: dict[str, str], claimed: bool) -> None:
    found = load(f"detect: {detect}\n").detect

    assert found is not None
    assert found(deliver(**headers)) is claimed


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("[]", ["1:1: expected a mapping, found a list"]),
        ("", ["rules/acme.yaml: expected a mapping, found None"]),
        (
            "rules:\n  - name: a\n    status: up\n    when: text == 'a' && containz(text, 'b')\n",
            [
                "1:1: 'provider' is missing",
                "4:26: unknown function 'containz' (did you mean 'contains'?)",
            ],
        ),
        (
            SMALLEST + "signatur: {type: none}\n",
            ["5:1: unknown key 'signatur' (did you mean 'signature'?)"],
        ),
        (
            SMALLEST + "docs: www\ndetect: []\nsignature: {type: basic, prefix: x}\n"
            "credentials: [{name: a, required: 1}, {name: b}]\nexamples: {}\n",
            [
                "5:7: 'www' is not the address of a web page",
                "6:9: the list is empty",
                "7:26: unknown key 'prefix' (known: credential, type)",
                "8:35: expected true or false, found 1",
                "9:11: expected a list, found a mapping",
            ],
        ),
        (
            SMALLEST + "examples:\n  - {payload: {}}\n  - {expect: ignored}\n"
            "  - {payload: {}, body: '{}', expect: ignored}\n  - {body: ok, expect: ignored}\n"
            "  - {payload: {}, expect: up}\n  - {payload: {}, expect: {status: ignore}}\n"
            "  - {payload: {}, expect: [{key: a}]}\n  - {payload: {}, expect: []}\n"
            "  - {payload: {}, headers: {a: 1}, expect: ignored}\n"
            "signature: {type: unsigned, reason: none}\n",
            [
                "6:5: 'expect' is missing",
                "7:5: an example has either 'payload' or 'body'",
                "8:5: an example has either 'payload' or 'body'",
                (
                    "9:12: the body is not JSON: unexpected character, expected a JSON value: "
                    "line 1 column 1 (char 0)"
                ),
                "10:27: expected a mapping, a list of mappings, or the word 'ignored'",
                "11:36: 'ignore' is not one of: up, degraded, down (known: degraded, down, up)",
                "12:28: 'status' is missing",
                "13:27: the list is empty",
                "14:32: expected text, found 1",
            ],
        ),
    ],
)
def test_everything_that_is_wrong_is_told_with_its_place(text: str, errors: list[str]) -> None:
    with pytest.raises(SourceErrors) as raised:
        load_rule_file(text, "rules/acme.yaml")

    found = [str(error) for error in raised.value.errors]
    expected = [one if one.startswith("rules") else f"rules/acme.yaml:{one}" for one in errors]
    assert found == expected


EXAMPLES = """\
provider: acme
rules:
  - name: runs
    for_each: runs
    status: {from: s, values: {ok: up, bad: down}}
    key: "{{ id }}"
    occurred_at: at
    metadata: {query: query('env'), header: header('X-Env')}
examples:
"""


@pytest.mark.parametrize(
    ("example", "expect"),
    [
        ("payload: {runs: [{s: ok, id: 1}]}", "{status: up, key: '1'}"),
        ('body: \'{"runs": [{"s": "bad", "id": 1}]}\'', "[{status: down}]"),
        (
            "headers: {X-Env: a}, query: {env: b}, payload: {runs: [{s: ok, id: 1}]}",
            "{status: up, metadata: {query: b, header: a}}",
        ),
        (
            "payload: {runs: [{s: ok, id: 1, at: 1768905000}]}",
            "{status: up, occurred_at: '2026-01-20T10:30:00Z'}",
        ),
        ("payload: {}", "ignored"),
    ],
)
def test_examples_that_hold(example: str, expect: str) -> None:
    text = f"{EXAMPLES}  - {{{example}, expect: {expect}}}\n"

    assert check_examples(load_rule_file(text, "x.yaml")) == []


@pytest.mark.parametrize(
    ("example", "expect", "failures"),
    [
        ("payload: {}", "{status: up}", ["example 0: it is ignored: no rule matched"]),
        (
            "payload: {runs: [{s: ok, id: 1}]}",
            "ignored",
            ["example 0: it gives 1 events and not 0"],
        ),
        (
            "name: mine, payload: {runs: [{s: ok, id: 1, at: 1768905000}, {s: bad, id: ü}]}",
            "[{status: up, occurred_at: 1768905001}, {status: up, key: ö, rule: runs}]",
            [
                'mine: occurred_at is "2026-01-20T10:30:00+00:00" and not 1768905001',
                'mine: status is "down" and not "up"',
                'mine: key is "ü" and not "ö"',
            ],
        ),
    ],
)
def test_examples_that_do_not_hold(example: str, expect: str, failures: list[str]) -> None:
    text = f"{EXAMPLES}  - {{{example}, expect: {expect}}}\n"

    found = check_examples(load_rule_file(text, "x.yaml"))

    assert [str(failure) for failure in found] == [f"x.yaml:10:5: {one}" for one in failures]


class TestKnownAnswers:
    FILE = """\
provider: acme
signature: {type: hmac, header: X-Acme}
rules: [{name: any, status: up}]
known_answers:
  - credentials: {secret: [old, s3cret]}
    headers: {X-Acme: 59ef9c2aa1ed0ef4f6df83e4aa1c7a7b}
    url: https://acme.example/?a=b
    query: {c: d}
    at: "2026-01-20T10:30:00Z"
    fetched: {"https://acme.example/key": text}
    body: "{}"
"""

    def test_read(self) -> None:
        (answer,) = load_rule_file(self.FILE, "acme.yaml").known_answers

        assert answer.name == "known answer 0"
        assert answer.credentials == {"secret": ("old", "s3cret")}
        assert answer.delivery == Delivery(
            body=b"{}",
            headers={"x-acme": "59ef9c2aa1ed0ef4f6df83e4aa1c7a7b"},
            received_at=datetime(2026, 1, 20, 10, 30, tzinfo=UTC),
            query={"a": "b", "c": "d"},
            url="https://acme.example/?a=b",
            fetched={"https://acme.example/key": b"text"},
        )

    @pytest.mark.parametrize(
        ("old", "new", "error"),
        [
            ("[old, s3cret]", "[]", "5:27: the list is empty"),
            ("{secret: [old, s3cret]}", "{}", "5:18: no credential is given, and so nothing is"),
            (
                "credentials: {secret: [old, s3cret]}",
                "method: PUT",
                "5:5: 'credentials' is missing",
            ),
            ('"2026-01-20T10:30:00Z"', "never", "9:9: expected a time, as text or in seconds"),
            ("at:", "when:", "9:5: unknown key 'when'"),
        ],
    )
    def test_written_wrongly(self, old: str, new: str, error: str) -> None:
        with pytest.raises(SourceErrors) as raised:
            load_rule_file(self.FILE.replace(old, new), "acme.yaml")

        assert str(raised.value).startswith(f"acme.yaml:{error}")


class TestRulesOfOthers:
    """Rules that stand in one file for two providers."""

    DEPOT = """\
provider: depot
defaults: {key: "depot {{ id }}", event_id: number}
rules:
  - {name: in, when: "state == 'in'", status: up}
  - {name: out, when: "state == 'out'", status: down, key: "{{ id }}"}
"""
    SHOP = """\
provider: shop
signature: {type: bearer}
defaults: {key: "shop {{ id }}"}
rules:
  - {name: open, when: open, status: up}
  - rules_of: depot
  - {name: rest, status: degraded}
examples:
  - {payload: {state: in, id: 1, number: n}, expect: {status: up, key: shop 1, rule: in}}
  - {payload: {state: out, id: 1}, expect: {status: down, key: "1", rule: out}}
  - {payload: {id: 1}, expect: {status: degraded, rule: rest}}
"""

    def found(self, shop: str, **others: str) -> list[str]:
        files = {name: load_rule_file(text, f"{name}.yaml") for name, text in others.items()}
        written = {name: file.written for name, file in files.items()}
        file = load_rule_file(shop, "shop.yaml")
        with pytest.raises(SourceErrors) as raised:
            file.rules({**written, file.provider: file.written})
        return [str(error) for error in raised.value.errors]

    def test_stand_where_they_are_named_with_the_defaults_of_that_file(self) -> None:
        depot = load_rule_file(self.DEPOT, "depot.yaml").written
        shop = load_rule_file(self.SHOP, "shop.yaml")
        rules = shop.rules({"depot": depot})

        assert [rule.name for rule in rules.rules] == ["open", "in", "out", "rest"]
        assert {rule.name: rule.event_id for rule in rules.rules}["in"] is None
        assert check_examples(shop, {"depot": depot}) == []
        assert shop.written.reuses
        assert not depot.reuses

    def test_of_those_that_reuse_themselves(self) -> None:
        files = {
            "depot": load_rule_file(self.DEPOT, "depot.yaml").written,
            "shop": load_rule_file(self.SHOP, "shop.yaml").written,
        }
        mall = load_rule_file("provider: mall\nrules: [{rules_of: shop}]\n", "mall.yaml")

        assert [rule.name for rule in mall.rules(files).rules] == ["open", "in", "out", "rest"]

    @pytest.mark.parametrize(
        ("entry", "error"),
        [
            (
                "rules_of: depto",
                "shop.yaml:6:15: no provider 'depto' has rules (did you mean 'depot'?)",
            ),
            ("rules_of: shop", "shop.yaml:6:15: these rules would never end: shop -> shop"),
            (
                "{name: in, status: up}\n  - rules_of: depot",
                "shop.yaml:7:15: there are two rules named 'in'",
            ),
            (
                "rules_of: depot\n  - {name: out, status: up}",
                "shop.yaml:7:5: there are two rules named 'out'",
            ),
        ],
    )
    def test_that_cannot_stand_there(self, entry: str, error: str) -> None:
        shop = self.SHOP.replace("rules_of: depot", entry)

        assert self.found(shop, depot=self.DEPOT) == [error]

    def test_in_a_circle(self) -> None:
        depot = self.DEPOT + "  - rules_of: shop\n"

        assert self.found(self.SHOP, depot=depot) == [
            "shop.yaml:6:15: these rules would never end: depot -> shop -> depot"
        ]

    def test_too_many(self) -> None:
        many = "".join(f"  - {{name: r{each}, status: up}}\n" for each in range(499))
        depot = f"provider: depot\nrules:\n{many}"

        assert self.found(self.SHOP, depot=depot) == [
            "shop.yaml:7:5: from here on there are more than 500 rules"
        ]

    @pytest.mark.parametrize(
        ("entry", "error"),
        [
            ("{rules_of: depot, when: open}", "6:23: unknown key 'when' (known: rules_of)"),
            ("{rules_of: 7}", "6:16: expected text, found 7"),
        ],
    )
    def test_written_wrongly(self, entry: str, error: str) -> None:
        with pytest.raises(SourceErrors) as raised:
            load_rule_file(self.SHOP.replace("rules_of: depot", entry), "shop.yaml")

        assert str(raised.value) == f"shop.yaml:{error}"
