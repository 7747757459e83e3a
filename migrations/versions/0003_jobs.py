"""Jobs: work that no request waits for, with leases, and the history of what was done."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables. The version before knows nothing of them, and goes on beside this one."""
    op.create_table(
        "job",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "dedup",
            sa.Text(),
            nullable=True,
            comment="no two unfinished jobs of a kind share it; none: it stands beside any other",
        ),
        sa.Column(
            "payload", sa.Text(), server_default=sa.text("'{}'"), nullable=False, comment="JSON, what it is about"
        ),
        sa.Column("every", sa.BigInteger(), nullable=True, comment="µs from its end to its next time; none: done once"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="how often it was begun, but not ended",
        ),
        sa.Column(
            "lease",
            sa.Text(),
            nullable=True,
            comment="a word of its own for each time that it is begun; none: nobody works on it",
        ),
        sa.Column(
            "leased_until",
            sa.BigInteger(),
            nullable=True,
            comment="after that whoever held the lease is taken for gone",
        ),
        sa.Column("worker", sa.Text(), nullable=True, comment="who began it last"),
        sa.Column("begun_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "progress", sa.Text(), server_default=sa.text("''"), nullable=False, comment="how far it is, for people"
        ),
        sa.Column("checkpoint", sa.Text(), nullable=True, comment="JSON, from where it goes on"),
        sa.Column("trouble", sa.Text(), nullable=True, comment="what the last attempt failed of"),
        sa.CheckConstraint("(lease IS NULL) = (leased_until IS NULL)", name=op.f("ck_job_lease")),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("kind", "dedup", name="uq_job_kind_dedup"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_due_at", "job", ["due_at"], unique=False)
    op.create_table(
        "job_history",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("job_id", Id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("begun_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False, comment="what came of it, for people"),
        sa.CheckConstraint("outcome IN ('done', 'failed', 'cancelled')", name=op.f("ck_job_history_outcome")),
        sa.PrimaryKeyConstraint("id", name="pk_job_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_history_ended_at", "job_history", ["ended_at"], unique=False)
    op.create_index("ix_job_history_kind_id", "job_history", ["kind", "id"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index("ix_job_history_kind_id", table_name="job_history")
    op.drop_index("ix_job_history_ended_at", table_name="job_history")
    op.drop_table("job_history")
    op.drop_index("ix_job_due_at", table_name="job")
    op.drop_table("job")
