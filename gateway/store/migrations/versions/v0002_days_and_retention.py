"""Figures of each day of a monitor, and what pruning by age needs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

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
TALLY = ("tally_day", *(f"tally_{name}" for name in FIGURES))
UNIX_SECONDS = {
    "sqlite": "CAST(strftime('%s', status_since) AS INTEGER)",
    "postgresql": "CAST(floor(extract(epoch FROM status_since)) AS BIGINT)",
}


def upgrade() -> None:
    op.create_table(
        "monitor_days",
        sa.Column("monitor_id", sa.String(length=26), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("opening", sa.String(length=8), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in FIGURES),
        sa.PrimaryKeyConstraint("monitor_id", "day", name=op.f("pk_monitor_days")),
        sqlite_with_rowid=False,
    )
    # Defaults, because SQLite would otherwise copy the table, which others refer to.
    for name in (TALLY[0], "tally_opening", *TALLY[1:]):
        op.add_column("monitors", _tally_column(name))
    op.create_index("ix_seen_events_seen_at", "seen_events", ["seen_at"], unique=False)
    _begin_with_the_present_status()


def _tally_column(name: str) -> "sa.Column[object]":
    if name == "tally_opening":
        return sa.Column(name, sa.String(length=8), nullable=True)
    return sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"))


def _begin_with_the_present_status() -> None:
    """Count from the last change of status on; nothing is known of the time before."""
    since = UNIX_SECONDS[op.get_context().dialect.name]
    op.execute(
        f"UPDATE monitors SET tally_day = {since} / 86400, "  # noqa: S608 - our own words
        f"tally_opening = 'pending', tally_seconds_unknown = {since} % 86400 "
        "WHERE status <> 'pending'"
    )


def downgrade() -> None:
    op.drop_index("ix_seen_events_seen_at", table_name="seen_events")
    for name in ("tally_opening", *TALLY):
        op.drop_column("monitors", name)
    op.drop_table("monitor_days")
