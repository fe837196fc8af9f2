"""The supervisor, with commands that end by themselves."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.up import PortTaken, Supervisor, check_port


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def listening(family: socket.AddressFamily, host: str) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind((host, 0))
    server.listen()
    return server


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_port_is_free_or_taken(family: socket.AddressFamily, host: str) -> None:
    try:
        server = listening(family, host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with closing(server):
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=f"cannot listen on {host}:{port}"):
            check_port(host, port)
    check_port(host, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(PortTaken, match=r"TACO_PORT or web\.port"):
        check_port(host, 8600)


def test_what_ends_is_started_again_after_a_growing_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervisor = Supervisor({"web": ["no such command"]}, patience=1)

    def twice() -> bool:
        return caplog.text.count("starting it again in") >= 2

    stopper = threading.Thread(target=stop_when, args=(supervisor, twice))
    stopper.start()
    supervisor.run()
    stopper.join()

    assert "the web process ended with code 2; starting it again in 0.5 s" in caplog.text
    assert "starting it again in 1.0 s" in caplog.text


def stop_when(supervisor: Supervisor, done: object) -> None:
    assert callable(done)
    deadline = time.monotonic() + 20
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    supervisor._on_signal(signal.SIGTERM, None)


def test_being_told_ends_a_pause_at_once() -> None:
    supervisor = Supervisor({}, patience=1)
    started = time.monotonic()

    threading.Timer(0.1, supervisor._on_signal, (signal.SIGINT, None)).start()

    assert supervisor._pause(30)
    assert not supervisor._pause(0.01, orders=2)
    assert time.monotonic() - started < 5


def test_without_processes_it_ends_when_told() -> None:
    supervisor = Supervisor({}, patience=1)
    threading.Timer(0.1, supervisor._on_signal, (signal.SIGTERM, None)).start()

    supervisor.run()
