"""Monitors that change, channels, and a sender whose clock the test moves."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from receiving import LOOPBACK
from recording import NO_LIMIT, at, delivery, event
from sqlalchemy import select

from gateway.alerts.dispatch import Dispatcher
from gateway.alerts.kinds import Kinds
from gateway.alerts.messages import Writer
from gateway.alerts.templates import Templates
from gateway.alerts.webhook import webhook_kind
from gateway.channel_kind import ChannelKind
from gateway.outgoing import Outgoing
from gateway.store import channels, monitors, tables
from gateway.store.channels import Channel, ChannelDraft
from gateway.store.engine import Store
from gateway.store.monitors import Draft, Monitor
from gateway.store.record import record
from gateway.store.teams import NewTeam

SECRET = "whsec_" + "c2VjcmV0IG9mIGEgdGVzdA=="
PUBLIC_URL = "https://status.example.com"


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: at(0))

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Desk:
    """A team with its channels, monitors and outbox."""

    store: Store
    team: NewTeam
    clock: Clock = field(default_factory=Clock)
    seconds: float = 0

    def monitor(self, **fields: Any) -> Monitor:
        return monitors.create(self.store, self.team.id, Draft("shop", **fields), at(0))

    def channel(self, url: str = "https://hooks.example.com/x", **fields: Any) -> Channel:
        values = {"name": "ops", "kind": "webhook", **fields}
        settings = {"url": (url,), "secret": (SECRET,)} | fields.get("settings", {})
        draft = ChannelDraft(**{**values, "settings": settings})
        return channels.create(self.store, self.team.id, draft, at(0))

    def say(self, monitor: Monitor, *statuses: str, key: str = "api") -> None:
        """Record these statuses, one delivery each, a second apart."""
        for status in statuses:
            self.seconds += 1
            entry = delivery(
                monitor, event(status, self.seconds, key=key), received=self.clock_seconds
            )
            record(self.store, [entry], NO_LIMIT)

    @property
    def clock_seconds(self) -> float:
        return (self.clock.now - at(0)).total_seconds()

    def rows(self, **wanted: Any) -> list[Any]:
        """The rows of the outbox in the order of their sequence."""
        with self.store.read() as connection:
            query = select(tables.alerts).order_by(
                tables.alerts.c.incident_id, tables.alerts.c.channel_id, tables.alerts.c.sequence
            )
            rows = connection.execute(query.filter_by(**wanted)).all()
        return list(rows)

    def states(self, **wanted: Any) -> list[str]:
        return [row.state for row in self.rows(**wanted)]

    def dispatcher(
        self, *kinds: ChannelKind, attempts: int = 12, patience: float = 1.0, **fields: Any
    ) -> Dispatcher:
        values: dict[str, Any] = {
            "store": self.store,
            "kinds": Kinds(kinds or (webhook_kind(),)),
            "writer": Writer(Templates(), "en", PUBLIC_URL),
            "outgoing": Outgoing(patience=patience, networks=LOOPBACK),
            "clock": self.clock,
            "attempts": attempts,
            **fields,
        }
        return Dispatcher(**values)

    def send(self, dispatcher: Dispatcher | None = None) -> None:
        """Send all that is due now."""
        sender = dispatcher or self.dispatcher()
        assert sender.run(self.clock.now + timedelta(seconds=1))

    def reread(self, channel: Channel) -> Channel:
        found = channels.find(self.store, self.team.id, channel.id)
        assert found is not None
        return found

    def reread_monitor(self, monitor: Monitor) -> Monitor:
        found = monitors.find(self.store, self.team.id, monitor.id)
        assert found is not None
        return found
