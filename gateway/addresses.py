"""Addresses that the gateway is told to call: their parts, and whether they are public."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.core.errors import GatewayError

PORT = 443
Network = IPv4Network | IPv6Network

_LAST_PORT = 65535
_NAT64 = IPv6Network("64:ff9b::/96")
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][\x21\x24-\x3b\x3d\x3f-\x5b\x5d-\x7e]{0,2000})?"
)


class AddressRefused(GatewayError):
    """An address that is no address here, or that must not be called."""

    code = "address_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of an address. ``str()`` shows no more of it than the host."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def authority(self) -> str:
        """Host and port as a ``Host`` header has them."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}/..."


def read_url(url: str) -> Target:
    """The parts of an http or https address; raises `AddressRefused` for all that is none."""
    found = _URL.fullmatch(url)
    port = int(found["port"]) if found is not None and found["port"] else None
    if found is None or port == 0 or (port or 1) > _LAST_PORT:
        raise AddressRefused("it should be an https address, without user and fragment")
    path = found["target"] or "/"
    return Target(
        found["scheme"], found["host"], port, path if path.startswith("/") else f"/{path}"
    )


def resolve(host: str) -> Sequence[str]:
    """The addresses of a host, in the order of the system's resolver. Raises `OSError`."""
    found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet: not to this machine, its network or its cloud.

    https://www.iana.org/assignments/iana-ipv4-special-registry
    """
    parsed = embedded(address)
    return parsed is not None and parsed.is_global and not parsed.is_multicast


def embedded(address: str) -> IPv4Address | IPv6Address | None:
    """What an address leads to: of some IPv6 addresses that is an IPv4 one. None for a name."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv4Address):
        return parsed
    if parsed in _NAT64:
        return IPv4Address(parsed.packed[-4:])
    return parsed.ipv4_mapped or parsed.sixtofour or parsed
