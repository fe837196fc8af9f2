"""The tables. Migrations in ``migrations/`` make them; a test keeps the two equal."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.core.model import Change, Outcome, Status

_SQLITE_WIDTH = len("2026-01-20 10:30:00.000000")

Word = TypeVar("Word", bound=StrEnum)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time to the microsecond.

    A native timestamp on PostgreSQL; on SQLite, which has none, text of fixed width that
    sorts as time does.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of the database at hand."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(_SQLITE_WIDTH))
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """From Python to text, which both databases read; naive times are refused."""
        width = _SQLITE_WIDTH if dialect.name == "sqlite" else None

        def process(value: datetime | None) -> str | None:
            if value is None:
                return None
            if value.tzinfo is not UTC:
                if value.tzinfo is None:
                    raise ValueError("a naive time is no time")
                value = value.astimezone(UTC)
            return value.isoformat(" ", "microseconds")[:width]

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002
        """From the database to Python."""
        return _time_of_text if dialect.name == "sqlite" else _time_in_utc


def _time_of_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _time_in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class WordOf(TypeDecorator[Word]):
    """A word of an enumeration, stored as text of at most ``length`` characters."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[Word], length: int) -> None:
        super().__init__(length)
        self.words = words

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002
        """From Python to plain text, which drivers handle faster than a kind of it."""
        return _plain_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002
        """From the database to Python."""
        words: dict[str | None, Word | None] = {word.value: word for word in self.words}
        return {None: None, **words}.__getitem__


def _plain_text(value: str | None) -> str | None:
    return None if value is None else str.__str__(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(26)
_STATUS: WordOf[Status] = WordOf(Status, 8)
_NONE_YET = text("0")

FIGURES = (
    "seconds_up",
    "seconds_degraded",
    "seconds_down",
    "seconds_unknown",
    "checks_up",
    "checks_degraded",
    "checks_down",
    "incidents",
)
"""The figures of a day, see core/uptime.py: on the monitor the latest, in monitor_days the past."""

teams = Table(
    "teams",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("team_id", _ID, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

monitors = Table(
    "monitors",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("team_id", _ID, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("type", String(16), nullable=False),
    Column("url", Text),
    Column("provider", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("credentials_sealed", LargeBinary),
    Column("active", Boolean, nullable=False),
    Column("alerts_enabled", Boolean, nullable=False),
    Column("heartbeat_interval", Integer),  # seconds; null: no heartbeats expected
    Column("heartbeat_grace", Integer, nullable=False),  # seconds
    Column("heartbeat_schedule", Text),  # cron; null where the interval counts
    Column("heartbeat_zone", String(64), nullable=False, server_default="UTC"),
    Column("heartbeat_late_after", Integer),  # seconds; null: never degraded
    Column("heartbeat_max_run", Integer),  # seconds; null: a run may last
    Column("heartbeat_post_only", Boolean, nullable=False, server_default=false()),
    Column("webhook_is_heartbeat", Boolean, nullable=False, server_default=false()),
    Column("last_heartbeat", UtcDateTime),
    # From when the next sign of life is awaited, and when to look whether it has come:
    # never later than something happens, and before it where the gateway has been blind.
    Column("clock_started", UtcDateTime),
    Column("deadline", UtcDateTime),
    Column("open_runs", Integer, nullable=False, server_default="0"),
    # What is remembered of the deliveries, see core/feed.py; only where it is asked for.
    Column("stale_after", Integer),  # seconds; 0: learned; null: never stale
    Column("feed_first_at", UtcDateTime),
    Column("feed_last_at", UtcDateTime),
    Column("feed_longest_gap", Float, nullable=False, server_default="0"),  # seconds
    Column("stale_at", UtcDateTime),
    Column("stale_since", UtcDateTime),
    Column("status", _STATUS, nullable=False),
    Column("status_since", UtcDateTime, nullable=False),
    # How many signals have each status: the roll-up without reading the signals.
    Column("signals_up", Integer, nullable=False),
    Column("signals_degraded", Integer, nullable=False),
    Column("signals_down", Integer, nullable=False),
    # Grows with every change of token, secret or provider: what a cache is checked against.
    Column("revision", Integer, nullable=False),
    Column("rate_state", UtcDateTime),  # GCRA, see core/ratelimit.py
    Column("created_at", UtcDateTime, nullable=False),
    # Numbers, because every delivery reads and writes them: days since 1970-01-01.
    Column("tally_day", Integer, nullable=False, server_default=_NONE_YET),
    Column("tally_opening", _STATUS),
    *(
        Column(f"tally_{name}", Integer, nullable=False, server_default=_NONE_YET)
        for name in FIGURES
    ),
    Column("tags", JSON, nullable=False, server_default=text("'[]'")),
    Index("ix_monitors_team_id_id", "team_id", "id"),
    Index(
        "ix_monitors_deadline",
        "deadline",
        sqlite_where=text("deadline IS NOT NULL"),
        postgresql_where=text("deadline IS NOT NULL"),
    ),
    Index(
        "ix_monitors_stale_at",
        "stale_at",
        sqlite_where=text("stale_at IS NOT NULL"),
        postgresql_where=text("stale_at IS NOT NULL"),
    ),
)

signals = Table(
    "signals",
    metadata,
    Column("monitor_id", _ID, ForeignKey("monitors.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("status", _STATUS, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("event_id", Text),
    Column("message", Text, nullable=False),
    Column("resolve_at", UtcDateTime),
    Column("incident_id", _ID),
    Index(
        "ix_signals_resolve_at",
        "resolve_at",
        sqlite_where=text("resolve_at IS NOT NULL"),
        postgresql_where=text("resolve_at IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

heartbeat_runs = Table(
    "heartbeat_runs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("monitor_id", _ID, ForeignKey("monitors.id"), nullable=False),
    Column("run", String(64), nullable=False),  # the sender's own id, or empty
    Column("state", String(16), nullable=False),
    Column("started_at", UtcDateTime),  # null: only its end was told
    Column("ended_at", UtcDateTime),
    Column("deadline", UtcDateTime),  # null: it has ended
    Column("exit_code", Integer),
    Column("log_size", Integer, nullable=False),
    Column("log", LargeBinary, nullable=False),  # zlib, the end of it
    Index("ix_heartbeat_runs_monitor_id_id", "monitor_id", "id"),
    Index(
        "ix_heartbeat_runs_open",
        "monitor_id",
        "run",
        "id",
        sqlite_where=text("deadline IS NOT NULL"),
        postgresql_where=text("deadline IS NOT NULL"),
    ),
    Index(
        "ix_heartbeat_runs_deadline",
        "deadline",
        sqlite_where=text("deadline IS NOT NULL"),
        postgresql_where=text("deadline IS NOT NULL"),
    ),
)

# No foreign keys on the three tables that every delivery writes to: the record
# transaction has just locked the monitor row that they would look up.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("monitor_id", _ID, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("outcome", WordOf(Outcome, 16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("method", String(8), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("remote_address", Text, nullable=False),
    Column("body_size", Integer, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),  # zlib, redacted, bounded
    Index("ix_deliveries_monitor_id_id", "monitor_id", "id"),
)

checks = Table(
    "checks",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("monitor_id", _ID, nullable=False),
    Column("key", Text, nullable=False),
    Column("status", _STATUS, nullable=False),
    Column("message", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("event_id", Text),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("rule", Text, nullable=False),
    Column("delivery_id", _ID),  # null for checks that a deadline made
    Index("ix_checks_monitor_id_id", "monitor_id", "id"),
)

seen_events = Table(
    "seen_events",
    metadata,
    Column("monitor_id", _ID, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_seen_events_seen_at", "seen_at"),
    sqlite_with_rowid=False,
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("monitor_id", _ID, ForeignKey("monitors.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("status", _STATUS, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("rule", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_incidents_monitor_id_id", "monitor_id", "id"),
    Index(
        "uq_incidents_open",
        "monitor_id",
        "key",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident_id", _ID, ForeignKey("incidents.id"), nullable=False),
    Column("change", WordOf(Change, 16), nullable=False),
    Column("status_before", _STATUS, nullable=False),
    Column("status_after", _STATUS, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("message", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("check_id", _ID, nullable=False),
    Index("ix_incident_events_incident_id_id", "incident_id", "id"),
)

monitor_days = Table(
    "monitor_days",
    metadata,
    Column("monitor_id", _ID, primary_key=True),
    Column("day", Integer, primary_key=True),  # since 1970-01-01, in UTC
    Column("opening", _STATUS),
    *(Column(name, Integer, nullable=False) for name in FIGURES),
    sqlite_with_rowid=False,
)

channels = Table(
    "channels",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("team_id", _ID, ForeignKey("teams.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("settings_sealed", LargeBinary, nullable=False),
    Column("minimum", _STATUS, nullable=False),
    Column("monitor_ids", JSON(none_as_null=True)),  # null: all of the team
    Column("tags", JSON, nullable=False),
    Column("language", String(8)),  # null: that of the gateway
    Column("reminders", JSON, nullable=False),  # seconds, each after the alert before it
    Column("active", Boolean, nullable=False),
    # The circuit breaker: failures in a row, and until when nothing is sent.
    Column("failures", Integer, nullable=False),
    Column("paused_until", UtcDateTime),
    Column("last_error", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_channels_team_id_id", "team_id", "id"),
)

# The outbox. No foreign keys, for the same reason as above.
alerts = Table(
    "alerts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("team_id", _ID, nullable=False),
    Column("channel_id", _ID, nullable=False),
    Column("monitor_id", _ID, nullable=False),
    Column("incident_id", _ID, nullable=False),
    Column("incident_event_id", _ID, nullable=False),
    Column("sequence", Integer, nullable=False),  # from 1, within incident and channel
    Column("reminder", Integer, nullable=False),  # 0 for a transition, else which reminder
    Column("state", String(8), nullable=False),  # see store/outbox.py
    Column("due_at", UtcDateTime, nullable=False),
    Column("lease_until", UtcDateTime),  # while somebody sends it
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("merged_into", _ID),  # the later alert that tells of this one too
    Index(
        "uq_alerts_incident_id_channel_id_sequence",
        "incident_id",
        "channel_id",
        "sequence",
        unique=True,
    ),
    Index(
        "ix_alerts_channel_id_due_at",
        "channel_id",
        "due_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_alerts_team_id_id", "team_id", "id"),
    Index("ix_alerts_monitor_id", "monitor_id"),
)

job_runs = Table(
    "job_runs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("slot", UtcDateTime, nullable=False),
)

# When the gateway last did each of its duties, and the gaps in which it did not.
watermarks = Table(
    "watermarks",
    metadata,
    Column("duty", String(16), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

blind_intervals = Table(
    "blind_intervals",
    metadata,
    Column("duty", String(16), primary_key=True),
    Column("started_at", UtcDateTime, primary_key=True),
    Column("ended_at", UtcDateTime, nullable=False),
    Index("ix_blind_intervals_duty_ended_at", "duty", "ended_at"),
)
