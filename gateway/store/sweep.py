"""Finds what time alone has changed: missed heartbeats, overdue runs, promised recoveries."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.core.blindness import Duty
from gateway.core.errors import Unavailable
from gateway.store.chores import Chore, Place, Sight, Swept
from gateway.store.engine import Store
from gateway.store.feeds import SilentFeeds
from gateway.store.missed import MissedHeartbeats
from gateway.store.recoveries import PromisedRecoveries
from gateway.store.runs import OverdueRuns
from gateway.store.watermarks import last_mark

# A heartbeat that came just in time may still be on its way to the database.
SETTLE = timedelta(seconds=2)
BATCH = 200
CHORES: tuple[Chore, ...] = (
    MissedHeartbeats(),
    OverdueRuns(),
    PromisedRecoveries(),
    SilentFeeds(),
)

_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(hours=1)
_MOST_DOUBLINGS = 6
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Aside:
    """The rows that could not be settled, and how often; lives as long as its worker."""

    failures: dict[tuple[str, Place], int] = field(default_factory=dict)

    def delay(self, chore: str, place: Place) -> timedelta:
        """How long to leave a row alone that has failed once more."""
        times = self.failures[chore, place] = self.failures.get((chore, place), 0) + 1
        return min(_FIRST_DELAY * (1 << min(times - 1, _MOST_DOUBLINGS)), _LONGEST_DELAY)

    def forget(self, chore: str, place: Place) -> None:
        """A row went well."""
        self.failures.pop((chore, place), None)


def sweep(store: Store, now: datetime, aside: Aside | None = None) -> Swept:
    """Handle every deadline that passed before ``now``, in batches, each its own commit.

    The cost follows what is due, not what exists. Safe to run in many processes: rows
    that another one works on are passed over, and each is read again under the lock of
    its monitor. A row that cannot be settled is put off, and stops no other.
    """
    aside = aside or Aside()
    sight = _sight(store, now)
    swept = Swept()
    for chore in CHORES:
        swept += _drain(store, chore, sight, aside)
    return swept


def _sight(store: Store, now: datetime) -> Sight:
    """What did not come is missing only up to the last moment in which it would have been heard."""
    with store.read() as connection:
        heard_until = last_mark(connection, Duty.RECEIVING)
    return Sight(now, min(now, heard_until or now) - SETTLE)


def _drain(store: Store, chore: Chore, sight: Sight, aside: Aside) -> Swept:
    swept = Swept()
    while True:
        places: list[Place] = []
        try:
            with store.write() as connection:
                places = chore.claim(connection, sight, BATCH)
                if not places:
                    return swept
                settled = chore.settle(connection, places, sight)
        except Unavailable:
            raise
        except Exception:
            if not places:
                raise
            settled = _one_by_one(store, chore, places, sight, aside)
        else:
            for place in places:
                aside.forget(chore.name, place)
        swept += settled


def _one_by_one(
    store: Store, chore: Chore, places: Sequence[Place], sight: Sight, aside: Aside
) -> Swept:
    """Find the row that cannot be settled by settling each alone."""
    swept = Swept()
    for place in places:
        try:
            with store.write() as connection:
                settled = chore.settle(connection, [place], sight)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - no row may stop the others
            settled = _put_off(store, chore, place, sight, aside, error)
        else:
            aside.forget(chore.name, place)
        swept += settled
    return swept


def _put_off(
    store: Store, chore: Chore, place: Place, sight: Sight, aside: Aside, error: Exception
) -> Swept:
    delay = aside.delay(chore.name, place)
    with store.write() as connection:
        chore.put_off(connection, place, sight.now + delay)
    if delay == _FIRST_DELAY:
        _log.error("the %s deadline of %s cannot be settled", chore.name, place[0], exc_info=error)
    return Swept(put_off=1)
