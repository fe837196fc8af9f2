"""What one transaction writes when a signal goes through several incidents within it."""

import pytest
from recording import NO_LIMIT, at, delivery, event

from gateway.core.model import Status
from gateway.store import history, monitors
from gateway.store.engine import Store
from gateway.store.monitors import Draft
from gateway.store.record import Recorded, record
from gateway.store.teams import NewTeam


@pytest.mark.parametrize(
    ("before", "batch", "incidents"),
    [
        pytest.param(["down"], ["up", "down"], [(0, 1), (2, None)]),
        (["down"], ["up", "down", "up"], [(0, 1), (2, 3)]),
        pytest.param(
            ["down"],
            ["up", "down", "up", "degraded"],
            [(0, 1), (2, 3), (4, None)],
        ),
        ([], ["down", "up", "down", "up", "down"], [(0, 1), (2, 3), (4, None)]),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["one delivery", "one batch"])
def test_incidents_within_one_transaction(
    store: Store,
    team: NewTeam,
    before: list[str],
    batch: list[str],
    incidents: list[tuple[int, int | None]],
    together: bool,
) -> None:
    monitor = monitors.create(store, team.id, Draft("shop"), at(0))
    events = [event(status, second) for second, status in enumerate(before + batch)]
    for each in events[: len(before)]:
        record(store, [delivery(monitor, each)], NO_LIMIT)
    rest = events[len(before) :]
    entries = [delivery(monitor, *rest)] if together else [delivery(monitor, e) for e in rest]

    results = record(store, entries, NO_LIMIT)

    assert all(isinstance(result, Recorded) for result in results)
    found = history.list_incidents(store, monitor.id, before=None, limit=9)
    assert [(each.row.opened_at, each.row.resolved_at) for each in reversed(found)] == [
        (at(opened), None if resolved is None else at(resolved)) for opened, resolved in incidents
    ]
    after = monitors.find(store, team.id, monitor.id)
    assert after is not None
    assert after.status is Status(batch[-1])
