"""The outgoing ping: another service notices when this gateway stops watching.

It is sent only while everything that has to run does, so that its absence says something.
"""

import http.client
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from gateway.core.blindness import Duty
from gateway.store import watermarks
from gateway.store.engine import Store

_TIMEOUT = 5.0
_STARTING = timedelta(seconds=15)
_OK = range(200, 300)
_log = logging.getLogger(__name__)

Probe = Callable[[datetime], str]
"""What keeps the gateway from its work at this time; empty when nothing does."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The probe for a duty: its last mark may be ``patience`` old."""

    store: Store
    duty: Duty
    patience: timedelta

    def __call__(self, now: datetime) -> str:
        """What is wrong with the duty."""
        seen_at = watermarks.marks(self.store).get(self.duty)
        if seen_at is not None and now - seen_at <= self.patience:
            return ""
        return f"no {self.duty} since {seen_at:%F %T}" if seen_at else f"no {self.duty} yet"


@dataclass(frozen=True, slots=True)
class Punctuality:
    """The probe for the sweep: no deadline may wait longer than ``patience``."""

    store: Store
    patience: timedelta

    def __call__(self, now: datetime) -> str:
        """How far the sweep is behind, if it is."""
        lag = watermarks.lag(self.store, now)
        return f"the sweep is {lag.total_seconds():.0f} s behind" if lag > self.patience else ""


class Watchdog:
    """Pings one address of the operator's, and says once when it cannot or may not."""

    def __init__(self, url: str, probes: Sequence[Probe]) -> None:
        self._url = url
        self._probes = tuple(probes)
        self._discontent_since: datetime | None = None
        self._told = False

    def is_content(self, now: datetime) -> bool:
        """Whether every probe is; what keeps one from it is logged once it lasts."""
        trouble = next(filter(None, (probe(now) for probe in self._probes)), "")
        if not trouble:
            self._discontent_since = None
            return True
        self._discontent_since = self._discontent_since or now
        if now - self._discontent_since >= _STARTING:
            self._tell(f"not sent: {trouble}")
        return False

    def send(self) -> bool:
        """Send the ping; True if it arrived."""
        trouble = self._request()
        if trouble:
            self._tell(f"failed: {trouble}")
        elif self._told:
            self._told = False
            _log.info("watchdog pings arrive again")
        return not trouble

    def _tell(self, trouble: str) -> None:
        if not self._told:
            _log.warning("watchdog ping %s", trouble)
        self._told = True

    def _request(self) -> str:
        """Why the ping did not arrive. Of the address only the host is ever told."""
        parts = urlsplit(self._url)
        connection = _connect(parts.scheme, parts.hostname or "", parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", target, headers={"User-Agent": "taco-gateway"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"no answer from {parts.hostname} ({type(error).__name__})"
        finally:
            connection.close()
        # Redirects are not followed: the operator names the address that answers.
        return "" if status in _OK else f"{parts.hostname} answers {status}"


def _connect(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
