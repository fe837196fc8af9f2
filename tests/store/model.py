"""What a monitor should be after what happened to it: the store's rules once more, tiny.

Times are whole seconds after noon. Nothing here is taken from the gateway.
"""

from dataclasses import dataclass, field

SEVERITY = {"pending": 0, "up": 1, "degraded": 2, "down": 3}
HEARTBEAT = "heartbeat"
GRACE = 5
SETTLE = 2


@dataclass(frozen=True)
class Seen:
    """One observation, as a delivery carries it."""

    status: str
    at: int
    key: str = ""
    event_id: str | None = None
    resolve_after: int | None = None

    @property
    def position(self) -> tuple[int, int, str]:
        return self.at, SEVERITY[self.status], self.event_id or ""

    @property
    def resolve_at(self) -> int | None:
        if self.resolve_after is None or self.status == "up":
            return None
        return self.at + self.resolve_after


@dataclass
class Expected:
    """One monitor."""

    interval: int | None
    active: bool = True
    revision: int = 1
    last: int | None = None
    deadline: int | None = None
    signals: dict[str, Seen] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    checks: int = 0
    lines: int = 0

    @property
    def status(self) -> str:
        found = [signal.status for signal in self.signals.values()]
        return max(found, key=SEVERITY.__getitem__, default="pending")

    def observe(self, seen: Seen) -> bool:
        """False when it is late."""
        self.checks += 1
        known = self.signals.get(seen.key)
        if known is not None and seen.position <= known.position:
            return False
        self.signals[seen.key] = seen
        return True

    def deliver(self, events: list[Seen]) -> str:
        """The outcome."""
        self.lines += 1
        if not self.active:
            return "ignored"
        effects = [self.observe(one) for one in events if self.is_new(one.event_id)]
        if not effects:
            return "duplicate"
        return "recorded" if any(effects) else "late"

    def is_new(self, event_id: str | None) -> bool:
        if event_id is None:
            return True
        new = event_id not in self.ids
        self.ids.add(event_id)
        return new

    def beat(self, now: int) -> None:
        self.last = now if self.last is None else max(self.last, now)
        if not self.active:
            return
        if self.interval is not None:
            self.deadline = self.last + self.interval + GRACE
        known = self.signals.get(HEARTBEAT)
        if known is None or known.status != "up":
            self.observe(Seen("up", self.last, HEARTBEAT))

    def sweep(self, now: int) -> None:
        due = now - SETTLE
        if self.deadline is not None and self.deadline <= due:
            self.observe(Seen("down", self.deadline, HEARTBEAT))
            self.deadline = None
        for signal in list(self.signals.values()):
            if signal.resolve_at is not None and signal.resolve_at <= due:
                self.observe(Seen("up", signal.resolve_at, signal.key))

    def pause(self, *, active: bool, now: int) -> None:
        resumed = active and not self.active and self.last is not None
        self.active = active
        self.changed(now, afresh=resumed)

    def set_interval(self, interval: int | None, now: int) -> None:
        self.interval = interval
        self.changed(now, afresh=interval is not None)

    def changed(self, now: int, *, afresh: bool = False) -> None:
        self.revision += 1
        if self.interval is None or not self.active:
            self.deadline = None
        elif afresh:
            self.deadline = now + self.interval + GRACE
        known = self.signals.get(HEARTBEAT)
        if self.interval is None and known is not None and known.status == "down":
            self.observe(Seen("up", now, HEARTBEAT))
