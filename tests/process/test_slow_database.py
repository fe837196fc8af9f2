"""A database that is slow, stands still or is away: who waits, who is told, what is kept."""

import asyncio
import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from statistics import median

import orjson
import postgres
import psycopg
import pytest
from databases import available, migrate_new, open_store
from processes import Place, Running, wait_for

from gateway.app import utc_now
from gateway.store import monitors, teams
from gateway.store.monitors import Draft
from gateway.vault import KEY_BYTES

pytestmark = pytest.mark.process

WAITING = 40
MANY = 150
SETTINGS = f"""
web: {{workers: 1}}
recorder: {{max_batch: 20, max_waiting: {WAITING}}}
limits: {{per_monitor: {{rate: 1000000/1s, burst: 1000000}}}}
"""
# At the commit, once in a transaction, whatever it inserts.
SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF coalesce(current_setting('test.slept', true), '') = '' THEN
        PERFORM set_config('test.slept', 'yes', true), pg_sleep(0.5);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON deliveries DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow();
"""
_numbers = count()


@dataclass(frozen=True)
class Told:
    event_id: str
    status: int
    retry_after: int
    seconds: float
    stored: bool


@dataclass
class Served:
    place: Place
    running: Running
    server: postgres.Server
    url: str
    path: str

    def stored(self) -> set[str]:
        with psycopg.connect(self.url) as connection:
            return {row[0] for row in connection.execute("SELECT event_id FROM checks")}

    def memory(self) -> int:
        """What the process that serves holds, in MiB."""
        [pid] = self.running.children()
        status = Path(f"/proc/{pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) // 1024

    def send_many(self, number: int = MANY, *, look: bool = False) -> list[Told]:
        """All at once; ``look`` whether each is stored at the moment it is answered."""

        async def go() -> list[Told]:
            return await asyncio.gather(*[self.send(look) for _ in range(number)])

        return asyncio.run(go())

    async def send(self, look: bool = False) -> Told:
        event_id = f"event {next(_numbers)}"
        body = orjson.dumps({"status": "up", "event_id": event_id, "metadata": {"x": "y" * 4000}})
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        started = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.place.port)
        try:
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        finally:
            writer.close()
        seconds = time.monotonic() - started
        status = int(answer.split()[1])
        _, found, rest = answer.partition("\r\nretry-after: ")
        stored = look and status == 200 and event_id in await asyncio.to_thread(self.stored)
        return Told(event_id, status, int(rest.split()[0]) if found else 0, seconds, stored)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with available(postgres.server()) as server, server.databases.new() as name:
        url = server.databases.url(name)
        migrate_new(url)
        store = open_store(url)
        team = teams.ensure_first_team(store, "main", utc_now())
        assert team is not None
        monitor = monitors.create(store, team.id, Draft("shop", provider="native"), utc_now())
        store.close()
        place = Place(
            tmp_path_factory.mktemp("slow"),
            SETTINGS,
            variables={
                "TACO_DATABASE_URL": url,
                "TACO_ENCRYPTION_KEY": base64.b64encode(bytes(KEY_BYTES)).decode(),
            },
        )
        running = place.start("serve").ready()
        try:
            opened = Served(place, running, server, url, f"/webhooks/{monitor.token}")
            # The monitor is in the cache from now on.
            assert [told.status for told in opened.send_many(3)] == [200] * 3
            yield opened
        finally:
            running.end()


def split(answers: list[Told]) -> tuple[list[Told], list[Told]]:
    stored = [told for told in answers if told.status == 200]
    refused = [told for told in answers if told.status == 503]
    assert len(stored) + len(refused) == len(answers)
    return stored, refused


def expect_recovered(served: Served) -> None:
    wait_for("the gateway answers", served.place.is_ready)
    answers = served.send_many(20)
    assert [told.status for told in answers] == [200] * 20
    assert {told.event_id for told in answers} <= served.stored()


def test_slow_commits(served: Served) -> None:
    before = served.memory()
    with psycopg.connect(served.url, autocommit=True) as connection:
        connection.execute(SLOW_COMMIT)
        try:
            rounds = [served.send_many(look=True) for _ in range(3)]
        finally:
            connection.execute("DROP FUNCTION slow() CASCADE")

    for answers in rounds:
        stored, refused = split(answers)
        assert len(stored) >= WAITING
        assert len(refused) >= MANY // 2
        assert all(told.stored for told in stored)  # no answer precedes its commit
        assert min(told.seconds for told in stored) >= 0.5
        # At once: most are told before the first commit is through.
        assert median(told.seconds for told in refused) < 0.5
        assert min(told.retry_after for told in refused) >= 1
        assert not {told.event_id for told in refused} & served.stored()
    assert served.memory() - before < 20
    expect_recovered(served)


def test_a_server_that_stands_still(served: Served) -> None:
    async def go() -> list[Told]:
        served.server.pause()
        try:
            waiting = [asyncio.create_task(served.send()) for _ in range(MANY)]
            for answered in islice(asyncio.as_completed(waiting, timeout=5), MANY - WAITING):
                await answered
            await asyncio.sleep(0.5)
            stored, refused = split([task.result() for task in waiting if task.done()])
            assert (len(stored), len(refused)) == (0, MANY - WAITING)
            assert min(told.retry_after for told in refused) >= 1
            healthy = await asyncio.to_thread(served.place.request, "GET", "/healthz")
            assert healthy.status == 200
        finally:
            served.server.resume()
        return await asyncio.gather(*waiting)

    stored, _ = split(asyncio.run(go()))

    assert len(stored) == WAITING
    assert {told.event_id for told in stored} <= served.stored()
    expect_recovered(served)


def test_a_server_that_is_away(served: Served) -> None:
    before = served.memory()
    served.server.stop()
    try:
        rounds = [served.send_many() for _ in range(3)]
    finally:
        served.server.start()

    for answers in rounds:
        stored, refused = split(answers)
        assert not stored
        assert median(told.seconds for told in refused) < 1
        assert min(told.retry_after for told in refused) >= 1
    assert served.memory() - before < 20
    expect_recovered(served)
