"""What many tests stand on: a real, migrated SQLite database in a file of its own."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.store import teams
from gateway.store.engine import Store, open_engine
from gateway.store.migrate import migrate
from gateway.store.teams import NewTeam
from gateway.vault import KEY_BYTES, Vault

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    store = Store(open_engine(f"sqlite:///{path}", create=True), Vault(bytes(KEY_BYTES)))
    migrate(store)
    store.close()
    return path


@pytest.fixture
def store(migrated_file: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "gateway.db"
    shutil.copy(migrated_file, path)
    opened = Store(open_engine(f"sqlite:///{path}"), Vault(bytes(KEY_BYTES)))
    yield opened
    opened.close()


@pytest.fixture
def team(store: Store) -> NewTeam:
    made = teams.ensure_first_team(store, "main", NOON)
    assert made is not None
    return made
