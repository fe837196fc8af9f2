"""Bodies that platforms really sent, where a collection of them is at hand.

The collection is a folder with an ``index.json``; ``TACO_PAYLOADS`` names it.
"""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.core.model import Delivery
from gateway.core.rules import RuleSet
from gateway.rulefiles import load_rule_file

ROOT = Path(__file__).parent.parent
PAYLOADS = Path(os.environ.get("TACO_PAYLOADS") or ROOT.parent / "shared" / "payloads")
RECEIVED_AT = datetime(2100, 1, 1, tzinfo=UTC)
# Their bodies become payloads by code, not by rules alone.
READ_BY_RULES_ALONE = ("circleci", "github", "native", "stripe")


def entries() -> list[Any]:
    index = PAYLOADS / "index.json"
    found = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else []
    return [entry for entry in found if entry["provider"] in READ_BY_RULES_ALONE]


def rules(provider: str) -> RuleSet:
    path = ROOT / "rules" / f"{provider}.yaml"
    return load_rule_file(path.read_text(encoding="utf-8"), str(path)).rules


RULES = {provider: rules(provider) for provider in READ_BY_RULES_ALONE}


def words(key: str) -> list[str]:
    """The parts of a key, without placeholders such as ``<id>``."""
    return [word for word in re.split("[/@:]", key) if not word.startswith("<")]


@pytest.mark.skipif(not entries(), reason="no collection of payloads")
@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["file"]) for entry in entries()])
def test_real_deliveries_mean_what_is_expected(entry: Any) -> None:
    payload = json.loads((PAYLOADS / entry["file"]).read_bytes())
    headers = {name.lower(): value for name, value in entry["headers"].items()}
    delivery = Delivery(body=b"", headers=headers, received_at=RECEIVED_AT)
    expected = entry["expected"]

    events = RULES[entry["provider"]].map(payload, delivery).events

    assert [event.status for event in events] == (
        [] if expected["outcome"] == "ignored" else [expected["outcome"]]
    )
    for event in events:
        parts = iter(words(event.key))
        # All the parts that the collection names, in order; ours may name more.
        assert all(word in parts for word in words(expected["correlation_key"]))
