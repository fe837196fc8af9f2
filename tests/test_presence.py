"""Marks while the process can receive."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.blindness import Blindness
from gateway.core.errors import Unavailable
from gateway.presence import Presence

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
GAP = Blindness(NOON, NOON + timedelta(minutes=10))
AWAY = Unavailable("the database does not answer", retry_after=1)


def marked(*answers: Blindness | Exception | None) -> None:
    """Run until every answer was given once."""
    left = list(answers)

    async def main() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def mark() -> Blindness | None:
            if not left:
                loop.call_soon_threadsafe(done.set)
                return None
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        presence = Presence(mark, timedelta(milliseconds=1))
        await presence.start()
        await asyncio.wait_for(done.wait(), 10)
        await presence.stop()

    asyncio.run(main())


def test_a_gap_is_told(caplog: pytest.LogCaptureFixture) -> None:
    marked(GAP, None, None)

    [line] = caplog.messages
    assert "nothing was received from 2026-01-20 12:00:00 to 2026-01-20 12:10:00 (600 s)" in line


@pytest.mark.parametrize(
    ("answers", "lines"),
    [
        ((None, AWAY, AWAY, AWAY, None), 1),
        ((AWAY, None, AWAY, None), 2),
        ((ValueError("a bug"), None), 1),
    ],
)
def test_trouble_is_told_once_and_ends_nothing(
    caplog: pytest.LogCaptureFixture, answers: tuple[Exception | None, ...], lines: int
) -> None:
    caplog.set_level(logging.WARNING)

    marked(*answers)

    assert len(caplog.records) == lines


def test_the_first_mark_is_there_when_the_first_request_comes() -> None:
    marks: list[int] = []

    async def main() -> None:
        presence = Presence(lambda: marks.append(1), timedelta(hours=1))
        await presence.start()
        assert marks == [1]
        await presence.stop()

    asyncio.run(main())


def test_stopping_what_never_began() -> None:
    asyncio.run(Presence(lambda: None).stop())
