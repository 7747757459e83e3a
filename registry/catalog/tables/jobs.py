"""The tables of work that no request waits for: what is to be done, and what was done."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint, text

from registry.catalog.tables.columns import Id, metadata

job = Table(
    "job",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("dedup", Text, comment="no two unfinished jobs of a kind share it; none: it stands beside any other"),
    Column("payload", Text, nullable=False, server_default=text("'{}'"), comment="JSON, what it is about"),
    Column("every", BigInteger, comment="µs from its end to its next time; none: done once"),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0", comment="how often it was begun, but not ended"),
    Column("lease", Text, comment="a word of its own for each time that it is begun; none: nobody works on it"),
    Column("leased_until", BigInteger, comment="after that whoever held the lease is taken for gone"),
    Column("worker", Text, comment="who began it last"),
    Column("begun_at", BigInteger),
    Column("progress", Text, nullable=False, server_default=text("''"), comment="how far it is, for people"),
    Column("checkpoint", Text, comment="JSON, from where it goes on"),
    Column("trouble", Text, comment="what the last attempt failed of"),
    CheckConstraint("(lease IS NULL) = (leased_until IS NULL)", name="lease"),
    UniqueConstraint("kind", "dedup"),
    Index(None, "due_at"),
    sqlite_autoincrement=True,
)

# No foreign key: what was done is told of after the job is gone.
job_history = Table(
    "job_history",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("job_id", Id, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", Text),
    Column("begun_at", BigInteger),
    Column("ended_at", BigInteger, nullable=False),
    Column("result", Text, nullable=False, comment="what came of it, for people"),
    CheckConstraint("outcome IN ('done', 'failed', 'cancelled')", name="outcome"),
    Index(None, "kind", "id"),
    Index(None, "ended_at"),
    sqlite_autoincrement=True,
)
