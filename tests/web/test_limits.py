"""Who is refused with 429, and how an address is counted."""

from ipaddress import ip_network
from typing import Any

import pytest
from gateways import Gateway

from gateway.testing import signed
from gateway.web.requests import client_address

TIGHT = """
limits:
  per_monitor: {rate: 3/1h, burst: 3}
  unknown_tokens_per_address: 2/1h
"""
BEHIND_PROXY = f"{TIGHT}\nweb: {{trusted_proxies: [10.0.0.0/8]}}"
UP = b'{"status": "up"}'


def statuses(gateway: Gateway, path: str, addresses: list[str], **headers: str) -> list[int]:
    return [
        gateway.request("POST", path, body=UP, remote_addr=address, headers=headers).status_code
        for address in addresses
    ]


def test_a_monitor_over_its_limit(start: Any) -> None:
    gateway: Gateway = start(TIGHT)
    monitor, other = gateway.monitor(), gateway.monitor()
    path = f"/webhooks/{monitor.token}"

    assert statuses(gateway, path, ["192.0.2.1"] * 3) == [200] * 3
    refused = gateway.request("POST", path, body=UP, remote_addr="192.0.2.1")

    assert refused.status_code == 429
    assert refused.json == {"error": "Muitas requisições", "code": "rate_limited"}
    assert 1100 < int(refused.headers["retry-after"]) <= 1200
    assert gateway.stored(monitor)["checks"] == 3
    assert gateway.post(other, UP).status_code == 200


def test_the_limit_of_a_monitor_counts_all_addresses_and_is_logged(start: Any) -> None:
    gateway: Gateway = start(TIGHT)
    monitor = gateway.monitor()

    counted = statuses(gateway, f"/webhooks/{monitor.token}", [f"192.0.2.{n}" for n in range(5)])

    assert counted == [200] * 3 + [429] * 2
    assert [outcome for outcome, _ in gateway.log(monitor)] == ["recorded"] * 3 + ["limited"] * 2
    assert gateway.log(monitor)[-1][1].startswith("rate_limited: ")


def test_the_limit_is_kept_in_the_database(start: Any) -> None:
    gateway: Gateway = start(TIGHT)
    monitor = gateway.monitor()
    statuses(gateway, f"/webhooks/{monitor.token}", ["192.0.2.1"] * 3)

    gateway.manage("PATCH", f"/monitors/{monitor.id}", json={"name": "new"})

    assert statuses(gateway, f"/webhooks/{monitor.token}", ["192.0.2.9"]) == [429]


def test_whoever_cannot_sign_does_not_use_up_the_limit(start: Any) -> None:
    gateway: Gateway = start(TIGHT)
    monitor = gateway.monitor("native", credentials={"secret": ("s",)})
    path = f"/webhooks/{monitor.token}"

    assert statuses(gateway, path, ["198.51.100.1"] * 4) == [401] * 3 + [429]
    right = signed(gateway.providers.get("native").provider, UP, "s")
    assert gateway.deliver(monitor, right).status_code == 200


def test_heartbeats_are_limited_too(start: Any) -> None:
    gateway: Gateway = start(TIGHT)
    monitor = gateway.monitor()

    path = f"/webhooks/{monitor.token}/heartbeat"

    assert statuses(gateway, path, ["192.0.2.1"] * 4) == [200, 200, 200, 429]
    assert statuses(gateway, f"/webhooks/{monitor.token}", ["192.0.2.1"]) == [200]


def test_unknown_tokens_are_limited_by_address(start: Any) -> None:
    gateway: Gateway = start(TIGHT)
    monitor = gateway.monitor()
    unknown = [f"/webhooks/{n:064x}" for n in range(5)]

    tried = [statuses(gateway, path, ["198.51.100.1"])[0] for path in unknown]

    assert tried == [404, 404, 429, 429, 429]
    assert statuses(gateway, "/webhooks/short", ["198.51.100.1"]) == [429]
    assert statuses(gateway, unknown[0], ["198.51.100.2"]) == [404]
    # A guesser is not told when a guess is right.
    assert statuses(gateway, f"/webhooks/{monitor.token}", ["198.51.100.1"]) == [429]
    assert statuses(gateway, f"/webhooks/{monitor.token}", ["198.51.100.2"]) == [200]


def test_a_stranger_cannot_choose_the_address_to_be_counted_as(start: Any) -> None:
    gateway: Gateway = start(BEHIND_PROXY)

    counted = [
        gateway.request(
            "POST",
            f"/webhooks/{n:064x}",
            remote_addr="198.51.100.1",
            headers={"X-Forwarded-For": f"203.0.113.{n}"},
        ).status_code
        for n in range(3)
    ]

    assert counted == [404, 404, 429]


def test_behind_a_trusted_proxy_clients_are_told_apart(start: Any) -> None:
    gateway: Gateway = start(BEHIND_PROXY)
    monitor = gateway.monitor()

    counted = [
        gateway.request(
            "POST",
            f"/webhooks/{n:064x}",
            remote_addr="10.1.2.3",
            headers={"X-Forwarded-For": f"1.1.1.1, 203.0.113.{n % 2}"},
        ).status_code
        for n in range(5)
    ]
    gateway.request(
        "POST",
        f"/webhooks/{monitor.token}",
        body=UP,
        remote_addr="10.1.2.3",
        headers={"X-Forwarded-For": "203.0.113.7, 10.9.9.9"},
    )

    assert counted == [404, 404, 404, 404, 429]
    [line] = gateway.manage("GET", f"/monitors/{monitor.id}/deliveries").json["items"]
    assert line["remoteAddress"] == "203.0.113.7"


TRUSTED = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.1", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("::1", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "198.51.100.9, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1, 10.0.0.2", "203.0.113.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", " , 203.0.113.1 ,, ", "203.0.113.1"),
        ("10.0.0.1", "not an address", "not an address"),
        ("10.0.0.1", "203.0.113.1, unknown", "unknown"),
        ("unix", "203.0.113.1", "unix"),
    ],
)
def test_client_address(peer: str, forwarded: str, expected: str) -> None:
    assert client_address({"client": (peer, 1)}, forwarded, TRUSTED) == expected


@pytest.mark.parametrize("scope", [{}, {"client": None}, {"client": ()}])
def test_a_server_that_names_no_client(scope: dict[str, object]) -> None:
    assert client_address(scope, "203.0.113.1", TRUSTED) == ""


def test_without_proxies_nothing_is_believed() -> None:
    assert client_address({"client": ("10.0.0.1", 1)}, "203.0.113.1", ()) == "10.0.0.1"
