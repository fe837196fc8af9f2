"""Deliveries whose proof must be fetched, visits, and methods other than POST."""

from pathlib import Path

import pytest
from gateways import Gateway

from gateway.app import utc_now
from gateway.store.monitors import Monitor

# Nothing here depends on the database, and each test starts a gateway of its own.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PLUGIN = """
from gateway import Fetch, HeaderEquals, Provider, Reply, hookimpl

HOSTS = r"keys\\.example\\.com"


def fetches(delivery, credentials):
    url = delivery.query.get("key")
    return (Fetch(url, HOSTS, "/.*"),) if url else ()


def consent(delivery, credentials):
    url = delivery.query.get("visit")
    if url is None:
        return None
    return Reply(200, b"welcome", headers={"X-Allowed": "yes"}, visit=Fetch(url, HOSTS, "/.*"))


def parse(delivery):
    return {"fetched": {url: text.decode() for url, text in delivery.fetched.items()}}


def greet(delivery, credentials):
    if delivery.method == "POST":
        return None
    return Reply(204, headers={"WebHook-Allowed-Origin": "*", "X-Odd": "\\u20ac"})


@hookimpl
def register_providers(register):
    signature = HeaderEquals("X-Secret")
    register(Provider("fetching", "Fetching", signature, fetches=fetches, handshake=consent,
                      parse=parse, methods=("POST", "PUT")))
    register(Provider("greeting", "Greeting", signature, handshake=greet))
"""
RULES = """
provider: {name}
title: Made for a test
rules:
  - name: any
    status: up
    message: "{{{{ to_string(fetched) }}}}"
examples:
  - payload: {{}}
    expect: {{status: up}}
"""
KEY = "https://keys.example.com/key"
SECRET = {"X-Secret": "s"}


@pytest.fixture
def own(start: object, tmp_path: Path) -> Gateway:
    for folder in ("plugins", "rules"):
        (tmp_path / folder).mkdir()
    (tmp_path / "plugins" / "made.py").write_text(PLUGIN)
    for name in ("fetching", "greeting"):
        (tmp_path / "rules" / f"{name}.yaml").write_text(RULES.format(name=name))
    assert callable(start)
    started: Gateway = start("plugins: [plugins]\nrules: [rules]\n")
    return started


@pytest.fixture
def monitor(own: Gateway) -> Monitor:
    return own.monitor("fetching", credentials={"secret": ("s",)})


class TestFetches:
    def test_reach_the_provider(self, own: Gateway, monitor: Monitor) -> None:
        own.fetcher.keep(KEY, b"a key", utc_now())

        answer = own.request(
            "POST", f"/webhooks/{monitor.token}", body=b"x", headers=SECRET, params={"key": KEY}
        )

        assert answer.status_code == 200
        [check] = own.manage("GET", f"/monitors/{monitor.id}/checks").json["items"]
        assert check["message"] == f'{{"{KEY}":"a key"}}'

    def test_what_cannot_be_got_is_to_be_sent_again(self, own: Gateway, monitor: Monitor) -> None:
        answer = own.request(
            "POST", f"/webhooks/{monitor.token}", body=b"x", headers=SECRET, params={"key": KEY}
        )

        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) == 5
        assert not own.stored(monitor)

    def test_what_may_not_be_called_is_no_proof(self, own: Gateway, monitor: Monitor) -> None:
        evil = {"key": "https://evil.example/"}

        answer = own.request(
            "POST", f"/webhooks/{monitor.token}", body=b"x", headers=SECRET, params=evil
        )

        assert (answer.status_code, answer.json["code"]) == (401, "signature_malformed")
        assert [outcome for outcome, _ in own.log(monitor)] == ["rejected"]

    def test_are_not_asked_for_without_credentials(self, own: Gateway) -> None:
        monitor = own.monitor("fetching")

        answer = own.request("POST", f"/webhooks/{monitor.token}", body=b"x", params={"key": KEY})

        assert answer.status_code == 200


class TestVisits:
    def test_come_before_the_answer(self, own: Gateway, monitor: Monitor) -> None:
        own.fetcher.keep(KEY, b"thank you", utc_now())

        answer = own.request("POST", f"/webhooks/{monitor.token}", params={"visit": KEY})

        assert (answer.status_code, answer.text) == (200, "welcome")
        assert answer.headers["X-Allowed"] == "yes"
        assert own.log(monitor) == [("handshake", "")]

    def test_that_fail_are_to_be_asked_for_again(self, own: Gateway, monitor: Monitor) -> None:
        answer = own.request("POST", f"/webhooks/{monitor.token}", params={"visit": KEY})

        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert own.log(monitor) == []

    @pytest.mark.parametrize("url", ["https://evil.example/", "http://keys.example.com/"])
    def test_elsewhere_are_refused(self, own: Gateway, monitor: Monitor, url: str) -> None:
        answer = own.request("POST", f"/webhooks/{monitor.token}", params={"visit": url})

        assert (answer.status_code, answer.json["code"]) == (401, "signature_malformed")


class TestMethods:
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_that_carry_deliveries(self, own: Gateway, monitor: Monitor, method: str) -> None:
        answer = own.request(method, f"/webhooks/{monitor.token}", body=b"x", headers=SECRET)

        assert answer.status_code == 200
        assert [outcome for outcome, _ in own.log(monitor)] == ["recorded"]

    def test_that_do_not(self, own: Gateway, monitor: Monitor) -> None:
        answer = own.request("GET", f"/webhooks/{monitor.token}", headers=SECRET)

        assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST, PUT, OPTIONS"
        assert own.log(monitor) == []

    def test_options_tells_which_there_are(self, own: Gateway, monitor: Monitor) -> None:
        answer = own.request("OPTIONS", f"/webhooks/{monitor.token}")

        assert (answer.status_code, answer.text) == (204, "")
        assert answer.headers["Allow"] == "POST, PUT, OPTIONS"

    @pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
    def test_of_a_challenge(self, own: Gateway, method: str) -> None:
        monitor = own.monitor("greeting")

        answer = own.request(method, f"/webhooks/{monitor.token}")

        assert (answer.status_code, answer.text) == (204, "")
        assert answer.headers["WebHook-Allowed-Origin"] == "*"
        assert answer.headers["X-Odd"] == "?"

    @pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "POST"])
    def test_with_an_unknown_token(self, own: Gateway, method: str) -> None:
        assert own.request(method, f"/webhooks/{'0' * 64}").status_code == 404
