"""Schedules, runs and lateness of heartbeats, silent feeds, and the gateway's own blindness."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHUNK = 1000


def upgrade() -> None:
    # Columns with defaults: SQLite would otherwise copy the table, which others refer to.
    for column in _columns():
        op.add_column("monitors", column)
    op.create_index(
        "ix_monitors_stale_at",
        "monitors",
        ["stale_at"],
        unique=False,
        sqlite_where=sa.text("stale_at IS NOT NULL"),
        postgresql_where=sa.text("stale_at IS NOT NULL"),
    )
    _runs()
    _blindness()
    _start_clocks()


def _columns() -> Sequence["sa.Column[Any]"]:
    return (
        sa.Column("heartbeat_schedule", sa.Text(), nullable=True),
        sa.Column("heartbeat_zone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("heartbeat_late_after", sa.Integer(), nullable=True),
        sa.Column("heartbeat_max_run", sa.Integer(), nullable=True),
        sa.Column("heartbeat_post_only", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("webhook_is_heartbeat", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("clock_started", UtcDateTime(), nullable=True),
        sa.Column("open_runs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("stale_after", sa.Integer(), nullable=True),
        sa.Column("feed_first_at", UtcDateTime(), nullable=True),
        sa.Column("feed_last_at", UtcDateTime(), nullable=True),
        sa.Column("feed_longest_gap", sa.Float(), server_default="0", nullable=False),
        sa.Column("stale_at", UtcDateTime(), nullable=True),
        sa.Column("stale_since", UtcDateTime(), nullable=True),
    )


def _runs() -> None:
    op.create_table(
        "heartbeat_runs",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("monitor_id", sa.String(length=26), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("deadline", UtcDateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("log_size", sa.Integer(), nullable=False),
        sa.Column("log", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["monitor_id"], ["monitors.id"], name=op.f("fk_heartbeat_runs_monitor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heartbeat_runs")),
    )
    op.create_index("ix_heartbeat_runs_monitor_id_id", "heartbeat_runs", ["monitor_id", "id"])
    for name, columns in (
        ("ix_heartbeat_runs_open", ["monitor_id", "run", "id"]),
        ("ix_heartbeat_runs_deadline", ["deadline"]),
    ):
        op.create_index(
            name,
            "heartbeat_runs",
            columns,
            sqlite_where=sa.text("deadline IS NOT NULL"),
            postgresql_where=sa.text("deadline IS NOT NULL"),
        )


def _blindness() -> None:
    op.create_table(
        "watermarks",
        sa.Column("duty", sa.String(length=16), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("duty", name=op.f("pk_watermarks")),
    )
    op.create_table(
        "blind_intervals",
        sa.Column("duty", sa.String(length=16), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("duty", "started_at", name=op.f("pk_blind_intervals")),
    )
    op.create_index("ix_blind_intervals_duty_ended_at", "blind_intervals", ["duty", "ended_at"])


def _start_clocks() -> None:
    """Give every running deadline the beginning of its wait, which was not stored before."""
    monitors = sa.table(
        "monitors",
        sa.column("id", sa.String),
        sa.column("deadline", UtcDateTime),
        sa.column("heartbeat_interval", sa.Integer),
        sa.column("heartbeat_grace", sa.Integer),
        sa.column("last_heartbeat", UtcDateTime),
        sa.column("clock_started", UtcDateTime),
    )
    connection = op.get_bind()
    connection.execute(
        sa.update(monitors)
        .where(monitors.c.heartbeat_interval.is_not(None))
        .values(clock_started=monitors.c.last_heartbeat)
    )
    running = sa.select(monitors).where(monitors.c.deadline.is_not(None))
    statement = (
        sa.update(monitors)
        .where(monitors.c.id == sa.bindparam("_id"))
        .values(clock_started=sa.bindparam("_started"))
    )
    rows = connection.execute(running).all()
    for first in range(0, len(rows), _CHUNK):
        connection.execute(
            statement,
            [{"_id": row.id, "_started": _started(row)} for row in rows[first : first + _CHUNK]],
        )


def _started(row: Any) -> Any:
    return row.deadline - timedelta(seconds=row.heartbeat_interval + row.heartbeat_grace)


def downgrade() -> None:
    for table in ("blind_intervals", "watermarks", "heartbeat_runs"):
        op.drop_table(table)
    op.drop_index("ix_monitors_stale_at", table_name="monitors")
    for column in reversed(_columns()):
        op.drop_column("monitors", column.name)
