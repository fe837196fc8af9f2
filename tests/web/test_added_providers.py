"""A provider is added by its own files: one of YAML, or two where its body needs code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import conformance
import pytest
from gateways import Gateway, signed_for

from gateway.core.model import Delivery

YAML_ONLY = """\
provider: taqueria
title: Taqueria
docs: https://taqueria.example/webhooks
signature: {type: hmac, header: X-Taqueria-Signature, prefix: sha256=}
detect: {header: X-Taqueria-Event}
credentials:
  - {name: secret, label: Shared secret, help: In the settings of the kitchen.}
redact: [guest]
rules:
  - name: stove
    when: header('X-Taqueria-Event') == 'stove'
    status:
      from: state
      values: {cooking: up, smoking: degraded, burning: down}
    key: "{{ kitchen }}/{{ stove }}"
    message: "Stove {{ stove }} is {{ state }}"
    event_id: id
examples:
  - name: a fire
    headers: {X-Taqueria-Event: stove}
    payload: {id: "1", kitchen: north, stove: 2, state: burning, guest: Ana}
    expect: {status: down, key: north/2, message: Stove 2 is burning}
  - name: a guest
    headers: {X-Taqueria-Event: guest}
    payload: {id: "2", guest: Ana}
    expect: ignored
known_answers:
  - credentials: {secret: "It's a Secret to Everybody"}
    headers:
      X-Taqueria-Signature: >-
        sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17
    body: Hello, World!
"""
RULES_BESIDE_CODE = "\n".join(
    line for line in YAML_ONLY.splitlines() if not line.startswith(("signature:", "docs:"))
)
CODE = '''\
"""Taqueria: its lines are no JSON."""

from gateway import Hmac, MalformedPayload, Provider, hookimpl, parse_json


def parse(delivery):
    """JSON with a word in front of it."""
    word, _, rest = delivery.body.partition(b" ")
    if word != b"TACO":
        raise MalformedPayload("the body does not begin with TACO")
    return parse_json(rest)


@hookimpl
def register_providers(register):
    """Register Taqueria."""
    signature = Hmac(header="X-Taqueria-Signature", prefix="sha256=")
    register(Provider("taqueria", title="Taqueria", signature=signature, parse=parse))
'''
SETTINGS = {
    "rules/taqueria.yaml": "rules: [rules]\n",
    "plugins/taqueria.py": "plugins: [plugins]\n",
}
IN_WORDS = RULES_BESIDE_CODE.replace(
    'payload: {id: "1", kitchen: north, stove: 2, state: burning, guest: Ana}',
    """body: 'TACO {"id":"1","kitchen":"north","stove":2,"state":"burning","guest":"Ana"}'""",
).replace('payload: {id: "2", guest: Ana}', """body: 'TACO {"id": "2", "guest": "Ana"}'""")

ADDED = [
    pytest.param({"rules/taqueria.yaml": YAML_ONLY}, id="one file"),
    pytest.param({"rules/taqueria.yaml": IN_WORDS, "plugins/taqueria.py": CODE}, id="two files"),
]


@pytest.mark.parametrize("files", ADDED)
def test_the_files_are_all_that_it_takes(
    start: Any, tmp_path: Path, files: Mapping[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    gateway: Gateway = start("".join(SETTINGS[name] for name in files))
    loaded = gateway.providers.get("taqueria")

    conformance.check_complete(loaded)
    conformance.check_examples(loaded)
    conformance.check_claims(loaded, gateway.providers)
    conformance.check_answers_anything(loaded)
    names = set()
    for case in conformance.cases(loaded):
        case.check()
        names.add(case.name.rpartition(": ")[2])

    assert names >= {"known answer", "tampered", "missing", "malformed", "wrong secret"}
    assert names >= {"second of two secrets", "not UTF-8"}
    for provider in ("taqueria", "auto"):
        check_delivered(gateway, provider)


def check_delivered(gateway: Gateway, provider: str) -> None:
    """Verified, mapped, recorded and redacted; refused with another secret."""
    loaded = gateway.providers.get("taqueria")
    monitor = gateway.monitor(provider, credentials={"secret": ("s3cret",)})
    example = loaded.examples[0]
    unsigned = Delivery(example.body, example.headers, example.delivery.received_at)

    refused = gateway.deliver(monitor, unsigned)
    assert (refused.status_code, refused.json["code"]) == (401, "signature_missing")
    assert not gateway.stored(monitor)

    sent = signed_for(loaded, example.body, "s3cret", headers=example.headers)
    answer = gateway.deliver(monitor, sent)

    assert answer.status_code == 200, answer.text
    assert answer.json["monitor"]["status"] == "down"
    assert answer.json["result"]["provider"] == "taqueria"
    [check] = gateway.manage("GET", f"/monitors/{monitor.id}/checks").json["items"]
    assert (check["key"], check["message"]) == ("north/2", "Stove 2 is burning")
    [line, _] = gateway.manage("GET", f"/monitors/{monitor.id}/deliveries").json["items"]
    assert "Ana" not in line["body"]
