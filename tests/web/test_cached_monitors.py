"""A change takes effect with the next delivery, although monitors are cached."""

from typing import Any

import pytest
from gateways import Gateway, signed_for

from gateway.store import monitors

UP = b'{"status": "up"}'
OLD, NEW = "the old secret", "the new secret"


def test_a_rotated_secret(gateway: Gateway) -> None:
    native = gateway.providers.get("native")
    monitor = gateway.monitor("native", credentials={"secret": (OLD,)})
    old, new = signed_for(native, UP, OLD), signed_for(native, UP, NEW)
    assert gateway.deliver(monitor, old).status_code == 200
    assert gateway.deliver(monitor, new).status_code == 401
    path = f"/monitors/{monitor.id}"

    gateway.manage("PATCH", path, json={"webhookSecret": [NEW, OLD]})
    assert [gateway.deliver(monitor, d).status_code for d in (new, old)] == [200, 200]
    gateway.manage("PATCH", path, json={"webhookSecret": NEW})
    assert [gateway.deliver(monitor, d).status_code for d in (old, new)] == [401, 200]


@pytest.mark.parametrize("path", ["", "/heartbeat"])
def test_a_removed_monitor(gateway: Gateway, path: str) -> None:
    monitor = gateway.monitor()
    address = f"/webhooks/{monitor.token}{path}"
    assert gateway.request("POST", address, body=UP).status_code == 200

    gateway.manage("DELETE", f"/monitors/{monitor.id}")

    assert gateway.request("POST", address, body=UP).json["code"] == "monitor_not_found"
    assert not gateway.stored(monitor)


def test_a_secret_set_on_an_open_monitor_closes_it(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    assert gateway.post(monitor, UP).status_code == 200

    gateway.manage("PATCH", f"/monitors/{monitor.id}", json={"webhookSecret": NEW})

    assert gateway.post(monitor, UP).json["code"] == "signature_missing"
    assert [outcome for outcome, _ in gateway.log(monitor)] == ["recorded", "rejected"]


def test_a_new_provider(gateway: Gateway) -> None:
    monitor = gateway.monitor("github")
    assert gateway.post(monitor, UP).json["result"]["provider"] == "github"

    gateway.manage("PATCH", f"/monitors/{monitor.id}", json={"provider": "native"})

    assert gateway.post(monitor, UP).json["result"]["provider"] == "native"


def test_a_change_by_another_process(gateway: Gateway) -> None:
    monitor = gateway.monitor()
    gateway.post(monitor, UP)

    monitors.change(gateway.store, monitor.team_id, monitor.id, {"name": "new"}, monitor.created_at)

    assert gateway.post(monitor, UP).json["monitor"]["name"] == "new"


def test_a_new_monitor_is_known_although_its_token_was_asked_for(
    gateway: Gateway, monkeypatch: Any
) -> None:
    token = "ab" * 32
    assert gateway.request("POST", f"/webhooks/{token}", body=UP).status_code == 404
    monkeypatch.setattr(monitors, "new_token", lambda: token)

    monitor = gateway.monitor()

    assert gateway.post(monitor, UP).status_code == 200
