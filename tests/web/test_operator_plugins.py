"""Plugins of an operator: what they may do, and what becomes of their mistakes."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from gateways import Gateway

# Nothing here depends on the database, and each test starts a gateway of its own.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PLUGIN = """
from gateway import Outcome, Provider, Reply, Unsigned, hookimpl


def never(*arguments):
    raise RuntimeError("a mistake with a secret in it")


def greet(delivery, credentials):
    challenge = delivery.query.get("challenge")
    return Reply(201, challenge.encode(), "text/x-challenge") if challenge else None


def confirm(outcome):
    return Reply(202, f"<{outcome}/>".encode(), "text/xml") if outcome is Outcome.RECORDED else None


def parse(delivery):
    return {"status": "up", "secret": "hide", "items": [{"pin": 1}]}


@hookimpl
def register_providers(register):
    unsigned = Unsigned("made for a test")
    register(Provider("acme", "Acme", unsigned, handshake=greet, reply=confirm,
                      parse=parse, redact=("secret", "items.*.pin")))
    register(Provider("odd", "Odd", unsigned, parse=lambda d: {"id": 2**70}, redact=("x",)))
    register(Provider("broken_parse", "Broken", unsigned, parse=never))
    register(Provider("broken_handshake", "Broken", unsigned, handshake=never))
    register(Provider("broken_detect", "Broken", unsigned,
                      detect=lambda d: d.header("x-broken") is not None and never()))
    register(Provider("broken_reply", "Broken", unsigned, reply=never))
"""
RULES = """
provider: {name}
title: Made for a test
rules:
  - name: any
    status: up
examples:
  - payload: {{}}
    expect: {{status: up}}
"""
NAMES = ["acme", "odd", "broken_parse", "broken_handshake", "broken_detect", "broken_reply"]
SETTINGS = "plugins: [plugins]\nrules: [rules]\n"


@pytest.fixture
def own(start: Any, tmp_path: Path) -> Gateway:
    for folder in ("plugins", "rules"):
        (tmp_path / folder).mkdir()
    (tmp_path / "plugins" / "acme.py").write_text(PLUGIN)
    for name in NAMES:
        (tmp_path / "rules" / f"{name}.yaml").write_text(RULES.format(name=name))
    started: Gateway = start(SETTINGS)
    return started


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("broken_parse", {}),
        ("broken_handshake", {}),
        ("auto", {"x-broken": "1"}),
    ],
)
def test_a_plugin_that_raises(
    own: Gateway, provider: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    monitor = own.monitor(provider)

    answer = own.post(monitor, b'{"status": "down"}', headers)

    assert answer.status_code == 503
    assert answer.json == {
        "error": "Não foi possível processar o webhook; tente novamente",
        "code": "delivery_failed",
    }
    assert int(answer.headers["retry-after"]) >= 1
    [(outcome, reason)] = own.log(monitor)
    assert outcome == "failed"
    assert "RuntimeError" in reason
    assert "mistake" not in reason
    assert not own.stored(monitor)
    assert f"monitor {monitor.id} failed" in caplog.text
    assert "a mistake" in caplog.text
    assert monitor.token not in caplog.text
    fine = own.monitor()
    assert own.post(fine, b'{"status": "up"}').status_code == 200


def test_a_reply_that_raises_does_not_take_back_what_is_stored(own: Gateway) -> None:
    monitor = own.monitor("broken_reply")

    answer = own.post(monitor, b"{}")

    assert own.log(monitor) == [("recorded", "")]
    assert answer.status_code == 200
    assert answer.json["result"]["outcome"] == "recorded"


def test_a_reply_that_raises_is_described_as_what_is_given_instead(own: Gateway) -> None:
    items = own.manage("GET", "/providers").json["items"]
    answers = {item["name"]: item["answer"] for item in items}

    assert answers["broken_reply"] is None
    assert answers["acme"] == {"status": 202, "contentType": "text/xml", "body": "<recorded/>"}


def test_a_provider_that_is_not_loaded_any_more(own: Gateway) -> None:
    monitor = own.monitor("gone")

    answer = own.post(monitor, b"{}")

    assert (answer.status_code, answer.json["code"]) == (503, "delivery_failed")
    [(outcome, reason)] = own.log(monitor)
    assert (outcome, "no provider 'gone'" in reason) == ("failed", True)


def test_a_handshake_gets_the_answer_its_sender_wants(own: Gateway) -> None:
    monitor = own.monitor("acme")

    answer = own.request("POST", f"/webhooks/{monitor.token}?challenge=c%20d")

    assert (answer.status_code, answer.content) == (201, b"c d")
    assert answer.headers["content-type"] == "text/x-challenge"
    assert own.log(monitor) == [("handshake", "")]
    assert not own.stored(monitor)


def test_a_reply_takes_the_place_of_the_usual_answer(own: Gateway) -> None:
    monitor = own.monitor("acme")

    answer = own.post(monitor, b"{}")

    assert (answer.status_code, answer.content) == (202, b"<recorded/>")
    assert answer.headers["content-type"] == "text/xml"


def test_what_is_to_be_redacted_is_not_stored(own: Gateway) -> None:
    monitor = own.monitor("acme")

    own.post(monitor, b"the body with a secret")

    [line] = own.manage("GET", f"/monitors/{monitor.id}/deliveries").json["items"]
    assert "hide" not in line["body"]
    kept = orjson.loads(line["body"])
    assert kept["secret"] == "[redacted]"
    assert kept["items"] == [{"pin": "[redacted]"}]


def test_an_odd_payload_that_is_to_be_redacted(own: Gateway) -> None:
    monitor = own.monitor("odd")

    assert own.post(monitor, b"{}").status_code == 200
