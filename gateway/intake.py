"""The pipe: from a delivery to its record. Read `Intake.receive` and `read` first."""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.admission import Buckets
from gateway.core.errors import (
    DeliveryError,
    DeliveryFailed,
    MalformedPayload,
    MethodNotAllowed,
    RateLimited,
    SignatureError,
    Unavailable,
    UnknownToken,
)
from gateway.core.functions import encode_json
from gateway.core.heartbeat import ALIVE, Word
from gateway.core.model import Delivery, Event, Outcome, Status
from gateway.core.redaction import REDACTED, redact
from gateway.directory import Directory
from gateway.fetching import Fetcher
from gateway.ids import new_id
from gateway.providers import LoadedProvider, Providers, Reply
from gateway.recorder import Recorder
from gateway.store.heartbeats import HeartbeatEntry
from gateway.store.monitors import Monitor
from gateway.store.record import (
    DeliveryEntry,
    LogLine,
    Recorded,
    StaleMonitor,
)
from gateway.store.runs import Log

AUTO = "auto"

_log = logging.getLogger(__name__)
_TOKEN = re.compile(r"[0-9a-f]{64}")
_ATTEMPTS = 3
_POST = "POST"
_KEPT_BODY = 64 * 1024
_KEPT_REFUSED_BODY = 1024
_KEPT_HEADERS = frozenset({"content-type", "user-agent"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery turned out to say, before it is recorded."""

    outcome: Outcome
    payload: Any = None
    events: tuple[Event, ...] = ()
    rule: str = ""
    reason: str = ""
    reply: Reply | None = None

    @property
    def authentic(self) -> bool:
        """Whether the sender has been verified; a handshake proves nothing."""
        return self.outcome is not Outcome.HANDSHAKE


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender of a delivery is told, once it is stored."""

    monitor: Monitor
    provider: LoadedProvider
    outcome: Outcome
    status: Status
    rule: str
    reason: str
    events: int
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class HeartbeatReceipt:
    """What the sender of a heartbeat is told, once it is stored."""

    monitor: Monitor
    last_heartbeat: datetime


class Intake:
    """Takes deliveries and heartbeats; `receive` is the pipe in reading order."""

    def __init__(
        self,
        *,
        providers: Providers,
        directory: Directory,
        recorder: Recorder,
        senders: Buckets,
        strangers: Buckets,
        refusals: Buckets,
        fetcher: Fetcher,
    ) -> None:
        self._providers = providers
        self._directory = directory
        self._recorder = recorder
        self._senders = senders
        self._strangers = strangers
        self._refusals = refusals
        self._fetcher = fetcher

    async def receive(self, token: str, delivery: Delivery) -> Receipt:
        """Take one delivery; returns after the commit.

        Raises `DeliveryError`, `MethodNotAllowed`, `Unavailable`.
        """
        for _ in range(_ATTEMPTS):
            monitor = await self._resolve(token, delivery)
            self._admit("delivery", monitor, delivery)
            provider = None
            try:
                provider = self._provider(monitor, delivery)
                completed = await self._fetch(provider, monitor, delivery)
                reading = read(provider, monitor.credentials, completed)
                await self._visit(reading, delivery)
                recorded = await self._record(monitor, provider, delivery, reading)
            except StaleMonitor:
                self._directory.forget(token)
                continue
            except DeliveryError as error:
                if await self._refusal_stands(token, monitor, provider, delivery, error):
                    raise
                self._directory.forget(token)
                continue
            return _receipt(monitor, provider, reading, recorded)
        raise Unavailable("the monitor keeps changing", retry_after=1)

    async def heartbeat(
        self, token: str, delivery: Delivery, word: Word = ALIVE
    ) -> HeartbeatReceipt:
        """Take one sign of life; returns after the commit.

        Raises `MethodNotAllowed` when the monitor wants POST, and as `receive` does.
        """
        for _ in range(_ATTEMPTS):
            monitor = await self._resolve(token, delivery)
            self._admit("heartbeat", monitor, delivery)
            at = delivery.received_at
            if monitor.heartbeat_post_only and delivery.method != _POST:
                if self._directory.is_recent(token, at):
                    raise MethodNotAllowed("this monitor's heartbeats are POST", allowed=(_POST,))
                self._directory.forget(token)
                continue
            try:
                recorded = await self._recorder.record(_heartbeat_entry(monitor, delivery, word))
            except StaleMonitor:
                self._directory.forget(token)
                continue
            return HeartbeatReceipt(monitor, recorded.last_heartbeat or at)
        raise Unavailable("the monitor keeps changing", retry_after=1)

    async def _resolve(self, token: str, delivery: Delivery) -> Monitor:
        now, address = delivery.received_at, delivery.remote_address
        if _TOKEN.fullmatch(token):
            monitor = self._directory.cached(token, now)
            if monitor is not None:
                return monitor
            self._strangers.check(address, now)
            monitor = await self._directory.read(token, now)
            if monitor is not None:
                return monitor
        self._strangers.take(address, now)
        raise UnknownToken("no monitor has this token")

    def _admit(self, what: str, monitor: Monitor, delivery: Delivery) -> None:
        # Per sender, not per monitor: whoever floods a monitor without being authentic must
        # not use up what the real sender may send. That limit is exact, and in the store.
        name = f"{what} {monitor.id} {delivery.remote_address}"
        self._senders.take(name, delivery.received_at)

    def _provider(self, monitor: Monitor, delivery: Delivery) -> LoadedProvider:
        if monitor.provider == AUTO:
            return self._providers.detect(delivery)
        return self._providers.get(monitor.provider)

    async def _fetch(
        self, provider: LoadedProvider, monitor: Monitor, delivery: Delivery
    ) -> Delivery:
        """The delivery with all that its proof of origin refers to."""
        wanted = provider.fetches(delivery, monitor.credentials)
        if not wanted:
            return delivery
        fetched = await self._fetcher.fetch_all(wanted, delivery.received_at)
        return replace(delivery, fetched=fetched)

    async def _visit(self, reading: Reading, delivery: Delivery) -> None:
        if reading.reply is not None and reading.reply.visit is not None:
            await self._fetcher.fetch_all((reading.reply.visit,), delivery.received_at)

    async def _record(
        self, monitor: Monitor, provider: LoadedProvider, delivery: Delivery, reading: Reading
    ) -> Recorded:
        entry = DeliveryEntry(
            monitor_id=monitor.id,
            revision=monitor.revision,
            received_at=delivery.received_at,
            log=_log_line(
                provider.name,
                delivery,
                _KEPT_HEADERS | provider.rules.headers,
                _kept_body(provider, delivery, reading),
            ),
            outcome=reading.outcome,
            authentic=reading.authentic,
            rule=reading.rule,
            reason=reading.reason,
            events=reading.events,
        )
        return await self._recorder.record(entry)

    async def _refusal_stands(
        self,
        token: str,
        monitor: Monitor,
        provider: LoadedProvider | None,
        delivery: Delivery,
        error: DeliveryError,
    ) -> bool:
        """Log a refused delivery; False if the refusal may be wrong, since the monitor changed.

        Of a monitor that had too many already nothing is logged, and its change is noticed
        by reading it again, once in a while. A refusal stands where the database is away.
        """
        if isinstance(error, DeliveryFailed):
            _log.error("a delivery to monitor %s failed", monitor.id, exc_info=error)
        try:
            self._refusals.take(monitor.id, delivery.received_at)
        except RateLimited:
            return self._directory.is_recent(token, delivery.received_at)
        entry = DeliveryEntry(
            monitor_id=monitor.id,
            revision=monitor.revision,
            received_at=delivery.received_at,
            log=_log_line(
                provider.name if provider else monitor.provider,
                delivery,
                _KEPT_HEADERS,
                _kept_refused_body(provider, delivery),
            ),
            outcome=_outcome_of(error),
            authentic=False,
            reason=f"{error.code}: {error.message}",
        )
        try:
            await self._recorder.record(entry)
        except StaleMonitor:
            return False
        except (DeliveryError, Unavailable):
            return True
        return True


def read(
    provider: LoadedProvider, credentials: Mapping[str, tuple[str, ...]], delivery: Delivery
) -> Reading:
    """Handshake, verify, parse and map one delivery. Pure.

    Raises `SignatureError`, `MethodNotAllowed`, `MalformedPayload`, or `DeliveryFailed` when
    a plugin raises.
    """
    reply = provider.handshake(delivery, credentials)
    if reply is not None:
        return Reading(Outcome.HANDSHAKE, reply=reply)
    provider.check_method(delivery)
    provider.verify(delivery, credentials, delivery.received_at)
    payload = provider.parse(delivery)
    mapped = provider.rules.map(payload, delivery)
    outcome = Outcome.RECORDED if mapped.events else Outcome.IGNORED
    return Reading(outcome, payload, mapped.events, mapped.rule, mapped.reason)


def _receipt(
    monitor: Monitor, provider: LoadedProvider, reading: Reading, recorded: Recorded
) -> Receipt:
    return Receipt(
        monitor=monitor,
        provider=provider,
        outcome=recorded.outcome,
        status=recorded.status,
        rule=reading.rule,
        reason=recorded.reason,
        events=len(reading.events),
        reply=reading.reply or _reply(provider, recorded.outcome),
    )


def _reply(provider: LoadedProvider, outcome: Outcome) -> Reply | None:
    # The delivery is stored: a plugin that fails now must not make its sender send it again.
    try:
        return provider.reply(outcome)
    except DeliveryFailed as error:
        _log.error("the usual answer is given instead", exc_info=error)
        return None


def _outcome_of(error: DeliveryError) -> Outcome:
    match error:
        case SignatureError():
            return Outcome.REJECTED
        case MalformedPayload():
            return Outcome.MALFORMED
        case RateLimited():
            return Outcome.LIMITED
        case _:
            return Outcome.FAILED


def _heartbeat_entry(monitor: Monitor, delivery: Delivery, word: Word) -> HeartbeatEntry:
    return HeartbeatEntry(
        monitor_id=monitor.id,
        revision=monitor.revision,
        received_at=delivery.received_at,
        word=word,
        log=_run_log(monitor, delivery.body) if delivery.body else None,
    )


def _run_log(monitor: Monitor, body: bytes) -> Log:
    """The end of a job's output, where the errors are; jobs like to print their own address."""
    hidden = body.replace(monitor.token.encode(), REDACTED.encode())
    return Log(hidden[-_KEPT_BODY:], len(body))


def _log_line(
    provider: str, delivery: Delivery, kept_headers: frozenset[str], body: bytes
) -> LogLine:
    return LogLine(
        id=new_id(delivery.received_at),
        provider=provider,
        method=delivery.method,
        headers={name: text for name, text in delivery.headers.items() if name in kept_headers},
        remote_address=delivery.remote_address,
        body_size=len(delivery.body),
        body_sha256=hashlib.sha256(delivery.body).hexdigest(),
        body=body,
    )


def _kept_body(provider: LoadedProvider, delivery: Delivery, reading: Reading) -> bytes:
    if not provider.redact:
        return delivery.body[:_KEPT_BODY]
    if reading.payload is None:
        return b""
    return encode_json(redact(reading.payload, provider.redact)).encode()[:_KEPT_BODY]


def _kept_refused_body(provider: LoadedProvider | None, delivery: Delivery) -> bytes:
    # What cannot be redacted, because it is not understood, is not kept.
    if provider is None or provider.redact:
        return b""
    return delivery.body[:_KEPT_REFUSED_BODY]
