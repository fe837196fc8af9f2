"""One guarded GET: HTTPS to public addresses only, bounded in time and size, no redirects."""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

PORT = 443
PATIENCE = 5.0
"""Seconds that a GET may take in all."""

MOST_BYTES = 64 * 1024
"""The largest body that is read."""

_MOST_HEAD = 16 * 1024
_CONNECT_PATIENCE = 2.0
_MOST_ADDRESSES = 4
_CHUNK = 16 * 1024
_NAT64 = IPv6Network("64:ff9b::/96")


def resolve(host: str) -> Sequence[str]:
    """The addresses of a host, in the order of the system's resolver. Raises `OSError`."""
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet: not to this machine, its network or its cloud.

    https://www.iana.org/assignments/iana-ipv4-special-registry
    """
    try:
        parsed = _embedded(ip_address(address))
    except ValueError:
        return False
    return parsed.is_global and not parsed.is_multicast


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one leads to, if it is one of these."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


@dataclass(frozen=True, slots=True)
class Https:
    """How a GET reaches the world. Other than the defaults are for tests with a local server."""

    resolve: Callable[[str], Sequence[str]] = resolve
    is_allowed: Callable[[str], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    port: int = PORT
    patience: float = PATIENCE

    def get(self, host: str, target: str) -> bytes:
        """The body of ``https://host/target``, for status 200 only.

        Raises `OSError`, `http.client.HTTPException`, or `ValueError` for impossible names.
        """
        deadline = time.monotonic() + self.patience
        request = (
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: taco-gateway\r\n"
            "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
        with self._connect(host, deadline) as stream:
            stream.settimeout(_left(deadline))
            stream.sendall(request.encode("ascii"))
            received = _receive(stream, deadline)
        return _body(received)

    def _connect(self, host: str, deadline: float) -> ssl.SSLSocket:
        """A verified connection to an address that was checked: nothing is resolved again."""
        allowed = [each for each in self.resolve(host) if self.is_allowed(each)]
        error: OSError | None = None
        for address in allowed[:_MOST_ADDRESSES]:
            try:
                timeout = min(_left(deadline), _CONNECT_PATIENCE)
                plain = socket.create_connection((address, self.port), timeout)
            except OSError as failed:
                error = failed
                continue
            return self._secured(plain, host, deadline)
        raise error or OSError("it has no public address")

    def _secured(self, plain: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
        try:
            plain.settimeout(_left(deadline))
            return self.tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


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


def _receive(stream: ssl.SSLSocket, deadline: float) -> bytes:
    """All that comes. A timeout of the socket alone would begin anew with every byte."""
    received = bytearray()
    while chunk := stream.recv(_CHUNK):
        received += chunk
        if len(received) > _MOST_HEAD + MOST_BYTES:
            raise http.client.HTTPException("the answer is too large")
        stream.settimeout(_left(deadline))
    return bytes(received)


def _body(received: bytes) -> bytes:
    response = http.client.HTTPResponse(_Received(received), method="GET")  # type: ignore[arg-type]
    response.begin()
    if response.status != http.client.OK:
        raise http.client.HTTPException(f"it answers {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise http.client.HTTPException("the answer is compressed")
    body = response.read()
    if len(body) > MOST_BYTES:
        raise http.client.HTTPException("the answer is too large")
    return body
