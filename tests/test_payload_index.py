"""Bodies that platforms really sent, where a collection of them is at hand.

The collection is a folder with an ``index.json``; ``TACO_PAYLOADS`` names it.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from gateway.core.model import Delivery
from gateway.providers import load_providers

ROOT = Path(__file__).parent.parent
PAYLOADS = Path(os.environ.get("TACO_PAYLOADS") or ROOT.parent / "shared" / "payloads")
RECEIVED_AT = datetime(2100, 1, 1, tzinfo=UTC)
PROVIDERS = load_providers(entry_points=False)


def entries() -> list[Any]:
    index = PAYLOADS / "index.json"
    found = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else []
    return [entry for entry in found if provider_of(entry) in PROVIDERS]


def provider_of(entry: Any) -> str:
    """Ours: messages in the shape of a chat's incoming webhooks come from other tools."""
    name = str(entry["provider"])
    shaped = name in {"slack", "discord"} and "incoming" in entry["event"]
    return f"{name}_shaped" if shaped else name


def delivery(entry: Any) -> Delivery:
    body = (PAYLOADS / entry["file"]).read_bytes()
    headers = {name.lower(): value for name, value in entry["headers"].items()}
    if "GET" in entry["content_type"]:
        query = dict(parse_qsl(body.decode()))
        return Delivery(b"", headers, RECEIVED_AT, query=query, method="GET")
    kind = {"content-type": entry["content_type"]}
    return Delivery(body, {**kind, **headers}, RECEIVED_AT)


needs_payloads = pytest.mark.skipif(not entries(), reason="no collection of payloads")
each_entry = pytest.mark.parametrize(
    "entry", [pytest.param(entry, id=entry["file"]) for entry in entries()]
)


@needs_payloads
@each_entry
def test_real_deliveries_mean_what_is_expected(entry: Any) -> None:
    loaded = PROVIDERS.get(provider_of(entry))
    real = delivery(entry)

    events = loaded.rules.map(loaded.parse(real), real).events

    outcomes = {str(event.status) for event in events} or {"ignored"}
    assert outcomes == {entry["expected"]["outcome"]}


@needs_payloads
@each_entry
def test_real_deliveries_are_claimed_by_no_other(entry: Any) -> None:
    real = delivery(entry)

    claimed = [each.name for each in PROVIDERS if each.detect(real)]

    assert set(claimed) <= {provider_of(entry)}
