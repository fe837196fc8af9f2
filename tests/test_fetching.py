"""Guarded GETs against a real TLS server on this machine, and the copies that are kept."""

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from certificates import Authority, issue, server_context
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.addresses import is_public, resolve
from gateway.core.errors import SignatureMalformed, Unavailable
from gateway.fetching import FAILURE_AGE, RECHECK_AGE, Fetch, Fetcher
from gateway.outgoing import MOST_BYTES, Outgoing

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
HOST = "keys.example.com"
HOSTS = r"keys\.example\.com"


@dataclass
class Server:
    """Answers every connection with the bytes of ``answers`` at the path that is asked for."""

    port: int
    authority: bytes
    answers: dict[str, list[bytes]] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    delay: float = 0.0

    def serve(self, listener: socket.socket, tls: ssl.SSLContext) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(plain, tls), daemon=True).start()

    def answer(self, plain: socket.socket, tls: ssl.SSLContext) -> None:
        with suppress(OSError), tls.wrap_socket(plain, server_side=True) as stream:
            request = stream.recv(65536)
            self.asked.append(request)
            for chunk in self.answers[request.split()[1].decode()]:
                stream.sendall(chunk)
                time.sleep(self.delay)

    def https(self, **changes: object) -> Outgoing:
        trusting = ssl.create_default_context(cadata=self.authority.decode())
        found = Outgoing(lambda _: ("127.0.0.1",), lambda _: True, trusting, self.port, 2.0)
        return replace(found, **changes)  # type: ignore[arg-type]

    def fetcher(self, **changes: object) -> Fetcher:
        return Fetcher(self.https(**changes))


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(*issue("authority"))
    certificate, key = issue(HOST, authority)
    server = Server(0, authority.certificate.public_bytes(Encoding.PEM))
    tls = server_context(folder, certificate, key)
    tls.sni_callback = lambda _stream, name, _context: server.names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener, tls), daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture
def server(listening: Server) -> Server:
    listening.answers = {"/keys": [ok(b"one")]}
    listening.asked.clear()
    listening.names.clear()
    listening.delay = 0.0
    return listening


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def fetch(target: str = "/keys", **changes: object) -> Fetch:
    return replace(Fetch(f"https://{HOST}{target}", HOSTS, r"/.*"), **changes)  # type: ignore[arg-type]


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "target"),
        [
            (f"https://{HOST}/keys", "/keys"),
            (f"https://{HOST}:443/keys", "/keys"),
            (
                f"https://{HOST}/a/..b/.c?Action=Confirm&Token=a.b%2F-_",
                "/a/..b/.c?Action=Confirm&Token=a.b%2F-_",
            ),
            (f"https://{HOST}/", "/"),
        ],
    )
    def test_that_are_allowed(self, url: str, target: str) -> None:
        assert Fetch(url, HOSTS, "/.*").parts() == (HOST, target)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "keys.example.com/keys",
            f"http://{HOST}/keys",
            f"HTTPS://{HOST}/keys",
            f"ftp://{HOST}/keys",
            f"//{HOST}/keys",
            f"https:{HOST}/keys",
            f"https:/{HOST}/keys",
            f"https:///{HOST}/keys",
            f"https://{HOST}",
            f"https://{HOST}?/keys",
            f"https://{HOST}#/keys",
            f"https://{HOST}/keys#x",
            f"https://{HOST}:80/keys",
            f"https://{HOST}:8443/keys",
            f"https://{HOST}:/keys",
            f"https://{HOST}:0443/keys",
            f"https://user@{HOST}/keys",
            f"https://user:password@{HOST}/keys",
            f"https://{HOST}@evil.example/keys",
            f"https://{HOST}:443@evil.example/keys",
            f"https://evil.example/@{HOST}/keys",
            f"https://evil.example?{HOST}/keys",
            f"https://evil.example#{HOST}/keys",
            f"https://evil.example\\@{HOST}/keys",
            f"https://{HOST}\\@evil.example/keys",
            f"https://{HOST}\\.evil.example/keys",
            f"https://{HOST}.evil.example/keys",
            f"https://evil{HOST}/keys",
            f"https://{HOST}./keys",
            f"https://.{HOST}/keys",
            "https://keys-example.com/keys",
            "https://KEYS.example.com/keys",
            "https://keys\u3002example.com/keys",
            "https://\uff4beys.example.com/keys",
            "https://keys%2eexample.com/keys",
            f"https://{HOST}%00.evil.example/keys",
            f"https://{HOST}\x00/keys",
            f"https://{HOST}/keys\r\nX-Injected: 1",
            f"https://{HOST}/ke ys",
            f"https://{HOST}/ke\tys",
            f"https://{HOST}/keys\n",
            f" https://{HOST}/keys",
            f"https://{HOST}/k\u00e9ys",
            f"https://{HOST}/a/../keys",
            f"https://{HOST}/a/..",
            f"https://{HOST}/./keys",
            f"https://{HOST}/a/%2e%2E/keys",
            f"https://{HOST}/a/.%2e?x",
            f"https://{HOST}/{'a' * 2001}",
            "https://127.0.0.1/keys",
            "https://[::1]/keys",
            "https://2130706433/keys",
            "https://localhost/keys",
            "https://169.254.169.254/latest/meta-data/",
            f"https://{'a' * 300}/keys",
        ],
    )
    def test_that_are_never_called(self, server: Server, url: str) -> None:
        fetcher = server.fetcher()

        with pytest.raises(SignatureMalformed):
            fetcher.get(Fetch(url, HOSTS, "/.*"), NOON)
        with pytest.raises(SignatureMalformed):
            asyncio.run(fetcher.fetch_all((Fetch(url, HOSTS, "/.*"),), NOON))
        assert server.asked == []

    @pytest.mark.parametrize("path", ["/keys/x", "/key", "/keys?x=1", "/keys/"])
    def test_the_whole_path_counts(self, path: str) -> None:
        with pytest.raises(SignatureMalformed):
            Fetch(f"https://{HOST}{path}", HOSTS, "/keys").parts()

    def test_what_is_kept_is_checked_all_the_same(self, server: Server) -> None:
        fetcher = server.fetcher()
        fetcher.get(fetch(), NOON)

        with pytest.raises(SignatureMalformed):
            fetcher.get(fetch(hosts="other"), NOON)
        with pytest.raises(SignatureMalformed):
            fetcher.get(fetch(path="/other"), NOON)

    @pytest.mark.parametrize(
        ("address", "public"),
        [
            ("8.8.8.8", True),
            ("2606:4700::1111", True),
            ("64:ff9b::808:808", True),
            ("127.0.0.1", False),
            ("127.9.9.9", False),
            ("0.0.0.0", False),
            ("10.1.2.3", False),
            ("172.16.0.1", False),
            ("192.168.1.1", False),
            ("169.254.169.254", False),
            ("100.64.0.1", False),
            ("198.18.0.1", False),
            ("192.0.2.1", False),
            ("224.0.0.1", False),
            ("240.0.0.1", False),
            ("255.255.255.255", False),
            ("::", False),
            ("::1", False),
            ("fe80::1", False),
            ("fe80::1%eth0", False),
            ("fc00::1", False),
            ("fd00:ec2::254", False),
            ("ff02::1", False),
            ("ff0e::1", False),
            ("2001:db8::1", False),
            ("::ffff:127.0.0.1", False),
            ("::ffff:10.0.0.1", False),
            ("::ffff:169.254.169.254", False),
            ("2002:7f00:1::", False),
            ("2002:a9fe:a9fe::", False),
            ("64:ff9b::7f00:1", False),
            ("64:ff9b::a9fe:a9fe", False),
            ("2001:0:7f00:1::", False),
            ("localhost", False),
            ("", False),
        ],
    )
    def test_only_public_ones(self, address: str, public: bool) -> None:
        assert is_public(address) is public


class TestGet:
    def test_with_the_right_names(self, server: Server) -> None:
        assert server.fetcher().get(fetch(), NOON) == b"one"
        assert server.names == [HOST]
        [request] = server.asked
        assert request.startswith(b"GET /keys HTTP/1.1\r\n")
        assert f"\r\nHost: {HOST}\r\n".encode() in request

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.0 200 OK\r\n\r\none",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n2\r\nne\r\n0\r\n\r\n",
            ok(b"one", "Content-Encoding: identity", "Content-Type: text/html"),
            ok(b"one") + b"and more",
        ],
    )
    def test_answers_of_every_form(self, server: Server, answer: bytes) -> None:
        server.answers["/keys"] = [answer]

        assert server.fetcher().get(fetch(), NOON) == b"one"

    @pytest.mark.parametrize("size", [0, MOST_BYTES])
    def test_up_to_the_limit(self, server: Server, size: int) -> None:
        server.answers["/keys"] = [ok(b"x" * size)]

        assert len(server.fetcher().get(fetch(), NOON)) == size

    @pytest.mark.parametrize(
        "answer",
        [
            ok(b"one", "Location: https://evil.example/", status="302 Found"),
            ok(b"one", f"Location: https://{HOST}/two", status="301 Moved"),
            ok(b"one", f"Location: https://{HOST}/two", status="307 Temporary"),
            ok(b"", status="204 No Content"),
            ok(b"one", status="206 Partial Content"),
            ok(b"", status="304 Not Modified"),
            ok(b"one", status="404 Not Found"),
            ok(b"one", status="500 Oops"),
            ok(b"one", "Content-Encoding: gzip"),
            ok(b"x" * (MOST_BYTES + 1)),
            ok(b"x" * (MOST_BYTES * 2)),
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\none",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\none",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\none",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\none",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
            b"SSH-2.0-OpenSSH\r\n",
            b"\x00\xff" * 100,
            b"",
        ],
        ids=lambda answer: repr(answer[:30]),
    )
    def test_answers_that_are_refused(self, server: Server, answer: bytes) -> None:
        server.answers |= {"/keys": [answer], "/two": [ok(b"two")]}

        with pytest.raises(Unavailable, match=HOST):
            server.fetcher().get(fetch(), NOON)
        assert len(server.asked) == 1

    @pytest.mark.parametrize(
        "addresses", [(), ("127.0.0.1",), ("10.0.0.1", "::1"), ("::ffff:127.0.0.1",)]
    )
    def test_a_name_that_leads_inside(self, server: Server, addresses: tuple[str, ...]) -> None:
        fetcher = server.fetcher(resolve=lambda _: addresses, is_public=is_public)

        with pytest.raises(Unavailable, match="no public address"):
            fetcher.get(fetch(), NOON)
        assert server.asked == []

    def test_only_the_address_that_was_checked_is_called(self, server: Server) -> None:
        """A second look-up could give another answer."""
        answers = iter([("10.0.0.1", "127.0.0.1"), ("10.0.0.1",)])
        fetcher = server.fetcher(
            resolve=lambda _: next(answers), is_public=lambda address: address == "127.0.0.1"
        )

        assert fetcher.get(fetch(), NOON) == b"one"

    def test_the_next_address_where_the_first_is_dead(self, server: Server) -> None:
        fetcher = server.fetcher(resolve=lambda _: ("::1", "127.0.0.1"))

        assert fetcher.get(fetch(), NOON) == b"one"

    def test_a_certificate_of_another_name(self, server: Server) -> None:
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            server.fetcher().get(Fetch("https://other.example.com/keys", ".*", ".*"), NOON)

    def test_a_certificate_of_a_stranger(self, server: Server) -> None:
        fetcher = server.fetcher(tls=ssl.create_default_context())

        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            fetcher.get(fetch(), NOON)
        assert server.asked == []

    def test_a_name_that_does_not_resolve(self, server: Server) -> None:
        def fail(_: str) -> tuple[str, ...]:
            raise socket.gaierror(-2, "Name or service not known")

        with pytest.raises(Unavailable, match="not known"):
            server.fetcher(resolve=fail).get(fetch(), NOON)

    def test_a_name_that_is_none(self) -> None:
        with pytest.raises(Unavailable):
            Fetcher(Outgoing(resolve)).get(Fetch(f"https://{'a' * 100}/", ".*", ".*"), NOON)

    def test_the_resolver_of_the_system(self) -> None:
        assert "127.0.0.1" in resolve("127.0.0.1")

    def test_no_time_left(self, server: Server) -> None:
        with pytest.raises(TimeoutError):
            server.https(patience=0).get(HOST, "/keys")

    @pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
    def test_an_answer_that_drips(self, server: Server, head: bytes) -> None:
        server.answers["/keys"] = [head, *[b"x"] * 100]
        server.delay = 0.05
        began = time.monotonic()

        with pytest.raises(Unavailable):
            server.fetcher(patience=0.3).get(fetch(), NOON)
        assert time.monotonic() - began < 1.5

    def test_a_server_that_says_nothing(self, server: Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            with pytest.raises(Unavailable):
                server.fetcher(port=port, patience=0.2).get(fetch(), NOON)


class TestCopies:
    def test_serve_for_their_time(self, server: Server) -> None:
        fetcher = server.fetcher()
        hour = fetch(max_age=3600)
        assert fetcher.get(hour, NOON) == b"one"
        server.answers["/keys"] = [ok(b"two")]

        assert fetcher.get(hour, later(3599)) == b"one"
        assert fetcher.get(hour, later(-1)) == b"one"
        assert fetcher.get(hour, later(3600)) == b"two"
        assert fetcher.get(fetch(max_age=0), later(3600)) == b"two"
        assert len(server.asked) == 3

    def test_are_by_address(self, server: Server) -> None:
        fetcher = server.fetcher()
        server.answers["/two"] = [ok(b"two")]

        assert fetcher.get(fetch(), NOON) == b"one"
        assert fetcher.get(fetch("/two"), NOON) == b"two"

    def test_without_what_is_looked_for(self, server: Server) -> None:
        fetcher = server.fetcher()
        assert fetcher.get(fetch(contains="two"), NOON) == b"one"
        server.answers["/keys"] = [ok(b"one two")]

        assert fetcher.get(fetch(contains="two"), later(RECHECK_AGE - 1)) == b"one"
        assert fetcher.get(fetch(contains="one"), later(RECHECK_AGE)) == b"one"
        assert fetcher.get(fetch(contains="two"), later(RECHECK_AGE)) == b"one two"
        assert fetcher.get(fetch(contains="two"), later(RECHECK_AGE * 2)) == b"one two"
        assert len(server.asked) == 2

    def test_a_failure_is_kept_for_a_moment(self, server: Server) -> None:
        fetcher = server.fetcher()
        server.answers["/keys"] = [ok(b"", status="500 Oops")]
        with pytest.raises(Unavailable, match="500"):
            fetcher.get(fetch(), NOON)
        server.answers["/keys"] = [ok(b"one")]

        with pytest.raises(Unavailable, match="500") as caught:
            fetcher.get(fetch(), later(FAILURE_AGE - 1))
        assert caught.value.retry_after == FAILURE_AGE
        assert fetcher.get(fetch(), later(FAILURE_AGE)) == b"one"

    def test_a_failure_does_not_take_a_copy_away(self, server: Server) -> None:
        fetcher = server.fetcher()
        fetcher.get(fetch(), NOON)
        server.answers["/keys"] = [ok(b"", status="500 Oops")]
        wanting = fetch(contains="two")

        assert fetcher.get(wanting, later(RECHECK_AGE)) == b"one"
        assert fetcher.get(wanting, later(RECHECK_AGE + 1)) == b"one"
        assert fetcher.get(fetch(), later(RECHECK_AGE + 1)) == b"one"
        assert len(server.asked) == 2
        with pytest.raises(Unavailable):
            fetcher.get(fetch(), later(3600))

    def test_are_bounded(self, server: Server) -> None:
        fetcher = server.fetcher()
        fetcher.get(fetch(), NOON)
        for number in range(300):
            fetcher.keep(f"https://{HOST}/{number}", b"x", NOON)
            if number < 200:
                fetcher.get(fetch(), NOON)

        assert fetcher.get(fetch(), NOON) == b"one"
        assert len(server.asked) == 1
        assert len(fetcher._copies) == 256

    def test_what_was_put_there(self, server: Server) -> None:
        fetcher = server.fetcher()
        fetcher.keep(f"https://{HOST}/keys", b"kept", NOON)

        assert fetcher.get(fetch(), NOON) == b"kept"
        assert server.asked == []


class TestManyAtOnce:
    def test_threads_share_one_call(self, server: Server) -> None:
        server.answers["/keys"] = [ok(b"one")[:-3], b"one"]
        server.delay = 0.1
        fetcher = server.fetcher()

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: fetcher.get(fetch(), NOON), range(8)))

        assert found == [b"one"] * 8
        assert len(server.asked) == 1

    def test_requests_share_one_call_and_the_loop_goes_on(self, server: Server) -> None:
        server.answers["/keys"] = [ok(b"one")[:-3], b"one"]
        server.delay = 0.1
        fetcher = server.fetcher()

        async def run() -> tuple[list[bytes], int]:
            turns = 0
            tasks = [asyncio.create_task(fetcher.fetch_all((fetch(),), NOON)) for _ in range(8)]
            while not all(task.done() for task in tasks):
                await asyncio.sleep(0.01)
                turns += 1
            return [task.result()[fetch().url] for task in tasks], turns

        found, turns = asyncio.run(run())

        assert found == [b"one"] * 8
        assert len(server.asked) == 1
        assert turns > 3

    def test_one_that_gives_up_does_not_stop_the_others(self, server: Server) -> None:
        server.answers["/keys"] = [ok(b"one")[:-3], b"one"]
        server.delay = 0.1
        fetcher = server.fetcher()

        async def run() -> bytes:
            impatient = asyncio.create_task(fetcher.fetch_all((fetch(),), NOON))
            patient = asyncio.create_task(fetcher.fetch_all((fetch(),), NOON))
            await asyncio.sleep(0.02)
            impatient.cancel()
            return (await patient)[fetch().url]

        assert asyncio.run(run()) == b"one"

    def test_several_addresses(self, server: Server) -> None:
        server.answers["/two"] = [ok(b"two")]
        fetcher = server.fetcher()
        wanted = (fetch(), fetch("/two"))

        found = asyncio.run(fetcher.fetch_all(wanted, NOON))
        assert found == {wanted[0].url: b"one", wanted[1].url: b"two"}
        assert asyncio.run(fetcher.fetch_all((), NOON)) == {}

    def test_a_copy_costs_no_turn_of_the_loop(self, server: Server) -> None:
        fetcher = server.fetcher()
        fetcher.get(fetch(), NOON)

        coroutine = fetcher.fetch_all((fetch(),), NOON)
        with pytest.raises(StopIteration) as finished:
            coroutine.send(None)
        assert finished.value.value == {fetch().url: b"one"}

    def test_a_failure_reaches_everybody(self, server: Server) -> None:
        server.answers["/keys"] = [ok(b"", status="500 Oops")]
        fetcher = server.fetcher()

        async def run() -> list[object]:
            calls = (fetcher.fetch_all((fetch(),), NOON) for _ in range(4))
            return await asyncio.gather(*calls, return_exceptions=True)

        assert [type(each) for each in asyncio.run(run())] == [Unavailable] * 4

    def test_too_many_at_once(self) -> None:
        go_on = threading.Event()

        def wait(_: str) -> tuple[str, ...]:
            go_on.wait(5)
            return ()

        fetcher = Fetcher(Outgoing(wait))

        async def run() -> list[object]:
            calls = (fetcher.fetch_all((fetch(f"/{n}"),), NOON) for n in range(70))
            tasks = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(0.05)
            go_on.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

        problems = [str(each) for each in asyncio.run(run())]
        assert problems.count("too much is being fetched") == 6
        assert all("cannot fetch" in each for each in problems[:64])

    def test_a_call_that_hangs_is_not_waited_for(self) -> None:
        go_on = threading.Event()

        def hang(_: str) -> tuple[str, ...]:
            go_on.wait(5)
            return ()

        fetcher = Fetcher(Outgoing(hang, patience=0.1))

        with pytest.raises(Unavailable, match="too long"):
            asyncio.run(fetcher.fetch_all((fetch(),), NOON))
        with pytest.raises(Unavailable, match="too long"):
            fetcher.get(fetch(), NOON)
        go_on.set()

    def test_a_mistake_does_not_stay_in_the_way(self, server: Server) -> None:
        mistakes = [RuntimeError("a mistake")]

        def resolve_later(_: str) -> tuple[str, ...]:
            if mistakes:
                raise mistakes.pop()
            return ("127.0.0.1",)

        fetcher = server.fetcher(resolve=resolve_later)

        with pytest.raises(Unavailable, match="a mistake"):
            fetcher.get(fetch(), NOON)
        assert fetcher.get(fetch(), later(FAILURE_AGE)) == b"one"


def test_no_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "https_proxy", "http://127.0.0.1:9")

    assert server.fetcher().get(fetch(), NOON) == b"one"
