"""The application, once for all tests that only need a monitor of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from databases import BOTH, NewDatabase
from gateways import Gateway, running

GENEROUS = """
database: {busy_timeout: 1s}
web: {max_body: 64KiB, read_timeout: 1s}
limits:
  per_monitor: {rate: 1000000/1s, burst: 1000000}
  unknown_tokens_per_address: 1000000/1s
  refused_log_per_monitor: 1000000/1s
"""

Start = Callable[[str], Gateway]


@pytest.fixture(scope="session", params=BOTH)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One that is shared, without limits that a test could run into."""
    new: NewDatabase = request.getfixturevalue(f"new_{request.param}")
    folder = tmp_path_factory.mktemp("gateway")
    with new(folder) as url, running(folder, url, GENEROUS) as started:
        yield started


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts one of the test's own, with settings of its own."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(running(tmp_path, database_url, settings))
