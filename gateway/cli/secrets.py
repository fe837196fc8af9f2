"""Secrets as options of commands, without having to stand on the command line in the clear."""

import sys
from pathlib import Path

import click

from gateway.core.errors import GatewayError

FORMS = (
    "@FILE takes the value from a file, - from a line of standard input; NAME alone asks for it."
)


def read_credentials(texts: tuple[str, ...]) -> dict[str, list[str]]:
    """Values by the name of the credential, of ``NAME=VALUE``, or ``NAME`` to be asked.

    Raises `GatewayError` for a value that cannot be read.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        secret = read_secret(value) if separator else _ask(name)
        found.setdefault(name, []).append(secret)
    return found


def _ask(name: str) -> str:
    return str(click.prompt(name, hide_input=True, err=True))


def read_secret(value: str) -> str:
    """The value itself, or what ``@FILE`` or ``-`` stands for, without the end of its line.

    Raises `GatewayError` for a value that cannot be read.
    """
    if value == "-":
        line = sys.stdin.readline()
        if not line:
            raise GatewayError("standard input holds no further line for a secret")
        return line.rstrip("\r\n")
    if value.startswith("@"):
        try:
            return Path(value[1:]).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise GatewayError(f"{value[1:]!r} cannot be read: {error}") from None
    return value
