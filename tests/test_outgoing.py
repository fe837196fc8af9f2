"""Requests to the world: what they look like, what is refused, how long they take."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network

import pytest

from gateway.addresses import AddressRefused, read_url
from gateway.outgoing import MOST_BYTES, NoAnswer, Outgoing

LOCAL = Outgoing(patience=1.0, networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """A server that sends these bytes to whoever asks; yields its port and what was asked."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                stream, _ = listener.accept()
                with suppress(OSError), stream:
                    asked.append(stream.recv(65536))
                    for piece in pieces:
                        stream.sendall(piece)
                        time.sleep(pause)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_request_and_its_answer() -> None:
    answer = b"HTTP/1.1 202 Accepted\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\nok"
    with answering(answer) as (port, asked):
        found = LOCAL.request(
            "POST", f"http://127.0.0.1:{port}/a?b=c", headers={"X-A": "1"}, body=b"{}"
        )

    assert (found.status, found.body, found.headers["retry-after"]) == (202, b"ok", "5")
    [request] = asked
    assert request.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in request
    assert b"\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}" in request


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ((b"HTTP/1.1 200 OK\r\n\r\nuntil the end",), b"until the end"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",), b"ok"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",), b"cut"),
        ((b"HTTP/1.1 2", b"00 OK\r\nContent-Le", b"ngth: 2\r\n\r\nok"), b"ok"),
        ((b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000,), b"x" * MOST_BYTES),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
    ],
)
def test_bodies(pieces: tuple[bytes, ...], body: bytes) -> None:
    with answering(*pieces, pause=0.02) as (port, _):
        found = LOCAL.request("GET", f"http://127.0.0.1:{port}")

    assert found.body == body


def test_who_keeps_the_connection_open_is_not_waited_for() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with answering(whole, pause=0.8) as (port, _):
        started = time.monotonic()
        assert LOCAL.request("GET", f"http://127.0.0.1:{port}/").status == 200
        assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ((), "closed connection without response"),
        ((b"SSH-2.0-OpenSSH\r\n",), "the answer is not HTTP"),
        ((b"H",) * 100, "no answer in time"),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 90_000,), "the answer is not HTTP"),
    ],
)
def test_what_is_no_answer(pieces: tuple[bytes, ...], error: str) -> None:
    with answering(*pieces, pause=0.05) as (port, _):
        started = time.monotonic()
        with pytest.raises(NoAnswer, match=error) as told:
            LOCAL.request("POST", f"http://127.0.0.1:{port}/s3cret")
        assert time.monotonic() - started < 2
    assert "s3cret" not in str(told.value)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match=f"http://127.0.0.1:{port}/...: connection refused"):
        LOCAL.request("POST", f"http://127.0.0.1:{port}/s3cret")


@pytest.mark.parametrize("name", ["X\r\nY", "X\x00"])
def test_a_header_cannot_hold_another(name: str) -> None:
    for headers in ({name: "v"}, {"X": f"v{name}"}):
        with pytest.raises(AddressRefused, match="cannot be sent"):
            LOCAL.request("GET", "http://127.0.0.1:1/", headers=headers)


@pytest.mark.parametrize(
    ("url", "addresses", "refused"),
    [
        ("https://a.example/", ["10.0.0.1"], "no public address"),
        ("https://a.example/", ["169.254.169.254", "::1"], "no public address"),
        ("https://a.example/", ["::ffff:127.0.0.1"], "no public address"),
        ("https://a.example/", [], "no public address"),
        ("http://a.example/", ["8.8.8.8"], "without TLS"),
        ("http://a.example/", ["127.0.0.1"], "without TLS"),
    ],
)
def test_addresses_are_checked_after_they_were_resolved(
    url: str, addresses: list[str], refused: str
) -> None:
    outgoing = Outgoing(resolve=lambda _: addresses)

    with pytest.raises(AddressRefused, match=refused):
        outgoing.request("POST", url)


@pytest.mark.parametrize(
    ("address", "encrypted", "allowed"),
    [
        ("127.0.0.1", False, True),
        ("127.0.0.1", True, True),
        ("::ffff:127.0.0.1", False, True),
        ("8.8.8.8", True, True),
        ("8.8.8.8", False, False),
        ("10.0.0.1", True, False),
        ("::1", False, True),
        ("a name", False, False),
    ],
)
def test_networks_of_the_operator(address: str, encrypted: bool, allowed: bool) -> None:
    assert LOCAL.allows(address, encrypted=encrypted) is allowed


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://a.example", ("https", "a.example", None, "/")),
        ("https://a.example?x=1", ("https", "a.example", None, "/?x=1")),
        ("http://a.example:8080/x", ("http", "a.example", 8080, "/x")),
        ("https://[2001:db8::1]:444/", ("https", "[2001:db8::1]", 444, "/")),
    ],
)
def test_parts_of_an_address(url: str, parts: tuple[object, ...]) -> None:
    found = read_url(url)

    assert (found.scheme, found.host, found.port, found.path) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/x",
        "ftp://a.example/",
        "HTTPS://a.example/",
        "https:///x",
        "https://user@a.example/",
        "https://user:pw@a.example/",
        "https://a.example/#x",
        "https://a.example/ x",
        "https://a.example/\r\nX: 1",
        "https://a.example/\u00e9",
        "https://\u00e9.example/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example\\@b.example/",
        "https://a.example/" + "x" * 2001,
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(AddressRefused, match="it should be an https address"):
        read_url(url)
