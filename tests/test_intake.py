"""The pipe, step by step, on a real store and recorder; without HTTP."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from databases import locked

from gateway import intake
from gateway.admission import Buckets
from gateway.core.errors import (
    DeliveryFailed,
    GatewayError,
    MalformedPayload,
    RateLimited,
    SignatureMismatch,
    SignatureMissing,
    Unavailable,
    UnknownToken,
)
from gateway.core.model import Delivery, Outcome, Status
from gateway.core.ratelimit import Limit
from gateway.core.signatures import Hmac, Unsigned
from gateway.directory import Directory
from gateway.fetching import Fetcher
from gateway.ids import new_token
from gateway.intake import HeartbeatReceipt, Intake, Receipt
from gateway.provider import Provider, Reply
from gateway.providers import LoadedProvider, Providers, load_providers
from gateway.recorder import Recorder
from gateway.store import history, monitors
from gateway.store.engine import Store, open_engine
from gateway.store.monitors import Draft, Monitor
from gateway.store.teams import NewTeam
from gateway.testing import NOW, delivery, signed
from gateway.writing import writing

UP = b'{"status": "up"}'
PLENTY = Limit(1_000_000, timedelta(hours=1), burst=1_000_000)
SHIPPED = load_providers()
NATIVE = SHIPPED.get("native")
OLD, NEW = "the old secret", "the new secret"


def fail(*_: object) -> bool:
    raise RuntimeError("a mistake in a plugin")


def loaded(provider: Provider) -> LoadedProvider:
    """A provider with the rules of the native format."""
    return replace(NATIVE, provider=provider)


def challenge(delivery: Delivery, _: object) -> Reply | None:
    return Reply(body=delivery.body[1:]) if delivery.body.startswith(b"?") else None


UNSIGNED = Unsigned("made for a test")
TALKATIVE = loaded(
    Provider(
        "talkative",
        "Talkative",
        Hmac(header="x-signature"),
        handshake=challenge,
        reply=lambda outcome: Reply(body=outcome.encode()) if outcome is Outcome.RECORDED else None,
        redact=("metadata.pin",),
    )
)
BROKEN = loaded(Provider("broken", "Broken", UNSIGNED, parse=fail))
CLAIMING = loaded(
    Provider(
        "claiming", "Claiming", UNSIGNED, detect=lambda d: bool(d.header("x-claim")) and fail()
    )
)


@dataclass
class Pipe:
    """An intake and how often its directory asked the store."""

    store: Store
    intake: Intake
    team: NewTeam
    asked: list[str] = field(default_factory=list)

    def monitor(self, provider: str = "native", *secrets: str) -> Monitor:
        credentials = {"secret": secrets} if secrets else {}
        draft = Draft("shop", provider=provider, credentials=credentials)
        return monitors.create(self.store, self.team.id, draft, NOW)

    def change(self, monitor: Monitor, **changes: object) -> None:
        assert monitors.change(self.store, self.team.id, monitor.id, changes, NOW)

    def log(self, monitor: Monitor) -> list[tuple[str, str]]:
        return [(line.outcome, zlib.decompress(line.body).decode()) for line in self.lines(monitor)]

    def lines(self, monitor: Monitor) -> list[Any]:
        found = history.list_deliveries(self.store, monitor.id, before=None, limit=100)
        return list(reversed(found))

    def status(self, monitor: Monitor) -> Status:
        found = monitors.find(self.store, self.team.id, monitor.id)
        assert found is not None
        return found.status


@asynccontextmanager
async def pipe(
    store: Store,
    team: NewTeam,
    *,
    senders: Limit = PLENTY,
    strangers: Limit = PLENTY,
    refusals: Limit = PLENTY,
    exact: Limit = PLENTY,
    restless: bool = False,
) -> AsyncIterator[Pipe]:
    """An intake on ``store``; ``restless`` changes each monitor right after it was read."""
    recorder = Recorder(writing(store, exact), max_batch=10, max_waiting=10)
    asked: list[str] = []

    async def find(token: str) -> Monitor | None:
        asked.append(token)
        monitor = monitors.find_by_token(store, token)
        if restless and monitor is not None:
            monitors.change(store, monitor.team_id, monitor.id, {}, NOW)
        return monitor

    made = Intake(
        providers=Providers([TALKATIVE, BROKEN, CLAIMING, *SHIPPED]),
        directory=Directory(find),
        recorder=recorder,
        senders=Buckets(senders),
        strangers=Buckets(strangers),
        refusals=Buckets(refusals),
        fetcher=Fetcher(),
    )
    recorder.start()
    try:
        yield Pipe(store, made, team, asked)
    finally:
        await recorder.stop()


def test_a_delivery_is_taken(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor("native", NEW)
            receipt = await p.intake.receive(monitor.token, signed(NATIVE.provider, UP, NEW))

            assert receipt == Receipt(
                monitor=monitor,
                provider=NATIVE,
                outcome=Outcome.RECORDED,
                status=Status.UP,
                rule="native",
                reason="",
                events=1,
                reply=None,
            )
            assert p.log(monitor) == [("recorded", UP.decode())]

    asyncio.run(go())


def test_an_automatic_monitor_takes_what_is_detected(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor("auto")
            ping = delivery(b"{}", headers={"X-GitHub-Event": "ping", "User-Agent": "GitHub"})

            first = await p.intake.receive(monitor.token, ping)
            second = await p.intake.receive(monitor.token, delivery(UP))

            assert [r.provider.name for r in (first, second)] == ["github", "native"]
            assert [r.outcome for r in (first, second)] == ["ignored", "recorded"]
            assert [line.headers for line in p.lines(monitor)] == [
                {"x-github-event": "ping", "user-agent": "GitHub"},
                {},
            ]

    asyncio.run(go())


def test_a_monitor_is_read_once(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor()
            for seconds in range(3):
                sent = replace(delivery(UP), received_at=NOW + timedelta(seconds=seconds))
                await p.intake.receive(monitor.token, sent)
            assert p.asked == [monitor.token]

    asyncio.run(go())


@pytest.mark.parametrize("token", ["short", "F" * 64, "0" * 64])
def test_an_unknown_token_counts_against_its_sender(
    store: Store, team: NewTeam, token: str
) -> None:
    two = Limit(2, timedelta(hours=1), burst=2)

    async def go() -> None:
        async with pipe(store, team, strangers=two) as p:
            monitor = p.monitor()
            stranger = replace(delivery(UP), remote_address="198.51.100.1")
            for expected in (UnknownToken, UnknownToken, RateLimited):
                with pytest.raises(expected):
                    await p.intake.receive(token, stranger)
            with pytest.raises(RateLimited):
                await p.intake.heartbeat(monitor.token, stranger)

            assert (await p.intake.receive(monitor.token, delivery(UP))).events == 1
            # Whoever knows a token that is in use is no stranger.
            assert (await p.intake.receive(monitor.token, stranger)).events == 1

    asyncio.run(go())


def test_a_flood_is_stopped_before_the_store(store: Store, team: NewTeam) -> None:
    one = Limit(1, timedelta(hours=1), burst=1)

    async def go() -> None:
        async with pipe(store, team, senders=one) as p:
            monitor = p.monitor()
            await p.intake.receive(monitor.token, delivery(UP))
            await p.intake.heartbeat(monitor.token, delivery())
            with pytest.raises(RateLimited):
                await p.intake.receive(monitor.token, delivery(UP))
            with pytest.raises(RateLimited):
                await p.intake.heartbeat(monitor.token, delivery())
            assert len(p.log(monitor)) == 1

    asyncio.run(go())


def test_a_monitor_over_its_exact_limit_is_told_and_logged(store: Store, team: NewTeam) -> None:
    one = Limit(1, timedelta(hours=1), burst=1)

    async def go() -> None:
        async with pipe(store, team, exact=one) as p:
            monitor = p.monitor()
            await p.intake.receive(monitor.token, delivery(UP))
            with pytest.raises(RateLimited) as refused:
                await p.intake.receive(monitor.token, delivery(UP))

            assert refused.value.retry_after == 3600
            assert [outcome for outcome, _ in p.log(monitor)] == ["recorded", "limited"]

    asyncio.run(go())


REFUSED: list[tuple[str, tuple[str, ...], Delivery, type[GatewayError], str, str]] = [
    ("native", (NEW,), delivery(UP), SignatureMissing, "rejected", UP.decode()),
    ("native", (), delivery(b"{" * 2000), MalformedPayload, "malformed", "{" * 1024),
    ("talkative", (NEW,), delivery(UP), SignatureMissing, "rejected", ""),
    ("broken", (), delivery(UP), DeliveryFailed, "failed", UP.decode()),
    ("gone", (), delivery(UP), DeliveryFailed, "failed", ""),
    ("auto", (), delivery(UP, headers={"x-claim": "1"}), DeliveryFailed, "failed", ""),
]


@pytest.mark.parametrize(
    ("provider", "secrets", "sent", "expected", "outcome", "kept"),
    REFUSED,
    ids=["unsigned", "malformed", "not to be kept", "broken plugin", "no plugin", "broken detect"],
)
def test_a_refused_delivery_leaves_one_line(
    store: Store,
    team: NewTeam,
    provider: str,
    secrets: tuple[str, ...],
    sent: Delivery,
    expected: type[GatewayError],
    outcome: str,
    kept: str,
) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor(provider, *secrets)
            with pytest.raises(expected) as refused:
                await p.intake.receive(monitor.token, sent)

            assert p.log(monitor) == [(outcome, kept)]
            [line] = p.lines(monitor)
            assert line.reason == f"{refused.value.code}: {refused.value.message}"
            assert line.provider == provider
            assert line.body_size == len(sent.body)
            assert p.status(monitor) is Status.PENDING

    asyncio.run(go())


def test_only_some_refused_deliveries_are_logged(store: Store, team: NewTeam) -> None:
    two = Limit(2, timedelta(hours=1), burst=2)

    async def go() -> None:
        async with pipe(store, team, refusals=two) as p:
            monitor, other = p.monitor("native", NEW), p.monitor("native", NEW)
            for _ in range(5):
                with pytest.raises(SignatureMissing):
                    await p.intake.receive(monitor.token, delivery(UP))
            with pytest.raises(SignatureMissing):
                await p.intake.receive(other.token, delivery(UP))
            assert (len(p.log(monitor)), len(p.log(other))) == (2, 1)

    asyncio.run(go())


def later(sent: Delivery, seconds: float) -> Delivery:
    return replace(sent, received_at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("refusals", [PLENTY, Limit(1, timedelta(hours=1), burst=1)])
def test_a_refusal_by_an_old_secret_is_looked_at_again(
    store: Store, team: NewTeam, refusals: Limit
) -> None:
    """Also when the log of refusals is full, so that nothing asks the store for the revision."""

    async def go() -> None:
        async with pipe(store, team, refusals=refusals) as p:
            monitor = p.monitor("native", OLD)
            with pytest.raises(SignatureMissing):
                await p.intake.receive(monitor.token, delivery(UP))
            p.change(monitor, credentials={"secret": (NEW,)})

            new = later(signed(NATIVE.provider, UP, NEW), 2)
            assert (await p.intake.receive(monitor.token, new)).outcome == "recorded"
            with pytest.raises(SignatureMismatch):
                await p.intake.receive(monitor.token, later(signed(NATIVE.provider, UP, OLD), 2))

    asyncio.run(go())


def test_an_acceptance_by_an_old_secret_is_looked_at_again(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor("native", OLD)
            old = signed(NATIVE.provider, UP, OLD)
            await p.intake.receive(monitor.token, old)
            p.change(monitor, credentials={"secret": (NEW,)})

            with pytest.raises(SignatureMismatch):
                await p.intake.receive(monitor.token, old)
            assert [outcome for outcome, _ in p.log(monitor)] == ["recorded", "rejected"]

    asyncio.run(go())


def test_a_monitor_that_was_removed(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor()
            await p.intake.heartbeat(monitor.token, delivery())
            monitors.remove(store, team.id, monitor.id)

            with pytest.raises(UnknownToken):
                await p.intake.heartbeat(monitor.token, delivery())
            with pytest.raises(UnknownToken):
                await p.intake.receive(monitor.token, delivery(UP))

    asyncio.run(go())


def test_a_monitor_that_never_rests(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team, restless=True) as p:
            monitor = p.monitor()
            for call in (p.intake.receive, p.intake.heartbeat):
                with pytest.raises(Unavailable) as told:
                    await call(monitor.token, delivery(UP))
                assert told.value.retry_after > 0
            assert p.log(monitor) == []

    asyncio.run(go())


def test_a_heartbeat_is_taken(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor()
            first = await p.intake.heartbeat(monitor.token, later(delivery(), 5))
            older = await p.intake.heartbeat(monitor.token, delivery())

            at: datetime = NOW + timedelta(seconds=5)
            assert first == HeartbeatReceipt(monitor, at)
            assert older.last_heartbeat == at
            p.change(monitor, name="new")
            renamed = await p.intake.heartbeat(monitor.token, later(delivery(), 6))
            assert renamed.monitor.name == "new"

    asyncio.run(go())


def test_a_refusal_stands_while_the_database_is_away(
    store: Store, team: NewTeam, database_url: str
) -> None:
    impatient = Store(
        open_engine(database_url, lock_timeout=timedelta(milliseconds=50)), store.vault
    )

    async def go() -> None:
        async with pipe(impatient, team) as p:
            monitor = p.monitor("native", NEW)
            right = signed(NATIVE.provider, UP, NEW)
            await p.intake.receive(monitor.token, right)
            with locked(database_url):
                with pytest.raises(SignatureMissing):
                    await p.intake.receive(monitor.token, delivery(UP))
                with pytest.raises(Unavailable):
                    await p.intake.receive(monitor.token, right)
            again = await p.intake.receive(monitor.token, later(right, 1))
            assert again.outcome == "recorded"
            assert len(p.log(monitor)) == 2

    asyncio.run(go())
    impatient.close()


def test_a_handshake_is_answered_and_proves_nothing(store: Store, team: NewTeam) -> None:
    one = Limit(1, timedelta(hours=1), burst=1)

    async def go() -> None:
        async with pipe(store, team, exact=one) as p:
            monitor = p.monitor("talkative", NEW)
            for _ in range(3):
                receipt = await p.intake.receive(monitor.token, delivery(b"?who"))
                assert receipt.outcome is Outcome.HANDSHAKE
                assert receipt.reply == Reply(body=b"who")
            assert p.log(monitor) == [("handshake", "")] * 3
            assert p.status(monitor) is Status.PENDING

    asyncio.run(go())


def test_a_provider_has_its_own_reply_and_keeps_nothing_secret(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor("talkative", NEW)
            body = b'{"status": "down", "metadata": {"pin": 1234, "shop": "a"}}'
            receipt = await p.intake.receive(monitor.token, signed(TALKATIVE.provider, body, NEW))

            assert receipt.reply == Reply(body=b"recorded")
            [(_, kept)] = p.log(monitor)
            assert orjson.loads(kept)["metadata"] == {"pin": "[redacted]", "shop": "a"}

    asyncio.run(go())


def test_a_long_body_is_cut(store: Store, team: NewTeam) -> None:
    async def go() -> None:
        async with pipe(store, team) as p:
            monitor = p.monitor()
            body = orjson.dumps({"status": "up", "x": "y" * 100_000})
            await p.intake.receive(monitor.token, delivery(body))
            [line] = p.lines(monitor)
            assert line.body_size == len(body)
            assert len(zlib.decompress(line.body)) == 64 * 1024

    asyncio.run(go())


def test_tokens_have_the_form_that_is_looked_up() -> None:
    assert intake._TOKEN.fullmatch(new_token())
