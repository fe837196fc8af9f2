"""Whatever comes in: a clear answer, one line in the log, no trace in the state."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from databases import locked, unreachable
from falcon import testing
from gateways import Gateway
from sqlalchemy import text

from gateway.store import tables
from gateway.store.monitors import Monitor

LIMIT = 64 * 1024

MALFORMED = {
    "empty": b"",
    "blank": b" \n\t",
    "not JSON": b"status=up",
    "half an object": b'{"status": "up"',
    "two objects": b'{"status": "up"}{"status": "up"}',
    "a text": b'"up"',
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "a list of objects": b'[{"status": "up"}]',
    "no status": b"{}",
    "an unknown status": b'{"status": "UP"}',
    "a status that is a list": b'{"status": ["up"]}',
    "a status that is an object": b'{"status": {}}',
    "a message that is a number": b'{"status": "up", "message": 1}',
    "metadata that is a list": b'{"status": "up", "metadata": []}',
    "not UTF-8": b'{"status": "up", "message": "\xff\xfe"}',
    "UTF-16": '{"status": "up"}'.encode("utf-16"),
    "a lone surrogate": b'{"status": "up", "message": "\\ud800"}',
    "a NUL": b'{"status": "up\x00"}',
    "a NUL at the end": b'{"status": "up"}\x00',
    "NaN": b'{"status": "up", "metadata": {"x": NaN}}',
    "Infinity": b'{"status": "up", "metadata": {"x": -Infinity}}',
    "a float beyond all": b'{"status": "up", "metadata": {"x": 1e999}}',
    "an integer beyond all": b'{"status": "up", "metadata": {"x": ' + b"9" * 5000 + b"}}",
    "nested brackets": b"[" * 30_000,
    "nested and closed": b"[" * 30_000 + b"]" * 30_000,
    "nested within": b'{"status": "up", "metadata": ' + b'{"a":' * 300 + b"1" + b"}" * 301,
}


@pytest.mark.parametrize("provider", ["native", "auto"])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_body(gateway: Gateway, provider: str, body: bytes) -> None:
    monitor = gateway.monitor(provider)

    answer = gateway.post(monitor, body, {"Accept-Language": "en"})

    assert answer.status_code == 400
    assert answer.json["error"] == "Invalid payload"
    assert answer.json["code"] == "payload_malformed"
    assert len(answer.json["details"]["reason"]) > 10
    [(outcome, reason)] = gateway.log(monitor)
    assert outcome == "malformed"
    assert reason == f"payload_malformed: {answer.json['details']['reason']}"
    assert not gateway.stored(monitor)
    assert gateway.reread(monitor).status == "pending"


@pytest.mark.parametrize("provider", ["github", "stripe", "circleci"])
@pytest.mark.parametrize("name", ["empty", "not JSON", "not UTF-8", "NaN", "nested brackets"])
def test_a_malformed_body_of_a_platform(gateway: Gateway, provider: str, name: str) -> None:
    monitor = gateway.monitor(provider)

    answer = gateway.post(monitor, MALFORMED[name])

    assert (answer.status_code, answer.json["code"]) == (400, "payload_malformed")
    assert [outcome for outcome, _ in gateway.log(monitor)] == ["malformed"]
    assert not gateway.stored(monitor)


def test_a_hundred_thousand_brackets_are_over_the_limit_or_malformed(gateway: Gateway) -> None:
    monitor = gateway.monitor()

    assert gateway.post(monitor, b"[" * 100_000).status_code == 413
    assert gateway.log(monitor) == []


HANDLED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "an escaped NUL": (
        b'{"status": "up", "message": "a\\u0000b", "key": "k\\u0000"}',
        {"message": "a\ufffdb", "key": "k\ufffd"},
    ),
    "repeated keys: the last counts": (
        b'{"status": "down", "status": "up", "message": "a", "message": "b"}',
        {"status": "up", "message": "b"},
    ),
    "a byte order mark": (b'\xef\xbb\xbf{"status": "up"}', {"status": "up"}),
    "integers of 64 bits": (
        b'{"status": "up", "metadata": {"a": 18446744073709551615, "b": -9223372036854775808}}',
        {"metadata": {"a": 2**64 - 1, "b": -(2**63)}},
    ),
    "a key that is a number": (b'{"status": "up", "key": 12}', {"key": "12"}),
    "an event id beyond 64 bits": (
        b'{"status": "up", "event_id": 184467440737095516160}',
        {"eventId": "184467440737095516160"},
    ),
    "fields of no use": (b'{"status": "up", "x": [[[{}]]]}', {"status": "up"}),
    "a time that is none": (b'{"status": "up", "occurred_at": "soon"}', {"status": "up"}),
}


@pytest.mark.parametrize(("body", "expected"), HANDLED.values(), ids=HANDLED.keys())
def test_an_odd_body_that_is_understood(
    gateway: Gateway, body: bytes, expected: dict[str, Any]
) -> None:
    monitor = gateway.monitor()

    answer = gateway.post(monitor, body)

    assert answer.status_code == 200
    [check] = gateway.manage("GET", f"/monitors/{monitor.id}/checks").json["items"]
    assert {name: check[name] for name in expected} == expected


def test_metadata_with_integers_beyond_64_bits_is_stored(gateway: Gateway) -> None:
    monitor = gateway.monitor()

    answer = gateway.post(monitor, b'{"status": "up", "metadata": {"id": 36893488147419103232}}')

    assert answer.status_code == 200
    [check] = gateway.manage("GET", f"/monitors/{monitor.id}/checks").json["items"]
    assert check["metadata"] == {"id": "36893488147419103232"}


async def ask(
    gateway: Gateway, path: str, body: AsyncIterator[dict[str, Any]], **headers: str
) -> tuple[int, dict[str, str], Any]:
    """A request whose body events come as a connection would bring them."""
    scope = testing.create_scope(path=path, method="POST")
    given = [
        (b"host", b"x"),
        *((n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()),
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return await anext(body)

    async def send(event: Any) -> None:
        sent.append(event)

    await gateway.app({**scope, "headers": given}, receive, send)
    start = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    content = b"".join(event.get("body", b"") for event in sent[1:])
    return sent[0]["status"], start, orjson.loads(content)


def chunk(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture
def monitor(gateway: Gateway) -> Monitor:
    return gateway.monitor()


@pytest.mark.parametrize("declared", ["65537", "104857600", "9" * 30])
def test_a_declared_body_over_the_limit_is_not_read(
    gateway: Gateway, monitor: Monitor, declared: str
) -> None:
    async def body() -> AsyncIterator[dict[str, Any]]:
        yield chunk(b"x", more=True)  # what came with the headers
        raise AssertionError("more of the body was read")

    status, headers, answer = gateway.run(
        ask(gateway, f"/webhooks/{monitor.token}", body(), content_length=declared)
    )

    assert (status, answer["code"]) == (413, "body_too_large")
    assert headers["connection"] == "close"
    assert gateway.log(monitor) == []


def test_a_chunked_body_is_read_to_the_limit_only(gateway: Gateway, monitor: Monitor) -> None:
    read = 0

    async def body() -> AsyncIterator[dict[str, Any]]:
        nonlocal read
        while True:
            read += 8192
            yield chunk(b"x" * 8192, more=True)

    status, _, answer = gateway.run(ask(gateway, f"/webhooks/{monitor.token}", body()))

    assert (status, answer["code"]) == (413, "body_too_large")
    assert read <= LIMIT + 2 * 8192


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1])
def test_the_limit_is_exact(gateway: Gateway, monitor: Monitor, length: int) -> None:
    frame = b'{"status": "up", "message": "%b"}'
    body = frame % (b"x" * (length - len(frame) + 2))

    assert gateway.post(monitor, body).status_code == (200 if length == LIMIT else 413)


def test_a_body_that_comes_too_slowly(gateway: Gateway, monitor: Monitor) -> None:
    async def body() -> AsyncIterator[dict[str, Any]]:
        while True:
            yield chunk(b" ", more=True)
            await asyncio.sleep(0.3)

    status, headers, answer = gateway.run(ask(gateway, f"/webhooks/{monitor.token}", body()))

    assert (status, answer["code"]) == (408, "body_timeout")
    assert headers["connection"] == "close"
    assert gateway.log(monitor) == []


def test_a_body_that_is_shorter_than_declared(gateway: Gateway, monitor: Monitor) -> None:
    async def body() -> AsyncIterator[dict[str, Any]]:
        yield chunk(b'{"status": "up"}', more=False)
        await asyncio.Event().wait()

    status, _, answer = gateway.run(
        ask(gateway, f"/webhooks/{monitor.token}", body(), content_length="100")
    )

    assert (status, answer["code"]) == (400, "body_incomplete")
    assert not gateway.stored(monitor)


@pytest.mark.parametrize("length", ["-1", "ten", "1.5", ""])
def test_a_content_length_that_is_none(gateway: Gateway, monitor: Monitor, length: str) -> None:
    async def body() -> AsyncIterator[dict[str, Any]]:
        yield chunk(b'{"status": "up"}', more=False)

    status, _, answer = gateway.run(
        ask(gateway, f"/webhooks/{monitor.token}", body(), content_length=length)
    )

    assert status in ({200, 400} if not length else {400})
    assert length == "" or answer["code"] == "invalid_request"


def test_a_slow_body_keeps_nobody_else_waiting(gateway: Gateway, monitor: Monitor) -> None:
    async def never() -> AsyncIterator[dict[str, Any]]:
        yield chunk(b"{", more=True)
        await asyncio.Event().wait()

    async def prompt() -> AsyncIterator[dict[str, Any]]:
        yield chunk(b'{"status": "up"}', more=False)

    async def both() -> list[int]:
        path = f"/webhooks/{monitor.token}"
        slow = asyncio.create_task(ask(gateway, path, never()))
        await asyncio.sleep(0)
        finished = [(await ask(gateway, path, prompt()))[0] for _ in range(3)]
        assert not slow.done()
        return [*finished, (await slow)[0]]

    assert gateway.run(both()) == [200, 200, 200, 408]


QUERIES = ["%00", "a=%ff", "a=1&a=2", "&".join(f"p{n}=1" for n in range(500)), "=", "%zz", "a=é"]


@pytest.mark.parametrize("query", QUERIES)
def test_any_query_string(gateway: Gateway, monitor: Monitor, query: str) -> None:
    path = f"/webhooks/{monitor.token}"

    answer = gateway.request("POST", path, body=b'{"status": "up"}', query_string=query)

    assert answer.status_code == 200


def test_headers_with_any_bytes(gateway: Gateway) -> None:
    monitor, _ = gateway.signed_monitor("native")
    any_bytes = bytes(range(0x80, 0x100)).decode("latin-1")
    headers = {
        "x-webhook-signature": any_bytes,
        "user-agent": any_bytes,
        "content-type": any_bytes,
        "accept-language": any_bytes,
        "x-forwarded-for": any_bytes,
    }

    assert gateway.post(monitor, b"{}", headers).status_code == 401
    [line] = gateway.manage("GET", f"/monitors/{monitor.id}/deliveries").json["items"]
    assert line["headers"]["user-agent"] == any_bytes


def test_a_locked_database_is_told_and_waited_out(gateway: Gateway, monitor: Monitor) -> None:
    gateway.post(monitor, b'{"status": "up"}')
    before = gateway.stored(monitor)

    with locked(gateway.url):
        refused = gateway.post(monitor, b'{"status": "down"}')

    assert refused.status_code == 503
    assert refused.json == {
        "error": "Serviço temporariamente indisponível; tente novamente",
        "code": "unavailable",
    }
    assert int(refused.headers["retry-after"]) >= 1
    assert gateway.stored(monitor) == before
    assert gateway.post(monitor, b'{"status": "down"}').status_code == 200


REQUESTS = [
    ("POST", "/webhooks/{token}"),
    ("GET", "/webhooks/{token}/heartbeat"),
    ("POST", "/webhooks/" + "0" * 64),
    ("GET", "/monitors"),
    ("POST", "/monitors"),
    ("GET", "/readyz"),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("damage", ["gone", "empty", "no database"])
def test_a_database_file_that_is_away_comes_back_without_a_restart(
    start: Any, tmp_path: Path, damage: str
) -> None:
    gateway: Gateway = start("")
    monitor = gateway.monitor()
    gateway.store.close()
    files = [tmp_path / f"gateway.db{suffix}" for suffix in ("", "-wal", "-shm")]
    for file in files:
        if file.exists():
            file.rename(tmp_path / f"away-{file.name}")
    if damage != "gone":
        files[0].write_bytes(b"" if damage == "empty" else b"this is no database" * 500)

    expect_unavailable(gateway, monitor)

    for file in files:
        file.unlink(missing_ok=True)
        away = tmp_path / f"away-{file.name}"
        if away.exists():
            away.rename(file)
    expect_recorded(gateway, monitor)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_is_away_comes_back_without_a_restart(start: Any) -> None:
    gateway: Gateway = start("")
    monitor = gateway.monitor()

    with unreachable(gateway.url):
        expect_unavailable(gateway, monitor)

    expect_recorded(gateway, monitor)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_is_not_migrated_is_told(start: Any) -> None:
    gateway: Gateway = start("")
    monitor = gateway.monitor()
    with gateway.store.write() as connection:
        tables.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))

    expect_unavailable(gateway, monitor)


def expect_unavailable(gateway: Gateway, monitor: Monitor) -> None:
    for method, path in REQUESTS:
        refused = gateway.manage(
            method, path.format(token=monitor.token), body=b'{"status": "down"}'
        )
        assert refused.status_code == 503, (method, path)
        assert refused.json["code"] == "unavailable"
        assert int(refused.headers["retry-after"]) >= 1
    assert gateway.request("GET", "/healthz").status_code == 200


def expect_recorded(gateway: Gateway, monitor: Monitor) -> None:
    for method, path in REQUESTS[:2]:
        answer = gateway.request(
            method, path.format(token=monitor.token), body=b'{"status": "down"}'
        )
        assert answer.status_code == 200
    assert gateway.stored(monitor)["incidents"] == 1


def test_a_client_that_goes_away_does_not_undo_a_record(gateway: Gateway) -> None:
    monitor = gateway.monitor()

    async def leave() -> None:
        async def body() -> AsyncIterator[dict[str, Any]]:
            yield chunk(b'{"status": "down"}', more=False)

        asking = asyncio.create_task(ask(gateway, f"/webhooks/{monitor.token}", body()))
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()

    with locked(gateway.url):
        gateway.run(leave())
        assert not gateway.stored(monitor)
    gateway.request("GET", f"/webhooks/{monitor.token}/heartbeat")  # recorded after it

    assert gateway.log(monitor) == [("recorded", "")]
    assert gateway.stored(monitor)["incidents"] == 1
