"""Ten minutes of outage of a real gateway, told by its clock and not waited for."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from gateways import settings_in
from processes import Place, Running, wait_for
from sqlalchemy import select, update

from gateway.app import open_store
from gateway.core.blindness import Duty
from gateway.core.times import parse_time
from gateway.store.engine import Store
from gateway.store.tables import monitors, signals, watermarks
from gateway.store.watermarks import marks

pytestmark = pytest.mark.process

SETTINGS = "heartbeat: {sweep_every: 1s}\n"
OUTAGE = timedelta(minutes=10)
INTERVAL, GRACE = 4, 1
TIMES = {
    monitors: ("last_heartbeat", "clock_started", "deadline", "status_since", "created_at"),
    signals: ("since", "occurred_at"),
    watermarks: ("seen_at",),
}


def test_an_outage_makes_nobody_red_and_the_dead_are_found(tmp_path: Path) -> None:
    place = Place(tmp_path, SETTINGS)
    first = place.start("up")
    try:
        first.ready()
        found = re.search(r"API token +([0-9a-f]{64})", first.printed)
        assert found, first.printed
        token = found[1]
        living, dead = (make(place, token, name) for name in ("living", "dead"))
        for each in (living, dead):
            beat(place, each)
        with opened(tmp_path) as store:
            wait_for("a sweep", lambda: Duty.SWEEPING in marks(store))
    finally:
        first.end()  # SIGKILL: nothing can be said at the end
    an_outage_passes(tmp_path)

    second = place.start("up")
    try:
        check_the_return(place, second, token, living, dead)
        second.stop(signal.SIGTERM)
    finally:
        second.end()


def check_the_return(
    place: Place, running: Running, token: str, living: dict[str, Any], dead: dict[str, Any]
) -> None:
    running.ready()
    [gap] = [each for each in status(place)["gaps"] if each["duty"] == "receiving"]
    back = parse_time(gap["to"])
    assert back is not None
    assert gap["seconds"] >= OUTAGE.total_seconds()

    def is_found() -> bool:
        beat(place, living)
        return bool(incidents(place, token, dead))

    wait_for("the dead sender", is_found)

    [incident] = incidents(place, token, dead)
    opened = parse_time(incident["openedAt"])
    assert opened is not None
    assert back < opened <= back + timedelta(seconds=INTERVAL + GRACE)
    assert incidents(place, token, living) == []
    assert running.printed.count("nothing was received from") == 1
    assert "no sweep ran from" in running.printed


def make(place: Place, token: str, name: str) -> dict[str, Any]:
    body = {"name": name, "heartbeatInterval": INTERVAL, "heartbeatGrace": GRACE}
    headers = {"Authorization": f"Bearer {token}"}
    made: dict[str, Any] = place.request("POST", "/monitors", orjson.dumps(body), headers).json
    return made


def beat(place: Place, made: dict[str, Any]) -> None:
    assert place.request("GET", "/" + made["heartbeatUrl"].split("/", 3)[3]).status == 200


def incidents(place: Place, token: str, made: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/monitors/{made['id']}/incidents"
    items: list[dict[str, Any]] = place.request(
        "GET", path, headers={"Authorization": f"Bearer {token}"}
    ).json["items"]
    return items


def status(place: Place) -> dict[str, Any]:
    view: dict[str, Any] = orjson.loads(place.taco("status", "--json").stdout)
    return view


def an_outage_passes(folder: Path) -> None:
    """All that was, was ten minutes earlier."""
    with opened(folder) as store, store.write() as connection:
        for table, names in TIMES.items():
            for row in connection.execute(select(table)).all():
                key = [column == row._mapping[column] for column in table.primary_key.columns]
                earlier = {
                    name: row._mapping[name] - OUTAGE for name in names if row._mapping[name]
                }
                connection.execute(update(table).where(*key).values(earlier))


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    store = open_store(settings_in(folder / "data"))
    yield store
    store.close()
