"""The schema that migrations make, and how a database is told to be ready."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import BOTH, open_store
from postgres import Databases
from sqlalchemy import JSON, inspect, select, text

from gateway.core.errors import GatewayError, Unavailable
from gateway.core.uptime import DAY
from gateway.store import migrate as migrating
from gateway.store.days import read_days
from gateway.store.engine import Store, open_engine, ping
from gateway.store.migrate import _config, check_migrated, migrate, newest_revision
from gateway.store.tables import metadata, monitors
from gateway.vault import Vault


@pytest.fixture(params=BOTH)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        if request.param == "postgresql":
            databases: Databases = request.getfixturevalue("postgres_databases")
            url = databases.url(stack.enter_context(databases.new()))
        opened = Store(open_engine(url, create=True), Vault(bytes(32)))
        yield opened
        opened.close()


def test_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": default_differs}
        )
        assert compare_metadata(context, metadata) == []


def default_differs(*arguments: Any) -> bool | None:
    """Whether a default in the database is not that of the code; None: let Alembic say."""
    _, _, column, in_database, _, in_code = arguments
    if not isinstance(column.type, JSON):
        return None
    # PostgreSQL cannot compare two JSON values, which Alembic would ask it to do.
    return bool(in_database.removesuffix("::json") != in_code)


def test_indexes_and_keys_are_those_of_the_code(empty: Store) -> None:
    """Alembic does not compare names of constraints, nor conditions of indexes."""
    with empty.write() as connection:
        metadata.create_all(connection)
    from_code = schema(empty)
    with empty.write() as connection:
        metadata.drop_all(connection)

    migrate(empty)

    assert schema(empty) == from_code
    assert len(from_code) > len(metadata.tables)


SCHEMA = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql NOTNULL",
    "postgresql": """
        SELECT indexname AS name, indexdef AS sql FROM pg_indexes
        WHERE schemaname = 'public' AND indexname NOT LIKE 'alembic%'
        UNION SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'""",
}


def schema(store: Store) -> set[tuple[str, tuple[str, ...]]]:
    """The definition of each table and index, its parts in any order.

    A column that a later migration adds stands behind the constraints.
    """
    with store.read() as connection:
        query = text(SCHEMA[connection.dialect.name])
        return {(row.name, parts_of(row.sql)) for row in connection.execute(query)}


def parts_of(sql: str) -> tuple[str, ...]:
    head, _, rest = " ".join(sql.replace('"', "").split()).partition("(")
    inner, _, tail = rest.rpartition(")")
    parts = re.split(r",(?![^(]*\))", inner) if head.startswith("CREATE TABLE") else [inner]
    return ("".join(head.split()), *sorted("".join(part.split()) for part in parts), tail.strip())


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ("pending", [{"pending": DAY}, {"pending": 43_200}]),
        ("down", [{"pending": 36_000, "down": DAY - 36_000}, {"down": 43_200}]),
    ],
)
def test_the_days_of_an_old_database_begin_with_the_last_change(
    empty: Store, status: str, seconds: list[dict[str, int]]
) -> None:
    with empty.write() as connection:
        config = migrating._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO teams VALUES ('t', 'team', '2026-01-01 00:00:00')"))
        connection.execute(
            text(
                "INSERT INTO monitors (id, team_id, name, type, provider, token_hash,"
                " token_sealed, active, alerts_enabled, heartbeat_grace, status, status_since,"
                " signals_up, signals_degraded, signals_down, revision, created_at) VALUES"
                " ('m', 't', 'shop', 'webhook', 'auto', 'h', :sealed, true, true, 60, :status,"
                " '2026-01-20 10:00:00.500000', 0, 0, 1, 1, '2026-01-01 00:00:00.000000')"
            ),
            {"status": status, "sealed": b""},
        )

    migrate(empty)

    days = read_days(empty, "m", 5, datetime(2026, 1, 21, 12, tzinfo=UTC))
    shown = [{str(k): count for k, count in day.seconds.items() if count} for day in days]
    assert shown == [{"pending": DAY}] * 3 + seconds


def test_an_empty_database_is_not_ready(empty: Store) -> None:
    with pytest.raises(Unavailable, match=r"schema is empty.*run 'taco migrate'") as told:
        check_migrated(empty)
    with pytest.raises(Unavailable):
        ping(empty)

    assert told.value.retry_after > 0
    assert migrate(empty) == newest_revision()
    check_migrated(empty)
    ping(empty)


def test_migrating_again_changes_nothing(store: Store) -> None:
    before = schema(store)

    assert migrate(store) == newest_revision()
    assert schema(store) == before


def test_two_gateways_that_start_at_once_migrate_in_turn(empty: Store) -> None:
    done: list[str] = []
    gate = threading.Barrier(2)

    def work() -> None:
        gate.wait()
        done.append(migrate(empty))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [newest_revision()] * 2


def test_a_schema_of_another_release_is_named(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'future'"))

    with pytest.raises(Unavailable, match="schema is future, this release needs"):
        check_migrated(store)


def test_a_database_that_is_lost_is_not_replaced(tmp_path: Path) -> None:
    lost = Store(open_engine(f"sqlite:///{tmp_path / 'lost.db'}"), Vault(bytes(32)))

    with pytest.raises(Unavailable):
        check_migrated(lost)
    assert not (tmp_path / "lost.db").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_no_place(url: str) -> None:
    with pytest.raises(GatewayError, match="needs a file"):
        open_engine(url)


def test_a_commit_survives_a_power_cut(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    with store.read() as connection:
        found = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        tables = set(inspect(connection).get_table_names())

    store.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert tables >= set(metadata.tables)


def test_clocks_that_run_keep_running(empty: Store) -> None:
    """Monitors of the first release, whose rows say nothing of when their wait began."""
    migrate_to(empty, "0001")
    rows = {
        "A": "300, 60, '2026-01-20 12:00:00.000000', '2026-01-20 12:06:00.000000'",
        "B": "300, 60, NULL, '2026-01-20 12:06:00.000000'",
        "C": "300, 60, '2026-01-20 12:00:00.000000', NULL",
        "D": "NULL, 60, '2026-01-20 12:00:00.000000', NULL",
    }
    with empty.write() as connection:
        connection.execute(text("INSERT INTO teams VALUES ('T', 'main', '2026-01-01')"))
        for name, values in rows.items():
            connection.execute(text(OLD_MONITOR.format(name=name, values=values)))

    migrate(empty)

    with empty.read() as connection:
        found = connection.execute(select(monitors.c.id, monitors.c.clock_started)).all()
    noon = datetime(2026, 1, 20, 12, tzinfo=UTC)
    assert {row.id: row.clock_started for row in found} == {
        "A": noon,
        "B": noon,
        "C": noon,
        "D": None,
    }


OLD_MONITOR = """
INSERT INTO monitors (id, team_id, name, type, provider, token_hash, token_sealed, active,
    alerts_enabled, heartbeat_interval, heartbeat_grace, last_heartbeat, deadline, status,
    status_since, signals_up, signals_degraded, signals_down, revision, created_at)
VALUES ('{name}', 'T', 'x', 'webhook', 'auto', '{name}', '', true, true, {values}, 'up',
    '2026-01-20 12:00:00.000000', 1, 0, 0, 1, '2026-01-20 11:00:00.000000')
"""


def migrate_to(store: Store, revision: str) -> None:
    with store.write() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
