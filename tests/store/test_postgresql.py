"""What only PostgreSQL does: many writers, lost connections, time limits."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from databases import locked, open_store, unreachable
from postgres import Databases
from recording import NO_LIMIT, at, delivery, event
from sqlalchemy import Connection, text
from sqlalchemy import event as events
from sqlalchemy.exc import DBAPIError

from gateway.core.errors import GatewayError, Unavailable
from gateway.core.model import Outcome
from gateway.store import monitors, teams
from gateway.store.engine import Store, open_engine
from gateway.store.migrate import check_migrated, migrate
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import Recorded, record
from gateway.vault import KEY_BYTES, Vault


@pytest.fixture
def store(postgresql_url: str) -> Iterator[Store]:
    opened = open_store(postgresql_url)
    yield opened
    opened.close()


@pytest.fixture
def monitor(store: Store) -> Monitor:
    team = teams.ensure_first_team(store, "main", at(0))
    assert team is not None
    return monitors.create(store, team.id, Draft("shop"), at(0))


def records(store: Store, monitor: Monitor) -> bool:
    [result] = record(store, [delivery(monitor, event("up"))], NO_LIMIT)
    return isinstance(result, Recorded) and result.outcome in {Outcome.RECORDED, Outcome.LATE}


def setting(store: Store, name: str) -> Any:
    with store.read() as connection:
        return connection.scalar(text(f"SHOW {name}"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "UTC"),
        ("client_encoding", "UTF8"),
        ("lock_timeout", "5s"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("transaction_isolation", "repeatable read"),
        ("transaction_read_only", "on"),
    ],
)
def test_a_session_for_reading(store: Store, name: str, value: str) -> None:
    assert setting(store, name) == value


def test_a_transaction_that_writes_is_plain(store: Store) -> None:
    setting(store, "timezone")  # a connection that has been used for reading
    with store.write() as connection:
        found = {
            name: connection.scalar(text(f"SHOW {name}"))
            for name in ("transaction_isolation", "transaction_read_only", "synchronous_commit")
        }

    assert found["transaction_isolation"] == "read committed"
    assert found["transaction_read_only"] == "off"


def test_the_url_stands_above_our_parameters(postgresql_url: str) -> None:
    mine = "options=-c%20statement_timeout%3D77s&application_name=mine"
    store = Store(open_engine(f"{postgresql_url}&{mine}"), Vault(bytes(KEY_BYTES)))

    assert setting(store, "statement_timeout") == "77s"
    assert setting(store, "lock_timeout") == "5s"
    assert setting(store, "application_name") == "mine"
    store.close()


def raises(store: Store, statement: str) -> BaseException | None:
    try:
        with store.write() as connection:
            connection.execute(text(statement))
    except (Unavailable, DBAPIError) as error:
        return error
    return None


RAISE = "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{}'; END $$"


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        ("40P01", True),  # deadlock
        ("40001", True),  # serialization
        ("53100", True),  # disk full
        ("53300", True),  # too many connections
        ("55P03", True),  # lock timeout
        ("57014", True),  # statement timeout
        ("57P01", True),  # server shutting down
        ("57P03", True),  # server starting up
        ("58030", True),  # I/O error
        ("25006", True),  # a standby
        ("XX001", True),  # damaged
        ("42P01", True),  # not migrated
        ("42703", True),
        ("42601", False),  # syntax
        ("23505", False),  # unique
        ("22021", False),  # text that cannot be
        ("54000", False),  # too large for an index
        ("42501", False),  # privilege
        ("XX000", False),  # a bug of the server
    ],
)
def test_what_passes_by_itself_is_unavailable(store: Store, state: str, passes: bool) -> None:
    """By the state that the server names, where SQLAlchemy's classes are too coarse."""
    assert isinstance(raises(store, RAISE.format(state)), Unavailable) is passes


def test_a_text_with_nul_is_no_outage(store: Store, monitor: Monitor) -> None:
    with pytest.raises(DBAPIError, match="NUL"):
        monitors.change(store, monitor.team_id, monitor.id, {"name": "a\0b"}, at(1))


def test_a_statement_that_cannot_be_sent_is_no_outage(store: Store) -> None:
    values = tuple(range(70_000))
    statement = f"SELECT 1 WHERE 1 IN ({', '.join(['%s'] * len(values))})"

    with pytest.raises(DBAPIError, match="number of parameters"), store.write() as connection:
        connection.exec_driver_sql(statement, values)


def test_nobody_waits_for_ever(postgresql_url: str, monitor: Monitor) -> None:
    hasty = Store(
        open_engine(postgresql_url, lock_timeout=timedelta(milliseconds=100)),
        Vault(bytes(KEY_BYTES)),
    )

    with locked(postgresql_url):
        with pytest.raises(Unavailable, match="lock timeout"):
            records(hasty, monitor)
        assert monitors.find(hasty, monitor.team_id, monitor.id) is not None
    assert "statement timeout" in str(raises(hasty, "SELECT pg_sleep(2)"))

    assert records(hasty, monitor)
    hasty.close()


def test_two_that_wait_for_each_other_do_not_hang(store: Store, monitor: Monitor) -> None:
    other = monitors.create(store, monitor.team_id, Draft("other"), at(0))
    gate = threading.Barrier(2)
    failed: list[Exception] = []

    def work(*ids: str) -> None:
        try:
            with store.write() as connection:
                for number, one in enumerate(ids):
                    lock = text("SELECT 1 FROM monitors WHERE id = :id FOR UPDATE")
                    connection.execute(lock, {"id": one})
                    if number == 0:
                        gate.wait(5)
        except Unavailable as error:
            failed.append(error)

    threads = [
        threading.Thread(target=work, args=pair)
        for pair in ((monitor.id, other.id), (other.id, monitor.id))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert ["deadlock detected" in str(error) for error in failed] == [True]


def end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid != pg_backend_pid()"
        )


def test_a_connection_that_the_server_ended_is_replaced_unnoticed(
    store: Store, monitor: Monitor, postgresql_url: str
) -> None:
    assert records(store, monitor)

    end_sessions(postgresql_url)

    assert records(store, monitor)


def test_a_connection_that_breaks_within_a_transaction_is_an_outage(
    store: Store, monitor: Monitor, postgresql_url: str
) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        end_sessions(postgresql_url)
        connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable, match="terminating connection"), store.write() as connection:
        half(connection)

    assert records(store, monitor)


def test_a_connection_in_use_is_not_asked_each_time(
    store: Store, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def ping(_: object, connection: object) -> bool:
        asked.append(connection)
        return True

    monkeypatch.setattr(type(store.engine.dialect), "do_ping", ping)
    for _ in range(3):
        records(store, monitor)
    assert not asked

    def long_ago(_: object, record: Any) -> None:
        record.info["idle_since"] -= 60

    events.listen(store.engine, "checkin", long_ago)
    records(store, monitor)
    records(store, monitor)
    assert len(asked) == 1


def test_a_server_that_became_a_standby_is_left(store: Store, monitor: Monitor) -> None:
    with store.write() as connection:
        connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))

    with pytest.raises(Unavailable, match="read-only transaction"):
        records(store, monitor)

    assert records(store, monitor)


def test_a_server_that_takes_no_connections(
    store: Store, monitor: Monitor, postgresql_url: str
) -> None:
    with unreachable(postgresql_url), pytest.raises(Unavailable, match="not currently accepting"):
        records(store, monitor)

    assert records(store, monitor)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:the-password@127.0.0.1:1/none",
        "postgresql://nobody:the-password@/none?host=/nowhere",
    ],
)
def test_where_there_is_no_server(url: str) -> None:
    store = Store(open_engine(url), Vault(bytes(KEY_BYTES)))

    with pytest.raises(Unavailable, match="does not answer: connection") as told:
        check_migrated(store)

    assert "the-password" not in str(told.value)


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(GatewayError, match=r"pip install 'psycopg\[binary\]'"):
        open_engine("postgresql://localhost/taco")


def test_a_database_that_cannot_hold_every_text_is_refused(
    postgres_databases: Databases,
) -> None:
    with psycopg.connect(postgres_databases.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE taco_latin ENCODING 'LATIN1' TEMPLATE template0")
        try:
            latin = open_store(postgres_databases.url("taco_latin"))
            with pytest.raises(GatewayError, match=r"encoding LATIN1.*ENCODING 'UTF8'"):
                migrate(latin)
            latin.close()
        finally:
            connection.execute("DROP DATABASE taco_latin WITH (FORCE)")
