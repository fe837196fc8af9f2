"""Channels and alerts over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from databases import BOTH, NewDatabase
from gateways import Gateway, running
from processes import wait_for
from receiving import Reaction, Receiver, receiving
from sqlalchemy import delete, insert

from gateway.alerts.dispatch import Dispatcher
from gateway.alerts.tasks import register_alert_tasks
from gateway.app import build_dispatcher, utc_now
from gateway.store import tables, teams
from gateway.tasks import QUEUE_FILE, make_queue_tables, open_queue

SETTINGS = "{alerts: {allow_networks: [127.0.0.0/8], timeout: 1s}, language: en}"
URL = "https://hooks.example.com/s3cret"


@pytest.fixture(scope="module", params=BOTH)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    new: NewDatabase = request.getfixturevalue(f"new_{request.param}")
    folder = tmp_path_factory.mktemp("told")
    with new(folder) as url, running(folder, url, SETTINGS) as started:
        yield started


@pytest.fixture
def told(shared: Gateway) -> Iterator[Gateway]:
    """The gateway, without any channel at first."""
    yield shared
    with shared.store.write() as connection:
        connection.execute(delete(tables.channels))
        connection.execute(delete(tables.alerts))


def create(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    body = {"name": "ops", "kind": "webhook", "settings": {"url": URL}, **fields}
    answer = gateway.manage("POST", "/channels", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def test_the_least_body_makes_a_channel(told: Gateway) -> None:
    made = create(told)

    secret = made.pop("generated")["secret"]
    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "name": "ops",
        "kind": "webhook",
        "settings": {"url": "https://hooks.example.com/...", "secret": ["[redacted]"]},
        "minimumStatus": "degraded",
        "monitors": "all",
        "tags": [],
        "language": None,
        "reminders": [],
        "active": True,
        "health": "working",
        "failures": 0,
        "pausedUntil": None,
        "lastError": None,
        "createdAt": made["createdAt"],
    }
    shown = told.manage("GET", f"/channels/{made['id']}")
    assert shown.json == made
    assert "s3cret" not in shown.text
    assert told.manage("GET", "/api/channels").json == {"items": [made], "next": None}


def test_a_full_body(told: Gateway) -> None:
    monitor = told.monitor(tags=("shop",))
    made = create(
        told,
        minimumStatus="down",
        monitors=[monitor.id],
        tags=["Shop", "shop", "prod"],
        language="pt-BR",
        reminders=[1800, 7200],
        active=False,
    )

    assert made["minimumStatus"] == "down"
    assert made["monitors"] == [monitor.id]
    assert made["tags"] == ["shop", "prod"]
    assert (made["language"], made["reminders"], made["active"]) == ("pt-BR", [1800, 7200], False)


def test_tags_alone_choose_only_those(told: Gateway) -> None:
    assert create(told, tags=["shop"])["monitors"] == []


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"kind": "webhok"}, "kind", "'webhok' is unknown"),
        ({"kind": 5}, "kind", ""),
        ({"name": " "}, "name", ""),
        ({"settings": {}}, "settings.url", "is missing"),
        ({"settings": {"url": "nope"}}, "settings.url", "should be an https address"),
        ({"settings": {"url": URL, "colour": "red"}}, "settings.colour", "no such setting"),
        ({"settings": {"url": 5}}, "settings.url", ""),
        ({"settings": []}, "settings", ""),
        ({"kind": "email", "settings": {"to": "a@example.com"}}, "kind", "email.host"),
        ({"minimumStatus": "up"}, "minimumStatus", ""),
        ({"monitors": ["x"]}, "monitors", ""),
        ({"monitors": ["0" * 26]}, "monitors", "no monitor of this team"),
        ({"monitors": "some"}, "monitors", ""),
        ({"monitors": "all", "tags": ["a"]}, "", "not both"),
        ({"tags": ["two words"]}, "tags.0", ""),
        ({"tags": ["x" * 41]}, "tags.0", ""),
        ({"tags": [str(n) for n in range(21)]}, "tags", ""),
        ({"language": "de"}, "language", ""),
        ({"reminders": [5]}, "reminders.0", ""),
        ({"reminders": ["30m"]}, "reminders.0", ""),
        ({"active": "yes"}, "active", ""),
        ({"colour": "red"}, "colour", ""),
    ],
)
def test_bad_bodies(told: Gateway, fields: dict[str, Any], field: str, reason: str) -> None:
    body = {"name": "ops", "kind": "webhook", "settings": {"url": URL}, **fields}
    answer = told.manage("POST", "/channels", json=body)

    assert answer.status_code == 400
    problems = answer.json["details"]["fields"]
    assert any(each["field"].startswith(field) and reason in each["message"] for each in problems)
    assert "s3cret" not in answer.text
    assert told.manage("GET", "/channels").json["items"] == []


def test_changes(told: Gateway) -> None:
    channel = create(told, tags=["shop"])
    path = f"/channels/{channel['id']}"

    changed = told.manage(
        "PATCH", path, json={"name": "boss", "monitors": "all", "reminders": [60]}
    ).json
    assert (changed["name"], changed["monitors"], changed["tags"]) == ("boss", "all", [])
    assert changed["reminders"] == [60]
    moved = told.manage(
        "PATCH",
        path,
        json={"settings": {"url": "https://new.example.com/x"}, "minimumStatus": "down"},
    ).json
    assert moved["settings"] == {"url": "https://new.example.com/...", "secret": ["[redacted]"]}
    assert "generated" not in moved
    renewed = told.manage("PATCH", path, json={"settings": {"secret": None}}).json
    assert renewed["generated"]["secret"].startswith("whsec_")

    for body in ({"name": None}, {"settings": {"url": None}}, {"kind": "email"}, {"x": 1}):
        assert told.manage("PATCH", path, json=body).status_code == 400
    assert told.manage("DELETE", path).status_code == 204
    assert told.manage("GET", path).status_code == 404


def test_whose_channels_they_are(told: Gateway) -> None:
    channel = create(told)
    with told.store.write() as connection:
        other = {"id": "0" * 26, "name": "other", "created_at": utc_now()}
        connection.execute(insert(tables.teams).values(other))
    token = teams.add_token(told.store, "0" * 26, "t", utc_now())
    theirs = {"headers": {"Authorization": f"Bearer {token}"}}

    for method, path in (
        ("GET", f"/channels/{channel['id']}"),
        ("PATCH", f"/channels/{channel['id']}"),
        ("DELETE", f"/channels/{channel['id']}"),
        ("POST", f"/channels/{channel['id']}/test"),
        ("POST", f"/alerts/{channel['id']}/resend"),
    ):
        assert told.request(method, path, **theirs).status_code == 404
        assert told.request(method, path).status_code == 401
    assert told.request("GET", "/channels", **theirs).json["items"] == []
    assert told.request("GET", "/alerts", **theirs).json["items"] == []
    assert told.manage("GET", "/channels/nonsense").status_code == 404


def test_kinds(told: Gateway) -> None:
    found = told.manage("GET", "/channel-kinds").json["items"]

    assert [kind["name"] for kind in found] == ["webhook", "email", "apprise"]
    assert found[0]["settings"][0] == {
        "name": "url",
        "label": "Address",
        "help": "Where alerts are posted; it begins with https://.",
        "required": True,
        "secret": True,
        "several": False,
    }


def send(dispatcher: Dispatcher) -> None:
    assert dispatcher.run(dispatcher.clock() + timedelta(seconds=5))


class TestSending:
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with receiving() as started:
            yield started

    def test_a_test(self, told: Gateway, receiver: Receiver) -> None:
        channel = create(told, settings={"url": receiver.url})
        path = f"/channels/{channel['id']}/test"

        assert told.manage("POST", path).json == {"sent": True, "error": None}
        assert receiver.kinds == ["test"]
        receiver.usual = Reaction(500)
        answer = told.manage("POST", path)
        assert answer.json["sent"] is False
        assert answer.json["error"].endswith("/... answers 500")
        assert "s3cret" not in answer.text

    def test_a_delivery_wakes_the_worker(self, told: Gateway, receiver: Receiver) -> None:
        create(told, settings={"url": receiver.url})
        monitor = told.monitor("native")
        make_queue_tables(told.store)
        queue = open_queue(told.store, told.config.data_dir / QUEUE_FILE)
        dispatcher = build_dispatcher(told.config, told.store, ())
        register_alert_tasks(
            queue, dispatcher, threads=2, every=timedelta(seconds=5), keep=timedelta(days=1)
        )
        assert told.post(monitor, b'{"status": "down"}').status_code == 200
        wait_for("the wake-up", lambda: queue.pending_count() > 0)
        queue.execute(queue.dequeue())
        queue.storage.close()
        assert receiver.kinds == ["incident.opened"]

    def test_dead_alerts_are_seen_and_sent_again(self, told: Gateway, receiver: Receiver) -> None:
        receiver.usual = Reaction(410)
        create(told, settings={"url": receiver.url})
        monitor = told.monitor("native")
        told.post(monitor, b'{"status": "down", "message": "no"}')
        dispatcher = build_dispatcher(told.config, told.store, ())
        send(dispatcher)

        [dead] = told.manage("GET", "/alerts", params={"state": "dead"}).json["items"]
        assert dead["kind"] == "opened"
        assert dead["monitor"] == {"id": monitor.id, "name": monitor.name}
        assert dead["lastError"].endswith("answers 410")
        assert told.manage("GET", "/alerts", params={"state": "sent"}).json["items"] == []
        receiver.usual = Reaction(200)
        answer = told.manage("POST", f"/alerts/{dead['id']}/resend")
        assert (answer.status_code, answer.json["state"]) == (202, "pending")
        send(dispatcher)
        [sent] = told.manage("GET", "/alerts").json["items"]
        assert (sent["id"], sent["state"]) == (dead["id"], "sent")
        again = told.manage("POST", f"/alerts/{dead['id']}/resend")
        assert again.status_code == 400
        assert "this one is sent" in again.json["details"]["reason"]
        assert told.manage("GET", "/alerts", params={"state": "gone"}).status_code == 400
        assert [each.id for each in receiver.received] == [dead["id"]] * 2


def test_tags_of_monitors(told: Gateway) -> None:
    made = told.manage("POST", "/monitors", json={"name": "shop", "tags": ["Prod", "shop"]}).json
    assert made["tags"] == ["prod", "shop"]
    path = f"/monitors/{made['id']}"

    assert told.manage("PATCH", path, json={"tags": []}).json["tags"] == []
    assert told.manage("PATCH", path, json={"tags": ["no spaces"]}).status_code == 400
    assert told.manage("PATCH", path, json={"tags": None}).status_code == 400
