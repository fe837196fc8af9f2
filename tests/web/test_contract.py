"""The public answers that existing clients depend on, byte for byte."""

from typing import Any

import orjson
import pytest
from gateways import PUBLIC_URL, Gateway, signed_for

from gateway.core.times import parse_time

UNKNOWN = "f" * 64
NOT_FOUND = {
    "pt-BR": "Monitor não encontrado ou token inválido",
    "en": "Monitor not found or invalid token",
}
BAD_SIGNATURE = {"pt-BR": "Assinatura webhook inválida", "en": "Invalid webhook signature"}
LANGUAGES = [
    ({}, "pt-BR"),
    ({"Accept-Language": "en"}, "en"),
    ({"Accept-Language": "en-GB,en;q=0.9"}, "en"),
    ({"Accept-Language": "pt"}, "pt-BR"),
    ({"Accept-Language": "pt-PT"}, "pt-BR"),
    ({"Accept-Language": "de, en;q=0.5, pt;q=0.4"}, "en"),
    ({"Accept-Language": "en;q=0.4, pt-BR;q=0.8"}, "pt-BR"),
    ({"Accept-Language": "de"}, "pt-BR"),
    ({"Accept-Language": "en;q=0"}, "pt-BR"),
    ({"Accept-Language": "en;q=rubbish"}, "pt-BR"),
    ({"Accept-Language": "*"}, "pt-BR"),
    ({"Accept-Language": ",;;q=,"}, "pt-BR"),
]


@pytest.mark.parametrize("status", ["up", "degraded", "down"])
def test_a_delivery_is_answered_with_the_monitor_and_the_result(
    gateway: Gateway, status: str
) -> None:
    monitor = gateway.monitor()

    answer = gateway.post(monitor, orjson.dumps({"status": status}))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "success": True,
        "monitor": {"id": monitor.id, "name": monitor.name, "status": status},
        "result": {
            "outcome": "recorded",
            "provider": "native",
            "rule": "native",
            "reason": None,
            "events": 1,
        },
    }


def test_the_status_told_is_that_of_the_monitor_not_of_the_event(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    gateway.post(monitor, b'{"status": "down", "key": "a"}')

    answer = gateway.post(monitor, b'{"status": "up", "key": "b"}')

    assert answer.json["monitor"]["status"] == "down"


RESULTS = [
    ("github", {"x-github-event": "ping"}, b'{"zen": "Keep it."}', "ignored", 0),
    ("github", {"x-github-event": "push"}, b'{"ref": "refs/heads/main"}', "ignored", 0),
    ("auto", {"x-github-event": "ping"}, b"{}", "ignored", 0),
    ("native", {}, b'{"status": "up"}', "recorded", 1),
]


@pytest.mark.parametrize(("provider", "headers", "body", "outcome", "events"), RESULTS)
def test_the_result_says_what_became_of_a_delivery(
    gateway: Gateway,
    provider: str,
    headers: dict[str, str],
    body: bytes,
    outcome: str,
    events: int,
) -> None:
    monitor = gateway.monitor(provider)

    answer = gateway.post(monitor, body, headers)

    assert answer.status_code == 200
    assert (answer.json["result"]["outcome"], answer.json["result"]["events"]) == (outcome, events)
    assert [line[0] for line in gateway.log(monitor)] == [outcome]


def test_repeated_and_late_events_are_told_apart(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    new = b'{"status": "down", "event_id": "1", "occurred_at": "2026-01-20T10:30:00Z"}'
    old = b'{"status": "up", "event_id": "0", "occurred_at": "2026-01-20T10:29:00Z"}'

    outcomes = [gateway.post(monitor, body).json["result"]["outcome"] for body in (new, new, old)]

    assert outcomes == ["recorded", "duplicate", "late"]
    assert gateway.reread(monitor).status == "down"


def test_a_paused_monitor_answers_and_logs(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    gateway.manage("PATCH", f"/monitors/{monitor.id}", json={"active": False})

    answer = gateway.post(monitor, b'{"status": "down"}')

    assert answer.status_code == 200
    assert answer.json["result"] | {"events": 0} == {
        "outcome": "ignored",
        "provider": "native",
        "rule": "native",
        "reason": "paused",
        "events": 0,
    }
    assert not gateway.stored(monitor)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_heartbeat_is_answered_with_its_time(gateway: Gateway, method: str) -> None:
    monitor = gateway.monitor(heartbeat_interval=300)

    answer = gateway.request(method, f"/webhooks/{monitor.token}/heartbeat")

    after = gateway.reread(monitor)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert after.last_heartbeat is not None
    assert after.status == "up"
    if method == "HEAD":
        assert answer.content == b""
        return
    told = answer.json["monitor"]["lastHeartbeat"]
    assert answer.json == {
        "success": True,
        "monitor": {"id": monitor.id, "name": monitor.name, "lastHeartbeat": told},
    }
    assert len(told) == len("2026-01-20T10:30:00.000Z")
    assert parse_time(told) == after.last_heartbeat.replace(
        microsecond=after.last_heartbeat.microsecond // 1000 * 1000
    )


def test_a_heartbeat_with_a_body_is_a_heartbeat(gateway: Gateway) -> None:
    monitor = gateway.monitor()

    answer = gateway.request("POST", f"/webhooks/{monitor.token}/heartbeat", body=b"anything \xff")

    assert answer.json["success"] is True


TOKENS = [
    UNKNOWN,
    "short",
    "F" * 64,
    "f" * 65,
    "..",
    "é" * 64,
    "\N{ARABIC-INDIC DIGIT ONE}" * 64,
    "f" * 5000,
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: f"{token[:8]} x{len(token)}")
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("GET", "/heartbeat"), ("POST", "/heartbeat")],
)
def test_an_unknown_token(gateway: Gateway, method: str, path: str, token: str) -> None:
    answer = gateway.request(method, f"/webhooks/{token}{path}", body=b"{}")

    assert answer.status_code == 404
    assert answer.json == {"error": NOT_FOUND["pt-BR"], "code": "monitor_not_found"}


@pytest.mark.parametrize(("headers", "language"), LANGUAGES)
def test_errors_speak_the_language_of_the_client(
    gateway: Gateway, headers: dict[str, str], language: str
) -> None:
    unknown = gateway.request("POST", f"/webhooks/{UNKNOWN}", headers=headers)
    monitor, _ = gateway.signed_monitor("native")
    unsigned = gateway.post(monitor, b'{"status": "up"}', headers)

    assert unknown.json == {"error": NOT_FOUND[language], "code": "monitor_not_found"}
    assert unsigned.json == {"error": BAD_SIGNATURE[language], "code": "signature_missing"}


def signature_cases() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("native", "signature_missing", {}),
        ("native", "signature_malformed", {"x-webhook-signature": "not hex"}),
        ("native", "signature_mismatch", {"x-webhook-signature": "0" * 64}),
        ("github", "signature_missing", {"x-hub-signature": "sha1=" + "0" * 40}),
        ("github", "signature_malformed", {"x-hub-signature-256": "0" * 64}),
        ("github", "signature_mismatch", {"x-hub-signature-256": "sha256=" + "0" * 64}),
        ("stripe", "signature_missing", {}),
        ("stripe", "signature_malformed", {"stripe-signature": "t=now,v1=1"}),
        ("stripe", "signature_mismatch", {"stripe-signature": "t=1768905000,v1=" + "0" * 64}),
    ]


@pytest.mark.parametrize(("provider", "code", "headers"), signature_cases())
def test_a_delivery_that_does_not_prove_its_origin(
    gateway: Gateway, provider: str, code: str, headers: dict[str, str]
) -> None:
    monitor, _ = gateway.signed_monitor(provider)

    answer = gateway.post(monitor, b'{"status": "down"}', headers)

    assert answer.status_code == 401
    assert answer.json == {"error": BAD_SIGNATURE["pt-BR"], "code": code}
    assert not gateway.stored(monitor)
    [(outcome, reason)] = gateway.log(monitor)
    assert outcome == "rejected"
    assert reason.startswith(f"{code}: ")


def test_a_stale_signature(gateway: Gateway) -> None:
    monitor, secret = gateway.signed_monitor("stripe")
    delivery = signed_for(
        gateway.providers.get("stripe"), b"{}", secret, now=parse_time("2026-01-20T10:30:00Z")
    )

    answer = gateway.deliver(monitor, delivery)

    assert (answer.status_code, answer.json["code"]) == (401, "signature_stale")
    assert gateway.log(monitor)[0][0] == "rejected"
    assert not gateway.stored(monitor)


def test_detection_never_leads_around_the_secret(gateway: Gateway) -> None:
    """With a secret every path must verify, whatever provider the headers speak of."""
    monitor = gateway.monitor("auto", credentials={"secret": ("known",)})

    for loaded in gateway.providers:
        for example in loaded.examples[:1]:
            answer = gateway.post(monitor, example.body, example.headers)
            assert answer.status_code == 401, loaded.name
    assert not gateway.stored(monitor)


METHODS = [
    ("/webhooks/{token}", "POST, OPTIONS", ["GET", "PUT"]),
    ("/webhooks/{token}", "GET, POST, PUT, OPTIONS", ["HEAD", "PATCH", "DELETE"]),
    ("/webhooks/{token}/heartbeat", "GET, POST, HEAD, OPTIONS", ["PUT", "PATCH", "DELETE"]),
    ("/webhooks/{token}/heartbeat/start", "GET, POST, HEAD, OPTIONS", ["PUT", "DELETE"]),
    ("/monitors", "GET, POST, OPTIONS", ["PUT", "PATCH", "DELETE", "HEAD"]),
    ("/monitors/x", "GET, PATCH, DELETE, OPTIONS", ["PUT", "POST"]),
    ("/api/monitors/x/checks", "GET, OPTIONS", ["PUT", "POST", "DELETE"]),
    ("/healthz", "GET, OPTIONS", ["POST"]),
]


@pytest.mark.parametrize(
    ("path", "allowed", "method"),
    [(path, allowed, method) for path, allowed, methods in METHODS for method in methods],
)
def test_a_wrong_method_is_told_the_right_ones(
    gateway: Gateway, path: str, allowed: str, method: str
) -> None:
    monitor = gateway.monitor()

    answer = gateway.request(method, path.format(token=monitor.token))

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == set(allowed.split(", "))
    if method != "HEAD":
        assert answer.json == {"error": "Método não permitido", "code": "method_not_allowed"}
    assert gateway.log(monitor) == []


@pytest.mark.parametrize("path", ["/", "/webhooks", "/nothing", "/monitors/x/y/z"])
def test_an_unknown_path(gateway: Gateway, path: str) -> None:
    answer = gateway.request("GET", path)

    assert answer.status_code == 404
    assert answer.json == {"error": "Não encontrado", "code": "not_found"}


def test_health_and_readiness(gateway: Gateway) -> None:
    assert gateway.request("GET", "/healthz").json == {"status": "ok"}
    assert gateway.request("GET", "/readyz").json == {"status": "ready"}


EXAMPLES_TAKEN = {"recorded", "ignored"}


def test_every_provider_is_served_its_signed_examples(gateway: Gateway) -> None:
    for loaded in gateway.providers:
        if not loaded.provider.signature.credential_names:
            continue
        monitor, secret = gateway.signed_monitor(loaded.name)
        for example in loaded.examples[:3]:
            url = f"{PUBLIC_URL}/webhooks/{monitor.token}"
            delivery = signed_for(loaded, example.body, secret, headers=example.headers, url=url)
            answer = gateway.deliver(monitor, delivery)
            assert answer.status_code in {200, 204}, (loaded.name, example.name)
        assert {line[0] for line in gateway.log(monitor)} <= EXAMPLES_TAKEN | {"malformed"}
