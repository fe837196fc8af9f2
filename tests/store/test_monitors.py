"""Making, finding, changing and removing monitors."""

from datetime import timedelta
from typing import Any

import pytest
from recording import NO_LIMIT, at, beat, delivery, event
from sqlalchemy import func, select, update

from gateway.core.heartbeat import word_of
from gateway.core.model import Status
from gateway.store import chunks, monitors, tables
from gateway.store.engine import Store
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import record
from gateway.store.sweep import sweep
from gateway.store.teams import NewTeam
from gateway.vault import Vault, VaultError, hash_token


def change(store: Store, monitor: Monitor, seconds: float = 50, **changes: Any) -> Monitor:
    changed = monitors.change(store, monitor.team_id, monitor.id, changes, at(seconds))
    assert changed is not None
    return changed


def test_a_draft_becomes_a_monitor(store: Store, team: NewTeam) -> None:
    draft = Draft(
        "shop",
        url="https://shop.example",
        provider="github",
        credentials={"secret": ("new", "old"), "token": ("t",)},
        alerts_enabled=False,
        heartbeat_interval=60,
        heartbeat_grace=5,
        starts_at_creation=True,
    )

    made = monitors.create(store, team.id, draft, at(0))

    assert made == Monitor(
        id=made.id,
        team_id=team.id,
        name="shop",
        type="webhook",
        url="https://shop.example",
        provider="github",
        token=made.token,
        credentials={"secret": ("new", "old"), "token": ("t",)},
        active=True,
        alerts_enabled=False,
        heartbeat_interval=60,
        heartbeat_schedule=None,
        heartbeat_zone="UTC",
        heartbeat_grace=5,
        heartbeat_late_after=None,
        heartbeat_max_run=None,
        heartbeat_post_only=False,
        webhook_is_heartbeat=False,
        last_heartbeat=None,
        deadline=at(65),
        status=Status.PENDING,
        status_since=at(0),
        stale_after=None,
        stale_since=None,
        revision=1,
        created_at=at(0),
    )
    assert monitors.find(store, team.id, made.id) == made
    assert monitors.find_by_token(store, made.token) == made


def test_what_does_not_exist_is_none(store: Store, team: NewTeam) -> None:
    made = monitors.create(store, team.id, Draft("shop"), at(0))

    assert monitors.find(store, team.id, "x") is None
    assert monitors.find(store, "another team", made.id) is None
    assert monitors.find_by_token(store, made.token[:-1]) is None
    assert monitors.change(store, "another team", made.id, {"name": "x"}, at(1)) is None
    assert monitors.remove(store, "another team", made.id) is False
    assert monitors.find(store, team.id, made.id) == made


def test_no_secret_lies_open_in_the_database(store: Store, team: NewTeam) -> None:
    draft = Draft("shop", credentials={"secret": ("a secret text",)})
    made = monitors.create(store, team.id, draft, at(0))
    change(store, made, credentials={"secret": ("another text",)})

    assert "a secret text" not in repr(made)
    assert made.token not in repr(made)
    assert "a secret text" not in repr(draft)
    with store.read() as connection:
        row = connection.execute(select(tables.monitors)).one()
    stored = b"|".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
    for secret in (made.token, "a secret text", "another text"):
        assert secret.encode() not in stored
    assert row.token_hash == hash_token(made.token)


def test_a_sealed_secret_opens_only_where_it_belongs(store: Store, team: NewTeam) -> None:
    first, second = (monitors.create(store, team.id, Draft(name), at(0)) for name in "ab")
    table = tables.monitors
    with store.write() as connection:
        sealed = connection.scalar(select(table.c.token_sealed).where(table.c.id == first.id))
        connection.execute(update(table).where(table.c.id == second.id).values(token_sealed=sealed))

    with pytest.raises(VaultError, match="does not open"):
        monitors.find(store, team.id, second.id)


def test_another_key_opens_nothing(store: Store, team: NewTeam) -> None:
    made = monitors.create(store, team.id, Draft("shop"), at(0))
    other = Store(store.engine, Vault(b"k" * 32))

    with pytest.raises(VaultError, match="key file"):
        monitors.find(other, team.id, made.id)


def test_pages_run_in_the_order_of_making(store: Store, team: NewTeam) -> None:
    made = [monitors.create(store, team.id, Draft(str(n)), at(n)).name for n in range(5)]

    first = monitors.list_page(store, team.id, after=None, limit=3)
    second = monitors.list_page(store, team.id, after=first[-1].id, limit=3)

    assert [each.name for each in first + second] == made
    assert monitors.list_page(store, "another team", after=None, limit=3) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "new"),
        ("url", None),
        ("provider", "stripe"),
        ("alerts_enabled", False),
        ("active", False),
        ("heartbeat_grace", 1),
        ("credentials", {}),
        ("credentials", {"secret": ("x",)}),
    ],
)
def test_a_change_raises_the_revision(store: Store, team: NewTeam, field: str, value: Any) -> None:
    draft = Draft("shop", url="https://x.example", credentials={"secret": ("s",)})
    made = monitors.create(store, team.id, draft, at(0))

    changed = change(store, made, **{field: value})

    assert getattr(changed, field) == value
    assert changed.revision == 2
    assert monitors.find(store, team.id, made.id) == changed
    assert changed.token == made.token


# The draft has an interval of 100 s and a grace of 10 s; changed at second 50.
DEADLINES: list[tuple[str, bool, float | None, list[dict[str, Any]], float | None]] = [
    ("nothing changes a running clock", True, None, [{"name": "x"}], 110),
    ("nothing starts a clock that waits", False, None, [{"name": "x"}], None),
    ("a named interval starts afresh", True, None, [{"heartbeat_interval": 20}], 80),
    ("a named interval starts a waiting clock", False, None, [{"heartbeat_interval": 20}], 80),
    ("grace counts from the last heartbeat", True, 30, [{"heartbeat_grace": 0}], 130),
    (
        "grace counts from where a named interval began",
        True,
        30,
        [{"heartbeat_interval": 20}, {"heartbeat_grace": 0}],
        70,
    ),
    ("a name moves no deadline", True, 30, [{"heartbeat_interval": 20}, {"name": "x"}], 80),
    ("grace before any heartbeat", True, None, [{"heartbeat_grace": 0}], 100),
    ("off", True, 30, [{"heartbeat_interval": None}], None),
    ("paused", True, 30, [{"active": False}], None),
    ("paused and on again", True, 30, [{"active": False}, {"active": True}], 160),
    ("paused, changed, still paused", True, 30, [{"active": False}, {"name": "x"}], None),
    ("resumed without any heartbeat", True, None, [{"active": False}, {"active": True}], None),
    ("active as before", True, 30, [{"active": True}], 140),
]


@pytest.mark.parametrize(
    ("named", "heartbeat", "changes", "deadline"),
    [case[1:] for case in DEADLINES],
    ids=[case[0] for case in DEADLINES],
)
def test_what_a_change_does_to_the_deadline(
    store: Store,
    team: NewTeam,
    named: bool,
    heartbeat: float | None,
    changes: list[dict[str, Any]],
    deadline: float | None,
) -> None:
    draft = Draft("shop", heartbeat_interval=100, heartbeat_grace=10, starts_at_creation=named)
    monitor = monitors.create(store, team.id, draft, at(0))
    if heartbeat is not None:
        record(store, [beat(monitor, heartbeat)], NO_LIMIT)

    for each in changes:
        monitor = change(store, monitor, **each)

    assert monitor.deadline == (None if deadline is None else at(deadline))


def test_removing_takes_everything_of_this_monitor_only(store: Store, team: NewTeam) -> None:
    gone, kept = (monitors.create(store, team.id, Draft(name), at(0)) for name in "ab")
    for monitor in (gone, kept):
        record(store, [delivery(monitor, event("down", 1, "e"), event("up", 2, "f"))], NO_LIMIT)
        tomorrow = delivery(monitor, event("up", 90_000), received=90_000)
        record(store, [tomorrow], NO_LIMIT)
    before = rows(store)

    assert monitors.remove(store, team.id, gone.id) is True

    assert rows(store) == {name: count // 2 for name, count in before.items()}
    assert monitors.find(store, team.id, kept.id) is not None
    assert monitors.remove(store, team.id, gone.id) is False


def test_a_long_history_goes_in_chunks_after_its_monitor(
    store: Store, team: NewTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 2)
    monitor = monitors.create(store, team.id, Draft("shop"), at(0))
    for number in range(5):
        record(store, [delivery(monitor, event("up", number, f"e{number}"))], NO_LIMIT)
    seen: list[tuple[bool, int]] = []

    def look(_seconds: float) -> None:
        gone = monitors.find(store, team.id, monitor.id) is None
        seen.append((gone, sum(rows(store).values())))

    monkeypatch.setattr(monitors, "sleep", look)

    assert monitors.remove(store, team.id, monitor.id)

    left = [count for _, count in seen]
    assert left == [13, 11, 10, 8, 6, 5, 3, 1, 0]
    assert all(gone for gone, _ in seen)


def rows(store: Store) -> dict[str, int]:
    names = (
        "monitors",
        "signals",
        "checks",
        "deliveries",
        "seen_events",
        "incidents",
        "incident_events",
        "monitor_days",
    )
    with store.read() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(tables.metadata.tables[name]))
            or 0
            for name in names
        }


def test_the_grace_is_added_to_the_interval(store: Store, team: NewTeam) -> None:
    draft = Draft("shop", heartbeat_interval=1, heartbeat_grace=0, starts_at_creation=True)

    made = monitors.create(store, team.id, draft, at(0))

    assert made.deadline == at(0) + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("interval", "said", "changes", "status"),
    [
        (10, "", {"heartbeat_interval": None}, Status.UP),
        (10, "fail", {"heartbeat_interval": None}, Status.UP),
        (None, "fail", {"name": "other"}, Status.DOWN),
        (None, "fail", {"heartbeat_interval": 60}, Status.DOWN),
        (10, "fail", {"heartbeat_interval": None, "heartbeat_schedule": "* * * * *"}, Status.DOWN),
    ],
)
def test_what_ends_with_the_expectation(
    store: Store,
    team: NewTeam,
    interval: int | None,
    said: str,
    changes: dict[str, Any],
    status: Status,
) -> None:
    draft = Draft("job", heartbeat_interval=interval, heartbeat_late_after=1)
    monitor = monitors.create(store, team.id, draft, at(0))
    word = word_of(said, "")
    assert word is not None
    record(store, [HeartbeatEntry(monitor.id, monitor.revision, at(1), word)], NO_LIMIT)
    sweep(store, at(20))  # late, where it did not fail
    before = monitors.find(store, team.id, monitor.id)
    assert before is not None
    assert before.status is (Status.DOWN if said else Status.DEGRADED)

    assert change(store, before, **changes).status is status
