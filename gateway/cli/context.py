"""What every command shares: the configuration, errors as sentences, output."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, Protocol, TypeVar

import click
import orjson

from gateway.app import open_providers, open_store
from gateway.config import Config, load_config
from gateway.core.errors import GatewayError, SourceError
from gateway.core.model import Status
from gateway.providers import Providers
from gateway.store import teams
from gateway.store.engine import Store
from gateway.store.migrate import check_migrated

DEFAULT_FILE = Path("config.yaml")
_CAPITAL = re.compile("[A-Z]")
STATUS_COLOURS: dict[str, str] = {
    Status.PENDING: "white",
    Status.UP: "green",
    Status.DEGRADED: "yellow",
    Status.DOWN: "red",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the configuration is. ``file`` is None where there is none: all defaults."""

    file: Path | None

    def load(self) -> Config:
        """Read the configuration; raises `SourceError` or `SourceErrors`."""
        source = self.file or DEFAULT_FILE
        try:
            text = source.read_text("utf-8") if self.file else ""
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"cannot be read: {error}", source=str(source)) from None
        return load_config(text, str(source), os.environ)

    def arguments(self) -> list[str]:
        """What makes another ``taco`` process use the same configuration."""
        return ["--config", str(self.file)] if self.file else []


@dataclass(frozen=True, slots=True)
class Workplace:
    """The opened store and providers, for commands that need both."""

    config: Config
    store: Store
    providers: Providers
    team: str


def open_workplace(settings: Settings) -> Workplace:
    """Open everything; raises `GatewayError` with what to do where nothing is set up yet."""
    config = settings.load()
    # Asked before anything is opened: that would make a data folder with a new key in it.
    if config.uses_sqlite and not database_file(config).exists():
        raise GatewayError(f"there is no database at {database_file(config)}: run 'taco up' first")
    store = open_store(config)
    click.get_current_context().call_on_close(store.close)
    check_migrated(store)
    team = teams.first_team(store)
    if team is None:
        raise GatewayError("there is no team yet: run 'taco up' first")
    return Workplace(config, store, open_providers(config), team)


def database_file(config: Config) -> Path:
    """The file of a SQLite database."""
    return Path(config.database_url.get_secret_value().removeprefix("sqlite:///"))


def find_config(given: Path | None) -> Settings:
    """The file that was named, else ``config.yaml`` in this folder if there is one."""
    if given is None and DEFAULT_FILE.exists():
        given = DEFAULT_FILE
    return Settings(given)


def reporting(command: Callable[P, R]) -> Callable[P, R]:
    """Make errors raised on purpose one message and exit code 1, without a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except GatewayError as error:
            fail(str(error))

    return wrapped


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with exit code 1."""
    click.secho(message, fg="red", err=True)
    sys.exit(1)


class Named(Protocol):
    """Something of the team that people call by a name, which need not be unique."""

    @property
    def name(self) -> str:
        """What it is called."""


N = TypeVar("N", bound=Named)


def only_one(found: Iterable[N], wanted: str, kinds: str) -> N:
    """The only one of this name; ends the command when there is none, or several."""
    named = [each for each in found if each.name == wanted]
    if len(named) > 1:
        fail(f"{len(named)} {kinds} are called {wanted!r}: use the id ('taco {kinds} list')")
    if not named:
        fail(f"no {kinds.removesuffix('s')} {wanted!r}: 'taco {kinds} list' shows them")
    return named[0]


def print_json(value: Any) -> None:
    """The form for machines."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table as wide as its contents; statuses are coloured on a terminal."""
    lines = [list(headings), *[[plain(str(cell)) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for number, line in enumerate(lines):
        *padded, last = zip(line, widths, strict=True)
        cells = [*(cell.ljust(width) for cell, width in padded), last[0]]
        click.echo("  ".join(_style(cell, heading=number == 0) for cell in cells))


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table of some of the fields of views."""
    print_table(
        [_CAPITAL.sub(r" \g<0>", column).upper() for column in columns],
        [["-" if row[column] is None else str(row[column]) for column in columns] for row in rows],
    )


def plain(text: str) -> str:
    """Text of strangers on one line, without what would command the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def styled_status(status: str) -> str:
    """A status in its colour."""
    return click.style(status, fg=STATUS_COLOURS[Status(status)])


def _style(cell: str, *, heading: bool) -> str:
    if heading:
        return click.style(cell, bold=True)
    colour = STATUS_COLOURS.get(cell.strip())
    return click.style(cell, fg=colour) if colour else cell
