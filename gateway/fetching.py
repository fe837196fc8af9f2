"""What a proof of origin refers to and the gateway must get: certificates and key sets.

A sender may choose the address within what the provider allows, and nobody else's.
"""

import asyncio
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from gateway.core.errors import SignatureMalformed, Unavailable
from gateway.outgoing import Outgoing

FAILURE_AGE = 5.0
"""Seconds for which a failure is not tried again."""

RECHECK_AGE = 60.0
"""Seconds for which a copy is not fetched again although it lacks what is looked for."""

_MOST_KEPT = 256
_MOST_FLIGHTS = 64
_THREADS = 4

# Stricter than the standard: what two readers could read in two ways is no address here.
_ADDRESS = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::443)?"
    r"(?!.*/(?:\.|%2[eE]){1,2}(?:[/?]|\Z))"
    r"(?P<target>/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,2000})"
)


@dataclass(frozen=True, slots=True)
class Fetch:
    """An address to get, and what it must look like.

    ``hosts`` and ``path`` are regular expressions that must match the whole host and the
    whole path, with its query. A copy serves for ``max_age`` seconds. ``contains`` is text
    that a current copy has: one without it is fetched again, once a minute at most.
    """

    url: str
    hosts: str
    path: str
    max_age: float = 3600.0
    contains: str = ""

    def parts(self) -> tuple[str, str]:
        """Host and path. Raises `SignatureMalformed` for an address that is not allowed."""
        found = _ADDRESS.fullmatch(self.url)
        if (
            found is None
            or not re.fullmatch(self.hosts, found["host"])
            or not re.fullmatch(self.path, found["target"])
        ):
            raise SignatureMalformed("it refers to an address that is not the provider's")
        return found["host"], found["target"]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What came of an address: its content, or else the problem."""

    at: datetime
    content: bytes = b""
    problem: str = ""

    def age(self, now: datetime) -> float:
        """In seconds."""
        return (now - self.at).total_seconds()

    def serves(self, fetch: Fetch, now: datetime) -> bool:
        """Whether there is no need to fetch again."""
        if fetch.contains.encode() in self.content:
            return self.age(now) < fetch.max_age
        return self.age(now) < min(fetch.max_age, RECHECK_AGE)


class Fetcher:
    """Gets allowed addresses and keeps copies of them; for any number of threads.

    However many ask for an address at the same time, it is called once.
    """

    def __init__(self, https: Outgoing | None = None) -> None:
        self._https = https or Outgoing()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")
        self._lock = threading.Lock()
        self._copies: OrderedDict[str, _Kept] = OrderedDict()
        self._failures: OrderedDict[str, _Kept] = OrderedDict()
        self._flights: dict[str, Future[_Kept]] = {}

    def get(self, fetch: Fetch, now: datetime) -> bytes:
        """The content of an address. Blocks for some seconds at most.

        Raises `SignatureMalformed` for an address that is not allowed, without calling
        it, and `Unavailable` where nothing can be got.
        """
        begun = self._begin(fetch, now)
        try:
            kept = begun if isinstance(begun, _Kept) else begun.result(self._https.patience)
        except TimeoutError:
            raise _too_long() from None
        return _content(kept)

    async def fetch_all(self, fetches: Iterable[Fetch], now: datetime) -> Mapping[str, bytes]:
        """The content of each address; raises as `get` does, and never blocks."""
        begun = {fetch.url: self._begin(fetch, now) for fetch in fetches}
        flights = {url: each for url, each in begun.items() if isinstance(each, Future)}
        # Not cancelled with the request: others may wait for the same address.
        waiting = [asyncio.wrap_future(flight) for flight in flights.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self._https.patience)
            if late:
                raise _too_long()
        return {
            url: _content(each if isinstance(each, _Kept) else each.result())
            for url, each in begun.items()
        }

    def keep(self, url: str, content: bytes, now: datetime) -> None:
        """Keep content as if it had been fetched; for tests without a network."""
        with self._lock:
            _put(self._copies, url, _Kept(now, content))

    def _begin(self, fetch: Fetch, now: datetime) -> _Kept | Future[_Kept]:
        host, target = fetch.parts()
        with self._lock:
            kept = self._known(fetch, now)
            if kept is not None:
                return kept
            flight = self._flights.get(fetch.url)
            if flight is None:
                if len(self._flights) >= _MOST_FLIGHTS:
                    raise Unavailable("too much is being fetched", retry_after=FAILURE_AGE)
                flight = self._pool.submit(self._fly, fetch, host, target, now)
                self._flights[fetch.url] = flight
            return flight

    def _known(self, fetch: Fetch, now: datetime) -> _Kept | None:
        copy, failure = self._copies.get(fetch.url), self._failures.get(fetch.url)
        if copy is not None and copy.serves(fetch, now):
            self._copies.move_to_end(fetch.url)
            return copy
        if failure is not None and failure.age(now) < FAILURE_AGE:
            return _older(copy, fetch, now) or failure
        return None

    def _fly(self, fetch: Fetch, host: str, target: str, now: datetime) -> _Kept:
        kept = self._attempt(host, target, now)
        with self._lock:
            del self._flights[fetch.url]
            if kept.problem:
                _put(self._failures, fetch.url, kept)
                return _older(self._copies.get(fetch.url), fetch, now) or kept
            _put(self._copies, fetch.url, kept)
            return kept

    def _attempt(self, host: str, target: str, now: datetime) -> _Kept:
        try:
            return _Kept(now, self._https.get(host, target))
        except Exception as error:  # noqa: BLE001 - of any kind, or it would stay in flight
            return _Kept(now, problem=f"{host}: {str(error) or type(error).__name__}")


def _older(copy: _Kept | None, fetch: Fetch, now: datetime) -> _Kept | None:
    """The copy if it may still serve: a failure to get a newer one does not take it away."""
    return copy if copy is not None and copy.age(now) < fetch.max_age else None


def _put(entries: OrderedDict[str, _Kept], url: str, kept: _Kept) -> None:
    entries[url] = kept
    entries.move_to_end(url)
    while len(entries) > _MOST_KEPT:
        entries.popitem(last=False)


def _content(kept: _Kept) -> bytes:
    if kept.problem:
        raise Unavailable(f"cannot fetch: {kept.problem}", retry_after=FAILURE_AGE)
    return kept.content


def _too_long() -> Unavailable:
    return Unavailable("cannot fetch: it takes too long", retry_after=FAILURE_AGE)
