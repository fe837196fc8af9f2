"""The management API: monitors, and the pages of what was recorded for them."""

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pytest
from gateways import PUBLIC_URL, Gateway
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from gateway.app import utc_now
from gateway.core.times import format_time, parse_time
from gateway.ids import new_id
from gateway.store.tables import api_tokens, teams
from gateway.vault import hash_token

BASES = ["/monitors", "/api/monitors"]
SECRET = "a secret that nobody may see"


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> str:
    path: str = request.param
    return path


def create(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    answer = gateway.manage("POST", "/monitors", json={"name": "shop", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def test_the_least_body_makes_a_monitor(gateway: Gateway, base: str) -> None:
    answer = gateway.manage("POST", base, json={"name": "shop"})

    made = answer.json
    assert answer.status_code == 201
    assert re.fullmatch("[0-9a-f]{64}", made["webhookToken"])
    assert re.fullmatch("[0-9A-Z]{26}", made["id"])
    assert answer.headers["location"] == f"{PUBLIC_URL}/monitors/{made['id']}"
    assert made == {
        "id": made["id"],
        "name": "shop",
        "type": "webhook",
        "url": None,
        "provider": "auto",
        "status": "pending",
        "statusSince": made["createdAt"],
        "active": True,
        "alertsEnabled": True,
        "signed": False,
        "heartbeatInterval": 300,
        "heartbeatSchedule": None,
        "heartbeatTimezone": "UTC",
        "heartbeatGrace": 60,
        "heartbeatLateAfter": None,
        "heartbeatMaxRun": None,
        "heartbeatPostOnly": False,
        "webhookIsHeartbeat": False,
        "lastHeartbeat": None,
        "deadline": None,
        "staleAfter": None,
        "staleSince": None,
        "webhookToken": made["webhookToken"],
        "webhookUrl": f"{PUBLIC_URL}/webhooks/{made['webhookToken']}",
        "heartbeatUrl": f"{PUBLIC_URL}/webhooks/{made['webhookToken']}/heartbeat",
        "tags": [],
        "createdAt": made["createdAt"],
    }


def test_every_field_can_be_given(gateway: Gateway, base: str) -> None:
    fields = {
        "name": "Loja São João",
        "type": "webhook",
        "url": "https://shop.example.com/status?x=1",
        "provider": "github",
        "heartbeatInterval": 60,
        "heartbeatGrace": 0,
        "alertsEnabled": False,
    }

    answer = gateway.manage("POST", base, json={**fields, "webhookSecret": SECRET})

    assert answer.status_code == 201
    made = answer.json
    assert {name: made[name] for name in fields} == fields
    assert made["signed"] is True
    shown = gateway.manage("GET", f"{base}/{made['id']}").json
    assert shown == {**made, "signals": []}


def test_both_addresses_are_the_same_resource(gateway: Gateway) -> None:
    made = create(gateway)

    shown = [gateway.manage("GET", f"{base}/{made['id']}").json for base in BASES]

    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("fields", "interval", "waits"),
    [
        ({}, 300, None),
        ({"heartbeatInterval": 300}, 300, 360),
        ({"heartbeatInterval": 10, "heartbeatGrace": 5}, 10, 15),
        ({"heartbeatInterval": None}, None, None),
        ({"heartbeatInterval": None, "heartbeatGrace": 5}, None, None),
    ],
    ids=["left out", "named", "named with grace", "off", "off with grace"],
)
def test_when_the_clock_of_heartbeats_starts(
    gateway: Gateway, fields: dict[str, Any], interval: int | None, waits: int | None
) -> None:
    made = create(gateway, **fields)

    assert made["heartbeatInterval"] == interval
    assert seconds_between(made["createdAt"], made["deadline"]) == waits


def seconds_between(first: str, second: str | None) -> float | None:
    start, end = parse_time(first), parse_time(second)
    return (end - start).total_seconds() if start and end else None


def test_a_default_clock_starts_at_the_first_heartbeat(gateway: Gateway) -> None:
    made = create(gateway)

    gateway.request("POST", f"/webhooks/{made['webhookToken']}/heartbeat")

    shown = gateway.manage("GET", f"/monitors/{made['id']}").json
    assert seconds_between(shown["lastHeartbeat"], shown["deadline"]) == 360
    assert [(s["key"], s["status"]) for s in shown["signals"]] == [("heartbeat", "up")]


INVALID: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "  "),
    ("name", None),
    ("name", 1),
    ("name", "x" * 201),
    ("name", "a\0b"),
    ("type", "http"),
    ("type", None),
    ("url", "ftp://example.com"),
    ("url", "example.com"),
    ("url", 1),
    ("url", "https://example.com/" + "x" * 2000),
    ("url", "https://example.com/\0"),
    ("provider", "githup"),
    ("provider", ""),
    ("provider", None),
    ("heartbeatInterval", 0),
    ("heartbeatInterval", -1),
    ("heartbeatInterval", 1.5),
    ("heartbeatInterval", "60"),
    ("heartbeatInterval", True),
    ("heartbeatInterval", 10**30),
    ("heartbeatGrace", -1),
    ("heartbeatGrace", "1"),
    ("heartbeatSchedule", ""),
    ("heartbeatSchedule", "* * * *"),
    ("heartbeatSchedule", "61 * * * *"),
    ("heartbeatSchedule", "0 0 30 2 *"),
    ("heartbeatSchedule", "a\0b * * * *"),
    ("heartbeatSchedule", 5),
    ("heartbeatTimezone", "Mars/Base"),
    ("heartbeatTimezone", "America"),
    ("heartbeatTimezone", "../../etc/passwd"),
    ("heartbeatTimezone", "Europe/Berlin\0"),
    ("heartbeatTimezone", "x" * 65),
    ("heartbeatTimezone", 3),
    ("heartbeatLateAfter", -1),
    ("heartbeatLateAfter", 60),
    ("heartbeatLateAfter", "1"),
    ("heartbeatMaxRun", 0),
    ("heartbeatMaxRun", 1.5),
    ("heartbeatPostOnly", None),
    ("heartbeatPostOnly", 1),
    ("webhookIsHeartbeat", "yes"),
    ("staleAfter", 0),
    ("staleAfter", -5),
    ("staleAfter", "often"),
    ("staleAfter", True),
    ("staleAfter", 10**10),
    ("webhookSecret", ""),
    ("webhookSecret", []),
    ("webhookSecret", [""]),
    ("webhookSecret", 1),
    ("webhookSecret", ["s"] * 11),
    ("webhookSecret", "x" * 4001),
    ("credentials", []),
    ("credentials", {"token": 1}),
    ("credentials", {"": "x"}),
    ("alertsEnabled", None),
    ("alertsEnabled", "yes"),
    ("heartbeatinterval", 60),
    ("heartbeat_interval", 60),
    ("id", "x"),
    ("webhookToken", "0" * 64),
]


@pytest.mark.parametrize(("name", "value"), INVALID)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_invalid_field_is_named(gateway: Gateway, method: str, name: str, value: Any) -> None:
    made = create(gateway)
    path = "/monitors" if method == "POST" else f"/monitors/{made['id']}"

    answer = gateway.manage(method, path, body=json_bytes({"name": "shop", name: value}))

    assert answer.status_code == 400, answer.text
    assert answer.json["code"] == "invalid_request"
    [problem] = answer.json["details"]["fields"]
    assert problem["field"].startswith(name)
    assert problem["message"]
    assert problem["message"] in answer.json["details"]["reason"]


def test_all_invalid_fields_are_told_at_once(gateway: Gateway) -> None:
    answer = gateway.manage("POST", "/monitors", json={"type": "x", "heartbeatInterval": 0, "a": 1})

    told = {problem["field"] for problem in answer.json["details"]["fields"]}
    assert told == {"name", "type", "heartbeatInterval", "a"}


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"provider": "githup"}, "provider", "did you mean 'github'?"),
        ({"provider": "github", "credentials": {"pin": "1"}}, "credentials.pin", "it uses secret"),
        (
            {"webhookSecret": "a", "credentials": {"secret": "b"}},
            "",
            "give webhookSecret or credentials.secret, not both",
        ),
        (
            {"heartbeatInterval": 60, "heartbeatSchedule": "* * * * *"},
            "",
            "give heartbeatInterval or heartbeatSchedule, not both",
        ),
        (
            {"heartbeatLateAfter": 60, "heartbeatGrace": 60},
            "heartbeatLateAfter",
            "less than heartbeatGrace, which is 60",
        ),
        (
            {"heartbeatMaxRun": 400, "heartbeatInterval": 300},
            "heartbeatMaxRun",
            "which is 360",
        ),
    ],
)
def test_what_does_not_go_together(
    gateway: Gateway, fields: dict[str, Any], field: str, reason: str
) -> None:
    answer = gateway.manage("POST", "/monitors", json={"name": "shop", **fields})

    assert answer.status_code == 400
    [problem] = answer.json["details"]["fields"]
    assert problem["field"] == field
    assert reason in problem["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"1", b"null", b"\xff", b"[" * 5000])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_body_that_is_no_object(gateway: Gateway, method: str, body: bytes) -> None:
    made = create(gateway)
    path = "/monitors" if method == "POST" else f"/monitors/{made['id']}"

    answer = gateway.manage(method, path, body=body)

    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_request"
    assert answer.json["details"]["reason"]


def test_a_body_over_the_limit(gateway: Gateway) -> None:
    body = b'{"name": "' + b"x" * 300_000 + b'"}'

    assert gateway.manage("POST", "/monitors", body=body).status_code == 413


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"name": "new"}, {"name": "new"}),
    ({"url": "https://a.example"}, {"url": "https://a.example"}),
    ({"url": None}, {"url": None}),
    ({"provider": "stripe"}, {"provider": "stripe"}),
    ({"alertsEnabled": False}, {"alertsEnabled": False}),
    ({"active": False}, {"active": False, "deadline": None}),
    ({"heartbeatInterval": None}, {"heartbeatInterval": None, "deadline": None}),
    ({"heartbeatLateAfter": 0}, {"heartbeatLateAfter": 0}),
    ({"heartbeatMaxRun": 60}, {"heartbeatMaxRun": 60}),
    ({"heartbeatPostOnly": True}, {"heartbeatPostOnly": True}),
    ({"webhookIsHeartbeat": True}, {"webhookIsHeartbeat": True}),
    ({"staleAfter": 3600}, {"staleAfter": 3600}),
    ({"staleAfter": "auto"}, {"staleAfter": "auto"}),
    ({"webhookSecret": SECRET}, {"signed": True}),
    ({"webhookSecret": ["a", "b"]}, {"signed": True}),
    ({"webhookSecret": None}, {"signed": False}),
    ({"credentials": {"secret": SECRET}}, {"signed": True}),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_only_what_is_given_changes(
    gateway: Gateway, base: str, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = create(gateway, url="https://b.example", heartbeatInterval=100)

    answer = gateway.manage("PATCH", f"{base}/{made['id']}", json=change)

    assert answer.status_code == 200
    if "heartbeatLateAfter" in change:
        expected = {**expected, "deadline": answer.json["deadline"]}
    assert answer.json == {**made, **expected}


def test_a_new_interval_starts_the_clock_again(gateway: Gateway) -> None:
    made = create(gateway, heartbeatInterval=None)
    before = utc_now()

    changed = gateway.manage(
        "PATCH", f"/monitors/{made['id']}", json={"heartbeatInterval": 10, "heartbeatGrace": 0}
    ).json

    waits = seconds_between(format_time(before), changed["deadline"])
    assert waits is not None
    assert 10 <= waits < 15


@pytest.mark.parametrize("name", ["name", "active", "heartbeatGrace", "heartbeatTimezone"])
def test_null_is_refused_where_it_means_nothing(gateway: Gateway, name: str) -> None:
    made = create(gateway)

    answer = gateway.manage("PATCH", f"/monitors/{made['id']}", json={name: None})

    assert answer.status_code == 400
    assert answer.json["details"]["fields"] == [{"field": name, "message": "cannot be null"}]


def test_a_removed_monitor_is_gone_with_its_history(gateway: Gateway, base: str) -> None:
    made = create(gateway)
    monitor = gateway.monitor()
    gateway.post(monitor, b'{"status": "down", "event_id": "1"}')

    for gone in (made["id"], monitor.id):
        answer = gateway.manage("DELETE", f"{base}/{gone}")
        assert (answer.status_code, answer.content) == (204, b"")
        for method in ("GET", "PATCH", "DELETE"):
            again = gateway.manage(method, f"{base}/{gone}", json={})
            assert (again.status_code, again.json["code"]) == (404, "not_found")
        assert gateway.manage("GET", f"{base}/{gone}/checks").status_code == 404
    assert not gateway.stored(monitor)
    assert gateway.log(monitor) == []


ROUTES = [
    ("GET", "/monitors"),
    ("POST", "/monitors"),
    ("GET", "/api/monitors/{id}"),
    ("PATCH", "/monitors/{id}"),
    ("DELETE", "/monitors/{id}"),
    ("GET", "/monitors/{id}/checks"),
    ("GET", "/monitors/{id}/uptime"),
    ("GET", "/monitors/{id}/incidents"),
    ("GET", "/monitors/{id}/deliveries"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": "Bearer " + "0" * 64},
        {"Authorization": "Bearer \xe9"},
        {"Authorization": "Basic {token}"},
        {"Authorization": "{token}"},
        {"X-Api-Key": "{token}"},
    ],
)
def test_no_valid_token(gateway: Gateway, method: str, path: str, headers: dict[str, str]) -> None:
    monitor = gateway.monitor()
    given_headers = {n: v.format(token=gateway.team.api_token) for n, v in headers.items()}

    answer = gateway.request(
        method, path.format(id=monitor.id), headers=given_headers, json={"name": "x"}
    )

    assert answer.status_code == 401
    assert answer.json == {"error": "Token de API ausente ou inválido", "code": "unauthorized"}
    assert gateway.reread(monitor) == monitor


def api_token(gateway: Gateway, team_id: str, token: str) -> None:
    with gateway.store.write() as connection:
        connection.execute(
            insert(api_tokens).values(
                id=new_id(utc_now()),
                team_id=team_id,
                name="test",
                token_hash=hash_token(token),
                created_at=utc_now(),
            )
        )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"bearer {token}"}


def test_a_revoked_token_ends_at_once(gateway: Gateway) -> None:
    api_token(gateway, gateway.team.id, "for a while")
    assert gateway.request("GET", "/monitors", headers=bearer("for a while")).status_code == 200

    with gateway.store.write() as connection:
        mine = api_tokens.c.token_hash == hash_token("for a while")
        connection.execute(update(api_tokens).where(mine).values(revoked_at=utc_now()))

    assert gateway.request("GET", "/monitors", headers=bearer("for a while")).status_code == 401


def test_the_team_that_is_named_must_be_that_of_the_token(gateway: Gateway) -> None:
    right = gateway.manage("GET", "/monitors", headers={"X-Team-Id": gateway.team.id})
    wrong = gateway.manage("GET", "/monitors", headers={"X-Team-Id": "another"})

    assert right.status_code == 200
    assert wrong.status_code == 403
    assert wrong.json["code"] == "forbidden"


@pytest.mark.parametrize(("method", "path"), ROUTES[2:])
def test_monitors_of_another_team_do_not_exist(gateway: Gateway, method: str, path: str) -> None:
    monitor = gateway.monitor()
    other, token = new_id(utc_now()), f"token of {method} {path}"
    with gateway.store.write() as connection:
        connection.execute(insert(teams).values(id=other, name="other", created_at=utc_now()))
    api_token(gateway, other, token)

    answer = gateway.request(
        method, path.format(id=monitor.id), headers=bearer(token), json={"name": "mine"}
    )

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert gateway.reread(monitor) == monitor
    listed = gateway.request("GET", "/monitors", headers=bearer(token)).json
    assert listed == {"items": [], "next": None}


def test_monitors_come_in_pages(start: Any) -> None:
    gateway: Gateway = start("")
    made = [gateway.monitor().id for _ in range(5)]

    first = gateway.manage("GET", "/monitors?limit=2").json
    second = gateway.manage("GET", f"/monitors?limit=2&after={first['next']}").json
    third = gateway.manage("GET", f"/monitors?limit=2&after={second['next']}").json

    pages = [[item["id"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [made[:2], made[2:4], made[4:]]
    assert third["next"] is None
    assert gateway.manage("GET", "/monitors?limit=5").json["next"] is None


@pytest.mark.parametrize("kind", ["checks", "incidents", "deliveries"])
def test_history_comes_in_pages_newest_first(gateway: Gateway, kind: str) -> None:
    monitor = gateway.monitor()
    for number in range(5):
        gateway.post(monitor, orjson.dumps({"status": "down", "key": str(number)}))
    path = f"/monitors/{monitor.id}/{kind}"

    pages, before = [], ""
    for _ in range(3):
        page = gateway.manage("GET", f"{path}?limit=2{before}").json
        pages.append([item["id"] for item in page["items"]])
        before = f"&before={page['next']}"

    assert [len(page) for page in pages] == [2, 2, 1]
    ids = [each for items in pages for each in items]
    assert ids == sorted(ids, reverse=True)
    assert page["next"] is None
    assert len(gateway.manage("GET", path).json["items"]) == 5


def test_what_the_uptime_shows(gateway: Gateway, base: str) -> None:
    monitor = gateway.monitor()
    before = utc_now()
    gateway.post(monitor, b'{"status": "up"}')
    gateway.post(monitor, b'{"status": "down"}')

    shown = gateway.manage("GET", f"{base}/{monitor.id}/uptime?days=3").json

    after = utc_now()
    days = shown.pop("days")
    assert [each["day"] for each in days[:2]] == [
        (after - timedelta(days=back)).date().isoformat() for back in (2, 1)
    ]
    assert days[0] == {
        "day": days[0]["day"],
        "uptime": None,
        "seconds": {"up": 0, "degraded": 0, "down": 0, "unknown": 86_400},
        "checks": {"up": 0, "degraded": 0, "down": 0},
        "incidents": 0,
    }
    assert (shown["checks"], shown["incidents"]) == ({"up": 1, "degraded": 0, "down": 1}, 1)
    known = sum(shown["seconds"].values()) - shown["seconds"]["unknown"]
    assert known <= (after - before).total_seconds() + 1
    since = datetime.combine(date.fromisoformat(days[0]["day"]), time(), UTC)
    assert -2 <= sum(shown["seconds"].values()) - (after - since).total_seconds() <= 0


@pytest.mark.parametrize(
    ("query", "days"), [("", 90), ("?days=1", 1), ("?days=366", 366), ("?days=90&x=y", 90)]
)
def test_so_many_days_are_shown(gateway: Gateway, query: str, days: int) -> None:
    monitor = gateway.monitor()

    shown = gateway.manage("GET", f"/monitors/{monitor.id}/uptime{query}").json

    assert len({each["day"] for each in shown["days"]}) == days


@pytest.mark.parametrize("days", ["0", "367", "-1", "many", "1.5", "9" * 40])
def test_days_that_are_none(gateway: Gateway, days: str) -> None:
    monitor = gateway.monitor()

    answer = gateway.manage("GET", f"/monitors/{monitor.id}/uptime?days={days}")

    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_request"
    assert "days" in answer.json["details"]["reason"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=1.5", "limit=%00"]
)
@pytest.mark.parametrize("path", ["/monitors", "/monitors/{id}/checks"])
def test_a_page_of_no_size(gateway: Gateway, path: str, query: str) -> None:
    monitor = gateway.monitor()

    answer = gateway.manage("GET", path.format(id=monitor.id) + f"?{query}")

    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_request"
    assert "limit" in answer.json["details"]["reason"]


@pytest.mark.parametrize("cursor", ["x", "%00", "%FF", "A" * 27, "'; --"])
@pytest.mark.parametrize(
    ("path", "name"), [("/monitors", "after"), ("/monitors/{id}/deliveries", "before")]
)
def test_a_page_behind_no_id(gateway: Gateway, path: str, name: str, cursor: str) -> None:
    monitor = gateway.monitor()

    answer = gateway.manage("GET", path.format(id=monitor.id) + f"?{name}={cursor}")

    assert answer.status_code == 400
    assert name in answer.json["details"]["reason"]


@pytest.mark.parametrize("monitor_id", ["x", "%00", "0" * 26, "é" * 26, "a" * 5000])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_id_that_is_none(gateway: Gateway, method: str, monitor_id: str) -> None:
    answer = gateway.manage(method, f"/monitors/{monitor_id}", json={})

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_what_a_check_shows(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    body = {
        "status": "degraded",
        "message": "slow",
        "metadata": {"ms": 900},
        "key": "api",
        "event_id": "7",
        "occurred_at": "2026-01-20T10:30:00.123456Z",
    }
    gateway.post(monitor, orjson.dumps(body))

    [check] = gateway.manage("GET", f"/monitors/{monitor.id}/checks").json["items"]
    [line] = gateway.manage("GET", f"/monitors/{monitor.id}/deliveries").json["items"]

    assert check == {
        "id": check["id"],
        "key": "api",
        "status": "degraded",
        "message": "slow",
        "metadata": {"ms": 900},
        "eventId": "7",
        "occurredAt": "2026-01-20T10:30:00.123Z",
        "receivedAt": line["receivedAt"],
        "late": False,
        "rule": "native",
        "deliveryId": line["id"],
    }
    assert orjson.loads(line["body"]) == body
    assert (line["outcome"], line["rule"], line["reason"]) == ("recorded", "native", None)
    assert (line["method"], line["bodySize"]) == ("POST", len(orjson.dumps(body)))


def test_what_an_incident_shows(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    for minute, status in enumerate(["degraded", "down", "up"]):
        gateway.post(
            monitor,
            orjson.dumps({"status": status, "occurred_at": f"2026-01-20T10:0{minute}:00Z"}),
        )

    [incident] = gateway.manage("GET", f"/monitors/{monitor.id}/incidents").json["items"]

    assert (incident["openedAt"], incident["resolvedAt"]) == (
        "2026-01-20T10:00:00.000Z",
        "2026-01-20T10:02:00.000Z",
    )
    assert incident["worst"] == "down"
    assert [(e["change"], e["from"], e["to"]) for e in incident["timeline"]] == [
        ("opened", "pending", "degraded"),
        ("worsened", "degraded", "down"),
        ("resolved", "down", "up"),
    ]


def test_no_answer_ever_holds_a_secret(gateway: Gateway) -> None:
    made = gateway.manage(
        "POST",
        "/monitors",
        json={"name": "x", "provider": "native", "webhookSecret": [SECRET, f"{SECRET} 2"]},
    )
    path = f"/monitors/{made.json['id']}"
    gateway.request("POST", f"/webhooks/{made.json['webhookToken']}", body=b"{}")
    answers = [
        made,
        gateway.manage("GET", path),
        gateway.manage("GET", "/monitors"),
        gateway.manage("PATCH", path, json={"webhookSecret": SECRET}),
        gateway.manage("PATCH", path, json={"webhookSecret": [SECRET, 1]}),
        gateway.manage("PATCH", path, json={"webhookSecret": SECRET, "credentials": {"a": SECRET}}),
        gateway.manage("PATCH", path, json={"provider": "native", "credentials": {"a": SECRET}}),
        gateway.manage("GET", f"{path}/deliveries"),
    ]

    for answer in answers:
        assert SECRET not in answer.text
        assert gateway.team.api_token not in answer.text


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = [
    "name",
    "type",
    "url",
    "provider",
    "heartbeatInterval",
    "heartbeatGrace",
    "heartbeatSchedule",
    "heartbeatTimezone",
    "heartbeatLateAfter",
    "heartbeatMaxRun",
    "heartbeatPostOnly",
    "webhookIsHeartbeat",
    "staleAfter",
    "webhookSecret",
    "credentials",
    "alertsEnabled",
    "active",
]
requests = json_values | st.dictionaries(
    st.sampled_from(FIELDS),
    json_values
    | st.sampled_from(
        ["webhook", "auto", "github", "https://x.example", 60, True, {"secret": "s"}]
    ),
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=requests)
def test_any_json_makes_a_monitor_or_is_refused(gateway: Gateway, body: Any) -> None:
    raw = json_bytes(body)

    made = gateway.manage("POST", "/monitors", body=raw)

    assert made.status_code in {201, 400}, made.text
    if made.status_code == 201:
        path = f"/monitors/{made.json['id']}"
        assert gateway.manage("GET", path).status_code == 200
        assert gateway.manage("PATCH", path, body=raw).status_code == 200


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_providers_say_which_credentials_they_need(gateway: Gateway, prefix: str) -> None:
    items = gateway.manage("GET", f"{prefix}/providers").json["items"]
    found = {item["name"]: item for item in items}

    assert tuple(found) == gateway.providers.names
    assert found["whatsapp"]["credentials"] == [
        {
            "name": "secret",
            "label": "App secret",
            "help": "In the app dashboard, App settings, Basic.",
            "required": False,
            "needs": [],
        },
        {
            "name": "verify_token",
            "label": "Verify token",
            "help": "Any text; the same in the field Verify token of the webhook's configuration.",
            "required": False,
            "needs": ["secret"],
        },
    ]
    assert found["discord"]["answer"] == {
        "status": 204,
        "contentType": "application/json",
        "body": "",
    }
    assert found["github"]["answer"] is None
    assert found["pingdom"]["signed"] is False
    # Where things are on the server is for operators alone.
    assert not any("origin" in item for item in items)


def test_providers_are_not_for_strangers(gateway: Gateway) -> None:
    assert gateway.request("GET", "/providers").status_code == 401
