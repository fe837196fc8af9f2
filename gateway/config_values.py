"""The values that people write in ``config.yaml``, as types for pydantic models."""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_core import PydanticCustomError

from gateway.core.nodes import Node, NodeError
from gateway.core.ratelimit import Limit
from gateway.vault import KEY_BYTES, VaultError, decode_key

SQLITE: Final = "sqlite:///"
_LONGEST: Final = timedelta(days=366)
_OLDEST: Final = timedelta(days=3660)
_SIZE = re.compile(r"(\d{1,7})(KiB|MiB)")
_UNITS = {"KiB": 1024, "MiB": 1024 * 1024}
_RATE = re.compile(r"(\d{1,7})/(\w+)")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}")
_LARGEST_COUNT: Final = 1_000_000
_POSTGRES: Final = ("postgresql://", "postgresql+psycopg://")
_MOST_WORKERS: Final = 128

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def wrong(text: str, hint: str = "") -> PydanticCustomError:
    """The error for a value that is not what it should be."""
    return PydanticCustomError("gateway", "{text}", {"text": text, "hint": hint})


def _read_duration(value: Any, least: str, longest: timedelta = _LONGEST) -> timedelta:
    try:
        duration = Node(value).duration()
    except NodeError as error:
        raise wrong(f"should be a duration with its unit, not {value!r}", error.hint) from None
    if not Node(least).duration() <= duration <= longest:
        raise wrong(f"should be a duration from {least} to {longest.days}d, not {value}")
    return duration


def _read_size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        raise wrong(f"should be a size with its unit, not {value}", "write 256KiB or 1MiB")
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise wrong(f"should be a size, not {value!r}", "write 256KiB or 1MiB")
    return int(match[1]) * _UNITS[match[2]]


def _read_rate(value: Any) -> Limit:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong(f"should be a number per duration, not {value!r}", "write 600/1m or 10/1s")
    count = int(match[1])
    if not 1 <= count <= _LARGEST_COUNT:
        raise wrong(f"should be a rate from 1 to {_LARGEST_COUNT} per duration, not {value!r}")
    return Limit(count, _read_duration(match[2], least="1s"), burst=count)


def _folder(info: ValidationInfo) -> Path:
    """The folder at which relative paths start."""
    folder: Path = (info.context or {})["folder"]
    return folder


def _read_folder(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise wrong("should be a folder")
    return _folder(info) / Path(value).expanduser()


def _read_database_url(value: Any, info: ValidationInfo) -> Any:
    hint = "write sqlite:///gateway.db or postgresql://user:password@host/database"
    if not isinstance(value, str) or not value.startswith((SQLITE, *_POSTGRES)):
        raise wrong("should be the URL of an SQLite file or a PostgreSQL database", hint)
    if not value.startswith(SQLITE):
        return value
    path = value.removeprefix(SQLITE)
    if not path or path.startswith(":"):
        raise wrong("should name a file, because several processes share the database", hint)
    return f"{SQLITE}{_folder(info) / path}"


def _read_key(value: Any) -> Any:
    hint = "make one with: openssl rand -base64 32"
    try:
        length = len(decode_key(value)) if isinstance(value, str) else 0
    except VaultError:
        length = 0
    if length != KEY_BYTES:
        raise wrong(f"should be {KEY_BYTES} random bytes in base64", hint)
    return value


def _read_public_url(value: Any) -> str:
    hint = "write https://status.example.com"
    try:
        url = urlsplit(value if isinstance(value, str) else "")
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s?#@]", value):
        raise wrong("should be an http or https address without user, query or fragment", hint)
    return str(value).rstrip("/")


def _read_ping_url(value: Any) -> str:
    hint = "write https://hc-ping.com/your-uuid"
    try:
        url = urlsplit(value if isinstance(value, str) else "")
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[^!-~]|[#@]", value):
        raise wrong("should be an http or https address without user or fragment", hint)
    return str(value)


def _read_workers(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool)
    if value == "auto" or (number and 1 <= value <= _MOST_WORKERS):
        return value
    raise wrong(f"should be auto or a number from 1 to {_MOST_WORKERS}")


def _read_network(value: Any) -> Network:
    try:
        return ipaddress.ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise wrong("should be an IP address or network", "write 10.0.0.7 or 10.0.0.0/8") from None


def _read_mail_address(value: Any) -> Any:
    if not isinstance(value, str) or not _MAIL_ADDRESS.fullmatch(value):
        raise wrong("should be an email address", "write alerts@example.com")
    return value


def _read_port(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def whole(least: int, most: int) -> Any:
    """The bounds of a whole number; true and false are not numbers."""
    return Field(strict=True, ge=least, le=most)


Duration = Annotated[timedelta, BeforeValidator(lambda value: _read_duration(value, "1s"))]
"""``30s``, ``5m``, ``2h``, ``1d``; from one second to a year."""

DurationOrZero = Annotated[timedelta, BeforeValidator(lambda value: _read_duration(value, "0s"))]
"""As `Duration`, but ``0s`` is possible too."""

Age = Annotated[timedelta, BeforeValidator(lambda value: _read_duration(value, "1d", _OLDEST))]
"""As `Duration`, from one day to ten years."""

Size = Annotated[int, BeforeValidator(_read_size)]
"""A number of bytes, written ``256KiB`` or ``1MiB``."""

Rate = Annotated[Limit, BeforeValidator(_read_rate)]
"""``600/1m``: at most 600 in a minute, and all of them may come at once."""

Text = Annotated[str, Field(min_length=1)]
"""Text that is not empty."""

Folder = Annotated[Path, BeforeValidator(_read_folder)]
"""A folder; relative ones start at the ``folder`` of the validation context."""

DatabaseUrl = Annotated[SecretStr, BeforeValidator(_read_database_url)]
"""The address of an SQLite file or a PostgreSQL database."""

EncryptionKey = Annotated[SecretStr, BeforeValidator(_read_key)]
"""32 bytes in base64."""

MailAddress = Annotated[str, BeforeValidator(_read_mail_address)]
"""An email address, without a name."""

Port = Annotated[int, BeforeValidator(_read_port), whole(1, 65535)]
"""A TCP port; as text too, for environment variables."""

PublicUrl = Annotated[str, BeforeValidator(_read_public_url)]
"""The address of the gateway, without a slash at its end."""

PingUrl = Annotated[SecretStr, BeforeValidator(_read_ping_url)]
"""An address to call; whoever knows it can call it too."""

Workers = Annotated[int | Literal["auto"], BeforeValidator(_read_workers)]
"""A number of processes, or ``auto``."""

Proxy = Annotated[Network, BeforeValidator(_read_network)]
"""An IP address or network."""
