"""A desk and a receiver for each test."""

from collections.abc import Iterator

import pytest
from alerting import Desk
from receiving import Receiver, receiving

from gateway.store.engine import Store
from gateway.store.teams import NewTeam


@pytest.fixture
def desk(store: Store, team: NewTeam) -> Desk:
    return Desk(store, team)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started
