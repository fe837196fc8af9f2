"""The cache of monitors by token."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway import directory as directories
from gateway.directory import Directory
from gateway.store import monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.teams import NewTeam

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
FRESH, RECENT = directories._FRESH, directories._RECENT
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def monitor(store: Store, team: NewTeam) -> Monitor:
    return monitors.create(store, team.id, Draft("shop"), NOON)


def finder(store: Store) -> Callable[[str], Awaitable[Monitor | None]]:
    async def find(token: str) -> Monitor | None:
        return monitors.find_by_token(store, token)

    return find


def test_what_was_read_is_known_for_a_while(store: Store, monitor: Monitor) -> None:
    directory = Directory(finder(store))
    assert directory.cached(monitor.token, NOON) is None

    assert asyncio.run(directory.read(monitor.token, NOON)) == monitor

    assert directory.cached(monitor.token, NOON) == monitor
    assert directory.cached(monitor.token, NOON + FRESH) == monitor
    assert directory.cached(monitor.token, NOON + FRESH + MOMENT) is None


def test_how_lately_it_was_read_is_known(store: Store, monitor: Monitor) -> None:
    directory = Directory(finder(store))
    assert not directory.is_recent(monitor.token, NOON)

    asyncio.run(directory.read(monitor.token, NOON))

    assert directory.is_recent(monitor.token, NOON + RECENT)
    assert not directory.is_recent(monitor.token, NOON + RECENT + MOMENT)


def test_what_is_forgotten_is_read_again(store: Store, monitor: Monitor) -> None:
    directory = Directory(finder(store))
    asyncio.run(directory.read(monitor.token, NOON))

    directory.forget(monitor.token)
    directory.forget("never known")

    assert directory.cached(monitor.token, NOON) is None
    assert asyncio.run(directory.read(monitor.token, NOON)) == monitor


def test_a_token_that_nothing_has_is_not_remembered(
    store: Store, team: NewTeam, monitor: Monitor
) -> None:
    directory = Directory(finder(store))
    asyncio.run(directory.read(monitor.token, NOON))
    monitors.remove(store, team.id, monitor.id)

    assert directory.cached(monitor.token, NOON) == monitor
    assert asyncio.run(directory.read(monitor.token, NOON)) is None
    assert directory.cached(monitor.token, NOON) is None
    assert asyncio.run(directory.read("unknown", NOON)) is None
    assert len(directory._known) == 0


def test_the_memory_is_bounded_and_the_latest_are_kept(
    store: Store, team: NewTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "_CAPACITY", 2)
    directory = Directory(finder(store))
    first, second, third = (
        monitors.create(store, team.id, Draft(name), NOON).token for name in "abc"
    )

    async def go() -> None:
        await directory.read(first, NOON)
        await directory.read(second, NOON)
        directory.cached(first, NOON)
        await directory.read(third, NOON)

    asyncio.run(go())

    known = [directory.cached(token, NOON) is not None for token in (first, second, third)]
    assert known == [True, False, True]
