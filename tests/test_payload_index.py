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

# Where the index describes the key in words: what it comes to.
DESCRIBED = {
    "alertmanager/firing-v4-no-fingerprint.json": (
        'thing_dead/{"alertname":"thing_dead","severity":"critical"}'
    ),
    "aws_eventbridge/codedeploy-deployment-success.json": (
        "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:myApplication/myDeploymentGroup"
    ),
    "azure/common-metric-resolved.json": (
        "3f2d4487-b0fc-4125-8bd5-7ad17384221e"
        "_PipeLineAlertRG_microsoft.insights_metricAlerts_WCUS-R2-Gen2_-117781227"
    ),
    "azure/common-resource-health-unavailable.json": (
        "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/test-RG"
        "/providers/microsoft.compute/virtualmachines/test-VM"
    ),
    "azure/common-smart-detector-fired.json": (
        "1234abcd5678efgh1234abcd5678efgh1234abcd5678efgh1234abcd5678efgh"
    ),
    "azure/metric-alert-v2-deactivated.json": (
        "/subscriptions/ba364c14-1aa5-484e-8b74-6201540087e1/resourceGroups/Web"
        "/providers/microsoft.insights/metricAlerts/Percentage%20CPU%20greater%20than%2070"
        "@/subscriptions/ba364c14-1aa5-484e-8b74-6201540087e1/resourceGroups/Web"
        "/providers/Microsoft.Compute/virtualMachines/web01"
    ),
    "discord/incoming-alertmanager-firing-red.json": "Test Title",
    "gitlab/build-succeeded-2016.json": "1740047/job/job_name@master",
    "gitlab/deployment-failed.json": "vedant8600317/test/env/production",
    "gitlab/deployment-success.json": "root/test-deployment-webhooks/env/staging",
    "gitlab/job-failed.json": "380/job/test@gitlab-script-trigger",
    "grafana/legacy-alerting.json": "rule:7",
    "grafana/legacy-ok.json": "rule:7",
    "pagerduty/v3-incident-resolved.json": "incident:PCPZE64",
    "pagerduty/v3-incident-triggered.json": "incident:PFQZPSY",
    "sentry/event-alert-triggered-message-go.json": "issue:1638844654",
    "slack/incoming-alertmanager-firing-danger.json": (
        'InstanceDown for api-server (env="prod", severity="critical")'
    ),
    "slack/incoming-build-succeeded-good.json": "Build bla bla",
    "stripe/invoice-paid.json": "invoice:in_000000000000000000000000",
    "stripe/invoice-payment_failed.json": "invoice:in_000000000000000000000000",
    "twilio/mock-message-status-delivered.form": "sms:ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "twilio/mock-message-status-failed.form": "sms:SMcccccccccccccccccccccccccccccccc",
    "whatsapp/template-status-rejected.json": "template:1689556908129835",
}
# Where ours is another key than that of the index, and what the provider's page says about it.
ARGUED = {
    "alertmanager/firing-two-alerts.json": (
        "High CPU Temperature/a1bc48475b20e73d, High CPU Temperature/c2ea85182f28cbd9",
        "the fingerprint behind it keeps alerts apart",
    ),
    "alertmanager/resolved-single.json": (
        "High CPU Temperature/a1bc48475b20e73d",
        "the fingerprint behind it keeps alerts apart",
    ),
    "asaas/balance-value-blocked.json": (
        "account:47ed0d25-f9fb-4b35-b23a-d8895caf92b7/balance",
        "A blocked balance has a key of its own",
    ),
    "asaas/payment-received.json": (
        "payment:pay_080225913252",
        "Keys begin with what they are about",
    ),
    "github/code_scanning_alert-fixed.json": (
        "Codertocat/Hello-World/alert/code_scanning_alert/10",
        "Alerts are numbered for each kind apart",
    ),
    "github/dependabot_alert-created.json": (
        "wolfy1339/pika-pack/alert/dependabot_alert/20",
        "Alerts are numbered for each kind apart",
    ),
    "github/workflow_job-completed-failure.json": (
        "Codertocat/Hello-World/job/CodeQL/linters@main",
        "the workflow is part of a job's key",
    ),
    "grafana/unified-firing-v11.json": (
        "Memory (copy)/e6349a25f5ef0e9e",
        "the fingerprint behind it keeps alerts apart",
    ),
    "grafana/unified-resolved-v9.json": (
        "Test alert/d8a21484c9c25a60",
        "the fingerprint behind it keeps alerts apart",
    ),
    "newrelic/issue-activated-critical.json": (
        "issue:c5faa7e6-7b54-402d-af79-f99601e0278c",
        "Keys begin with `issue:` or `incident:`",
    ),
    "newrelic/issue-closed.json": (
        "issue:95a9344a-2590-48ce-8d83-07e28b6d22c6",
        "Keys begin with `issue:` or `incident:`",
    ),
    "shopify/mock-app-uninstalled.json": (
        "test.myshopify.com/app",
        "The key of the app is the shop with `/app` behind it",
    ),
    "slack/events-app-rate-limited.json": (
        "T123ABC456/rate limit",
        "have a key each below the workspace",
    ),
    "vercel/mock-deployment-error.json": (
        "test-app@preview",
        "The key is project and target, not the deployment",
    ),
    "vercel/mock-deployment-succeeded.json": (
        "test-app@preview",
        "The key is project and target, not the deployment",
    ),
    "whatsapp/account-restriction.json": (
        "waba:102290129340398/restriction",
        "of an account have a key each",
    ),
    "whatsapp/template-quality-yellow.json": (
        "template:806312974732579/quality",
        "a template's approval and its quality",
    ),
}

# What nobody can tell by its looks: a shape that has been retired, cut down to two fields.
UNRECOGNIZABLE = {"circleci/legacy-v1-build-failed-minimal.json"}

ROOT = Path(__file__).parent.parent
PAYLOADS = Path(os.environ.get("TACO_PAYLOADS") or ROOT.parent / "shared" / "payloads")
RECEIVED_AT = datetime(2100, 1, 1, tzinfo=UTC)
PROVIDERS = load_providers(entry_points=False)


def entries() -> Any:
    index = PAYLOADS / "index.json"
    return json.loads(index.read_text(encoding="utf-8")) if index.is_file() else []


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
    assert ", ".join(event.key for event in events) == key_of(entry)


def key_of(entry: Any) -> str:
    """Every key of the delivery; nothing where it is to be ignored."""
    if entry["expected"]["outcome"] == "ignored":
        return ""
    name = entry["file"]
    return str(
        ARGUED[name][0]
        if name in ARGUED
        else DESCRIBED.get(name, entry["expected"]["correlation_key"])
    )


@needs_payloads
def test_every_exception_is_one() -> None:
    keys = {entry["file"]: entry["expected"].get("correlation_key") for entry in entries()}

    assert [name for name in DESCRIBED if keys[name] == DESCRIBED[name]] == []
    assert [name for name in ARGUED if keys[name] == ARGUED[name][0]] == []


@pytest.mark.parametrize("name", ARGUED)
def test_another_key_is_argued_on_the_page(name: str) -> None:
    page = ROOT / "docs" / "providers" / f"{Path(name).parent}.md"

    assert ARGUED[name][1] in " ".join(page.read_text(encoding="utf-8").split())


@needs_payloads
@each_entry
def test_real_deliveries_are_claimed_by_their_provider_alone(entry: Any) -> None:
    real = delivery(entry)
    claimed = [each.name for each in PROVIDERS if each.detect(real)]

    assert claimed == ([] if entry["file"] in UNRECOGNIZABLE else [provider_of(entry)])
