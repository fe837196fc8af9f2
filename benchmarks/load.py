"""The load generator: keep-alive connections that each send a request when the last is answered.

Written for little overhead of its own: prepared bytes go out, and of an answer only the
status and the length are read.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import quantiles
from typing import cast

import uvloop

from benchmarks.payloads import PreparedRequest

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_DRAIN_SECONDS = 10
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: for how long, over how many connections. ``run`` makes the ids unique."""

    requests: list[PreparedRequest]
    port: int
    connections: int
    seconds: float
    run: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came back. Latencies are in milliseconds."""

    ok: int
    errors: int
    requests_per_second: float
    p50: float
    p99: float
    max: float


@dataclass(slots=True)
class _Tally:
    """What all connections of one run share."""

    requests: Iterator[PreparedRequest]
    ids: Iterator[int]
    run: int
    deadline: float
    latencies: list[float] = field(default_factory=list)
    errors: int = 0

    def next_request(self) -> bytes:
        """The next request, with a delivery id of its own."""
        request = next(self.requests)
        return request.head + delivery_id(self.run, next(self.ids)) + request.tail


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered, until the deadline."""

    def __init__(self, tally: _Tally) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's, but not the type.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        if self._transport is None or time.perf_counter() >= self._tally.deadline:
            self._finish()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._tally.next_request())

    def data_received(self, data: bytes) -> None:
        self._received += data
        status = read_answer(self._received)
        if status is None:
            return
        self._received = b""
        if status in _OK:
            self._tally.latencies.append(time.perf_counter() - self._sent_at)
        else:
            self._tally.errors += 1
        self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.done.done():
            self._tally.errors += 1
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self._transport is not None:
            self._transport.close()


def read_answer(received: bytes) -> int | None:
    """The status of an answer, or None while it is incomplete. Chunked answers are refused."""
    end = received.find(_END_OF_HEAD)
    if end < 0:
        return None
    head = received[:end].lower()
    start = head.find(_LENGTH)
    if start < 0:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    length = int(head[start + len(_LENGTH) :].split(b"\r\n", 1)[0])
    if len(received) < end + len(_END_OF_HEAD) + length:
        return None
    return int(received[9:12])


def delivery_id(run: int, number: int) -> bytes:
    """A delivery id in GitHub's form, different for each run and number."""
    return b"%08x-0000-4000-8000-%012x" % (run, number)


def measure(load: Load) -> Measurement:
    """Apply the load; every request that was sent is waited for."""
    return uvloop.run(_measure(load))


async def _measure(load: Load) -> Measurement:
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    tally = _Tally(
        itertools.cycle(load.requests), itertools.count(), load.run, start + load.seconds
    )
    connections = [
        (await loop.create_connection(lambda: _Connection(tally), "127.0.0.1", load.port))[1]
        for _ in range(load.connections)
    ]
    _, unanswered = await asyncio.wait(
        [connection.done for connection in connections], timeout=load.seconds + _DRAIN_SECONDS
    )
    return summarize(tally.latencies, tally.errors + len(unanswered), load.seconds)


def summarize(latencies: list[float], errors: int, seconds: float) -> Measurement:
    """Count and rank latencies in seconds."""
    if len(latencies) < 2:  # noqa: PLR2004 - quantiles need two
        return Measurement(len(latencies), errors, 0.0, 0.0, 0.0, 0.0)
    percent = quantiles(latencies, n=100, method="inclusive")
    return Measurement(
        ok=len(latencies),
        errors=errors,
        requests_per_second=len(latencies) / seconds,
        p50=percent[49] * 1000,
        p99=percent[98] * 1000,
        max=max(latencies) * 1000,
    )
