"""Group commit, with functions of the test's own in the place of the store."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from gateway.core.errors import DeliveryFailed, RateLimited, Unavailable
from gateway.core.model import Outcome, Status
from gateway.recorder import Recorder
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.record import Entry, Recorded, Result, StaleMonitor

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
DONE = Recorded(Outcome.RECORDED, Status.UP)


def entry(name: str) -> HeartbeatEntry:
    return HeartbeatEntry(name, 1, NOON)


@dataclass
class Ledger:
    """Remembers batches; ``open`` lets writing go on, ``poison`` names what breaks it."""

    poison: set[str] = field(default_factory=set)
    error: Exception | None = None
    batches: list[list[str]] = field(default_factory=list)
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    open: threading.Event = field(default_factory=threading.Event)

    async def write(self, entries: Sequence[Entry]) -> list[Result]:
        return await asyncio.to_thread(self.wait_and_write, entries)

    def wait_and_write(self, entries: Sequence[Entry]) -> list[Result]:
        self.started.release()
        assert self.open.wait(10)
        names = [each.monitor_id for each in entries]
        self.batches.append(names)
        if self.error is not None:
            raise self.error
        if self.poison & set(names):
            raise ValueError("this entry breaks the transaction")
        return [self.result(name) for name in names]

    def result(self, name: str) -> Result:
        if name == "stale":
            return StaleMonitor("the monitor has changed")
        if name == "limited":
            return RateLimited("too many", retry_after=3)
        return DONE

    async def begun(self) -> None:
        """Wait until a batch is being written."""
        await asyncio.to_thread(self.started.acquire)


def run(
    ledger: Ledger,
    go: Callable[[Recorder], Awaitable[None]],
    *,
    max_batch: int = 10,
    max_waiting: int = 100,
) -> None:
    async def whole() -> None:
        recorder = Recorder(ledger.write, max_batch=max_batch, max_waiting=max_waiting)
        recorder.start()
        try:
            await go(recorder)
        finally:
            ledger.open.set()
            await recorder.stop()

    asyncio.run(whole())


def start(recorder: Recorder, names: str) -> list["asyncio.Task[Recorded]"]:
    return [asyncio.create_task(recorder.record(entry(name))) for name in names.split()]


async def outcomes(tasks: "list[asyncio.Task[Recorded]]") -> list[str]:
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(r).__name__ if isinstance(r, BaseException) else r.outcome for r in results]


def written(ledger: Ledger) -> list[str]:
    return [name for batch in ledger.batches for name in batch]


def test_a_lone_entry_waits_for_nobody() -> None:
    ledger = Ledger()
    ledger.open.set()

    async def go(recorder: Recorder) -> None:
        for name in "a", "b":
            assert await asyncio.wait_for(recorder.record(entry(name)), 5) == DONE

    run(ledger, go)
    assert ledger.batches == [["a"], ["b"]]


def test_what_comes_during_a_write_is_the_next_batch() -> None:
    ledger = Ledger()

    async def go(recorder: Recorder) -> None:
        tasks = start(recorder, "a")
        await ledger.begun()
        tasks += start(recorder, "b c d e")
        await asyncio.sleep(0)
        ledger.open.set()
        assert await outcomes(tasks) == ["recorded"] * 5

    run(ledger, go, max_batch=3)
    assert ledger.batches == [["a"], ["b", "c", "d"], ["e"]]


def test_each_entry_gets_its_own_result() -> None:
    ledger = Ledger()

    async def go(recorder: Recorder) -> None:
        tasks = start(recorder, "first")
        await ledger.begun()
        tasks += start(recorder, "a stale limited b")
        await asyncio.sleep(0)
        ledger.open.set()
        assert await outcomes(tasks[1:]) == ["recorded", "StaleMonitor", "RateLimited", "recorded"]

    run(ledger, go)
    assert ledger.batches[1] == ["a", "stale", "limited", "b"]


def test_a_database_that_is_away_fails_the_whole_batch_at_once() -> None:
    ledger = Ledger(error=Unavailable("away", retry_after=2))

    async def go(recorder: Recorder) -> None:
        tasks = start(recorder, "a")
        await ledger.begun()
        tasks += start(recorder, "b c")
        await asyncio.sleep(0)
        ledger.open.set()
        assert await outcomes(tasks) == ["Unavailable"] * 3
        ledger.error = None
        assert await recorder.record(entry("d")) == DONE

    run(ledger, go)
    assert ledger.batches == [["a"], ["b", "c"], ["d"]]


def test_a_poisonous_entry_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(poison={"x"})

    async def go(recorder: Recorder) -> None:
        tasks = start(recorder, "a")
        await ledger.begun()
        tasks += start(recorder, "b x c")
        await asyncio.sleep(0)
        ledger.open.set()
        assert await outcomes(tasks) == ["recorded", "recorded", "DeliveryFailed", "recorded"]
        with pytest.raises(DeliveryFailed, match="could not be recorded"):
            await recorder.record(entry("x"))

    run(ledger, go)
    assert ledger.batches == [["a"], ["b", "x", "c"], ["b"], ["x"], ["c"], ["x"]]
    assert "an entry of monitor x cannot be recorded" in caplog.text
    assert "this entry breaks the transaction" in caplog.text


def test_what_is_too_much_to_wait_is_refused_at_once() -> None:
    ledger = Ledger()

    async def go(recorder: Recorder) -> None:
        tasks = start(recorder, "a b c")
        await ledger.begun()
        with pytest.raises(Unavailable, match="too many") as refused:
            await asyncio.wait_for(recorder.record(entry("d")), 5)
        assert refused.value.retry_after > 0
        ledger.open.set()
        assert await outcomes(tasks) == ["recorded"] * 3
        assert await recorder.record(entry("e")) == DONE

    run(ledger, go, max_waiting=3)
    assert "d" not in written(ledger)


def test_who_goes_away_undoes_nothing() -> None:
    ledger = Ledger()

    async def go(recorder: Recorder) -> None:
        [first] = start(recorder, "a")
        await ledger.begun()
        [second] = start(recorder, "b")
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
        ledger.open.set()
        assert await recorder.record(entry("c")) == DONE
        assert first.cancelled()
        assert second.cancelled()

    run(ledger, go, max_waiting=3)
    assert sorted(written(ledger)) == ["a", "b", "c"]


def test_stopping_records_what_still_waits() -> None:
    ledger = Ledger()

    async def go(recorder: Recorder) -> None:
        tasks = start(recorder, "a")
        await ledger.begun()
        tasks += start(recorder, "b c d")
        await asyncio.sleep(0)
        stopping = asyncio.create_task(recorder.stop())
        await asyncio.sleep(0)
        ledger.open.set()
        assert await outcomes(tasks) == ["recorded"] * 4
        await stopping
        with pytest.raises(Unavailable, match="not running"):
            await asyncio.wait_for(recorder.record(entry("e")), 5)

    run(ledger, go, max_batch=2)
    assert written(ledger) == ["a", "b", "c", "d"]


def test_a_recorder_that_was_not_started_says_so() -> None:
    async def go() -> None:
        with pytest.raises(Unavailable, match="not running"):
            await Recorder(Ledger().write, max_batch=1, max_waiting=1).record(entry("a"))

    asyncio.run(go())
