"""What many tests stand on: real, migrated databases, each test with one of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import postgres
import pytest
from databases import (
    BOTH,
    NOT_TESTED,
    NewDatabase,
    available,
    copies_of_database,
    copies_of_file,
    migrate_new,
    open_store,
)

from gateway.store import teams
from gateway.store.engine import Store
from gateway.store.teams import NewTeam

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database without rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    migrate_new(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def new_sqlite(migrated_file: Path) -> NewDatabase:
    return copies_of_file(migrated_file)


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[postgres.Databases]:
    with available(postgres.databases()) as databases:
        yield databases


@pytest.fixture(scope="session")
def new_postgresql(postgres_databases: postgres.Databases) -> Iterator[NewDatabase]:
    with postgres_databases.new() as template:
        migrate_new(postgres_databases.url(template))
        yield copies_of_database(postgres_databases, template)


@pytest.fixture
def sqlite_url(new_sqlite: NewDatabase, tmp_path: Path) -> Iterator[str]:
    with new_sqlite(tmp_path) as url:
        yield url


@pytest.fixture
def postgresql_url(new_postgresql: NewDatabase, tmp_path: Path) -> Iterator[str]:
    with new_postgresql(tmp_path) as url:
        yield url


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without rows, on each of the two."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = open_store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def team(store: Store) -> NewTeam:
    made = teams.ensure_first_team(store, "main", NOON)
    assert made is not None
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that half of the store was not tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {str(each.longrepr) for each in skipped if NOT_TESTED in str(each.longrepr)}
    if reasons:
        terminalreporter.write_sep("!", f"{NOT_TESTED.upper()}", red=True, bold=True)
        terminalreporter.write_line(
            f"No server could be started. Install one, or name one in {postgres.URL_VARIABLE}. "
            f"With CI=true this is a failure.\n{reasons.pop()}"
        )
