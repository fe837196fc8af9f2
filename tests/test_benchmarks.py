import asyncio
import hashlib
import hmac
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load import Load, delivery_id, measure, read_answer, summarize
from benchmarks.payloads import Target, prepare_requests, workflow_run
from benchmarks.wrk import read_output

TARGETS = [Target("a" * 64, "one"), Target("b" * 64, "two")]
ANSWERS = {b"a": b"HTTP/1.1 200 OK", b"b": b"HTTP/1.1 503 Service Unavailable"}


@contextmanager
def server() -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers by the first letter of the token, and what it has read."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            received.append(head + await reader.readexactly(length))
            status = ANSWERS[head.split(b"/webhooks/")[1][:1]]
            writer.write(status + b"\r\nContent-Length: 2\r\n\r\n{")
            await asyncio.sleep(0.001)
            writer.write(b"}")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    async def main() -> None:
        listener = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**20)
        port.append(listener.sockets[0].getsockname()[1])
        ready.set()
        async with listener:
            await asyncio.to_thread(stop.wait)

    port: list[int] = []
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    try:
        yield port[0], received
    finally:
        stop.set()
        thread.join()


def test_every_request_sent_is_counted_once_and_is_distinct() -> None:
    requests = prepare_requests(TARGETS, per_target=2, seed=1)
    with server() as (port, received):
        result = measure(Load(requests, port, connections=4, seconds=0.3, run=7))

    succeeded = [request for request in received if request.startswith(b"POST /webhooks/a")]
    ids = {request.split(b"X-GitHub-Delivery: ")[1][:36] for request in received}
    assert 0 < result.ok == len(succeeded)
    assert result.errors == len(received) - len(succeeded) > 0
    assert len(ids) == len(received)
    assert 0 < result.p50 <= result.p99 <= result.max


def test_bodies_are_signed_and_of_the_usual_size() -> None:
    for request in prepare_requests(TARGETS, per_target=3, seed=1):
        head, body = request.head, request.tail.removeprefix(b"\r\n\r\n")
        secret = next(t.secret for t in TARGETS if t.token.encode() in head)
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

        assert f"X-Hub-Signature-256: sha256={signature}\r\n".encode() in head
        assert f"Content-Length: {len(body)}\r\n".encode() in head
        assert 7000 < len(body) < 9000


def test_bodies_are_the_same_in_every_run() -> None:
    assert workflow_run(random.Random(3), 5) == workflow_run(random.Random(3), 5)
    assert json.dumps(workflow_run(random.Random(3), 5)) != json.dumps(
        workflow_run(random.Random(4), 5)
    )


def test_delivery_ids_look_like_githubs() -> None:
    assert delivery_id(1, 255) == b"00000001-0000-4000-8000-0000000000ff"


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", None),
        (b"HTTP/1.1 503 No\r\nContent-Length: 2\r\nX: y\r\n\r\n{}", 503),
    ],
)
def test_answers_are_read(received: bytes, status: int | None) -> None:
    assert read_answer(received) == status


def test_no_answers_are_no_speed() -> None:
    assert summarize([], errors=64, seconds=1).requests_per_second == 0


def test_output_of_wrk_is_read() -> None:
    result = read_output("Running 7s test\nRESULT 100 10 1.5 20.25 30.0\n", seconds=5)

    assert (result.ok, result.errors, result.requests_per_second) == (90, 10, 18)
    assert (result.p50, result.p99, result.max) == (1.5, 20.25, 30.0)
