"""Guarded HTTP requests to the world: to public addresses only, bounded, without redirects.

An address is checked after it was resolved, and exactly that address is connected to. Who
runs the gateway may allow networks of their own; only these are spoken to without TLS.
"""

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.addresses import (
    PORT,
    AddressRefused,
    Network,
    Target,
    embedded,
    is_public,
    read_url,
    resolve,
)
from gateway.core.errors import GatewayError

PATIENCE = 5.0
"""Seconds that a request may take in all."""

MOST_BYTES = 64 * 1024
"""The largest body that is read."""

_HTTP_PORT = 80
_MOST_HEAD = 16 * 1024
_CONNECT_PATIENCE = 2.0
_MOST_ADDRESSES = 4
_CHUNK = 16 * 1024
_HEADER = re.compile(r"[\x20-\x7e]*")


class NoAnswer(GatewayError):
    """The other side could not be reached, or gave no answer in time."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are lower case, a body is cut at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How requests reach the world; for any number of threads.

    ``networks`` may be called beside public addresses, and alone without TLS; ``patience``
    is in seconds. The other fields are for tests with a local server.
    """

    resolve: Callable[[str], Sequence[str]] = resolve
    is_public: Callable[[str], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    port: int = PORT
    patience: float = PATIENCE
    networks: tuple[Network, ...] = ()

    def get(self, host: str, path: str) -> bytes:
        """The body of ``https://host/path``, for status 200 only.

        Raises `OSError`, `http.client.HTTPException`, or `ValueError` for impossible names.
        """
        target = Target("https", host, None, path)
        received = self._exchange(target, _request("GET", target, {"Accept": "*/*"}, b""))
        return _body(received)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """The answer to one request, whatever its status; a redirect is not followed.

        Raises `AddressRefused` where nothing may be sent, `NoAnswer` where nothing came.
        """
        target = read_url(url)
        request = _request(method, target, headers or {}, body)
        try:
            received = self._exchange(target, request)
            return _answer(received)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{target}: {_reason(error)}") from None

    def allows(self, address: str, *, encrypted: bool) -> bool:
        """Whether a resolved address may be called, with TLS or without."""
        if encrypted and self.is_public(address):
            return True
        parsed = embedded(address)
        return any(parsed in network for network in self.networks) if parsed else False

    def _exchange(self, target: Target, request: bytes) -> bytes:
        deadline = time.monotonic() + self.patience
        with self._connect(target, deadline) as stream:
            stream.settimeout(_left(deadline))
            stream.sendall(request)
            return _receive(stream, deadline)

    def _connect(self, target: Target, deadline: float) -> socket.socket:
        """A connection to an address that was checked: nothing is resolved again."""
        encrypted = target.scheme == "https"
        host = target.host.strip("[]")
        found = self.resolve(host)
        allowed = [each for each in found if self.allows(each, encrypted=encrypted)]
        if not allowed:
            raise AddressRefused(_why_refused(target))
        port = target.port or (self.port if encrypted else _HTTP_PORT)
        plain = _first_connection(allowed[:_MOST_ADDRESSES], port, deadline)
        return self._secured(plain, host, deadline) if encrypted else plain

    def _secured(self, plain: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
        try:
            plain.settimeout(_left(deadline))
            return self.tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


def _first_connection(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    error: OSError | None = None
    for address in addresses:
        try:
            timeout = min(_left(deadline), _CONNECT_PATIENCE)
            return socket.create_connection((address, port), timeout)
        except OSError as failed:
            error = failed
    raise error or OSError("it has no address")


def _why_refused(target: Target) -> str:
    if target.scheme == "http":
        return f"{target}: without TLS only networks in alerts.allow_networks are called"
    return f"{target}: it has no public address, and none in alerts.allow_networks"


def _request(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = {
        "Host": target.authority,
        "User-Agent": "taco-gateway",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    if body or method != "GET":
        fields["Content-Length"] = str(len(body))
    for name, value in fields.items():
        if not _HEADER.fullmatch(name) or not _HEADER.fullmatch(value):
            raise AddressRefused(f"the header {name!r} has a value that cannot be sent")
    lines = [f"{method} {target.path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii") + body


class _Received:
    """Bytes in the place of the connection that `http.client` reads from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it takes too long")
    return left


def _receive(stream: socket.socket, deadline: float) -> bytes:
    """All that comes, up to the limit. The socket's own timeout begins anew with every byte."""
    received = bytearray()
    while len(received) <= _MOST_HEAD + MOST_BYTES and not _is_whole(received):
        chunk = stream.recv(_CHUNK)
        if not chunk:
            break
        received += chunk
        stream.settimeout(_left(deadline))
    return bytes(received)


def _is_whole(received: bytearray) -> bool:
    """Whether an answer of known length has arrived: not everybody closes the connection."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|$)", head.lower())
    return bool(end) and length is not None and len(body) >= int(length[1])


def _parsed(received: bytes) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(_Received(received), method="GET")  # type: ignore[arg-type]
    response.begin()
    return response


def _body(received: bytes) -> bytes:
    response = _parsed(received)
    if len(received) > _MOST_HEAD + MOST_BYTES:
        raise http.client.HTTPException("the answer is too large")
    if response.status != http.client.OK:
        raise http.client.HTTPException(f"it answers {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise http.client.HTTPException("the answer is compressed")
    body = response.read()
    if len(body) > MOST_BYTES:
        raise http.client.HTTPException("the answer is too large")
    return body


def _answer(received: bytes) -> Answer:
    response = _parsed(received)
    try:
        body = response.read(MOST_BYTES)
    except http.client.IncompleteRead as cut:
        body = cut.partial
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, body)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or 'unknown reason'}"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return "the answer is not HTTP"
