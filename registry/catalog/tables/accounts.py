"""The tables of who may do what: accounts, organisations, teams, grants, credentials, keys, and what is noted of them.

Users, organisations and robots are one table, for they share one set of names. A secret is kept as its hash only.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from registry.catalog.tables.columns import Bytewise, Id, metadata

account = Table(
    "account",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", Bytewise, nullable=False, unique=True, comment="a robot's: organisation+name"),
    Column("kind", Text, nullable=False),
    Column("organization_id", Id, ForeignKey("account.id"), comment="whose robot it is; none: no robot"),
    Column("administrator", Boolean, nullable=False, server_default=false()),
    Column("password", Text, comment="its hash; none: nobody logs in with a password"),
    Column("disabled_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("login_at", BigInteger, comment="the last good login with the password"),
    Column("login_network", Text, comment="where that came from"),
    CheckConstraint("kind IN ('user', 'organization', 'robot')", name="kind"),
    CheckConstraint("(kind = 'robot') = (organization_id IS NOT NULL)", name="organization"),
    Index(None, "kind", "name"),
    Index(None, "organization_id"),
    sqlite_autoincrement=True,
)

organization_member = Table(
    "organization_member",
    metadata,
    Column("organization_id", Id, ForeignKey("account.id"), primary_key=True),
    Column("account_id", Id, ForeignKey("account.id"), primary_key=True),
    Column("role", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    CheckConstraint("role IN ('owner', 'member')", name="role"),
    Index(None, "account_id", "organization_id"),
    sqlite_with_rowid=False,
)

team = Table(
    "team",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("organization_id", Id, ForeignKey("account.id"), nullable=False),
    Column("name", Bytewise, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "name"),
    sqlite_autoincrement=True,
)

team_member = Table(
    "team_member",
    metadata,
    Column("team_id", Id, ForeignKey("team.id"), primary_key=True),
    Column("account_id", Id, ForeignKey("account.id"), primary_key=True),
    Index(None, "account_id", "team_id"),
    sqlite_with_rowid=False,
)

# Null is equal to nothing on both databases, so each of the four constraints holds for its own kind of row only.
access_grant = Table(
    "access_grant",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account_id", Id, ForeignKey("account.id"), comment="a user or a robot; none: a team's"),
    Column("team_id", Id, ForeignKey("team.id")),
    Column("namespace", Bytewise, comment="an organisation's or a user's name; none: one repository's"),
    Column("repository_id", Id, ForeignKey("repository.id")),
    Column("rights", Integer, nullable=False, comment="the bits of auth.policy.Right"),
    Column("granted_at", BigInteger, nullable=False),
    Column("granted_by", Text, nullable=False),
    CheckConstraint("(account_id IS NULL) <> (team_id IS NULL)", name="subject"),
    CheckConstraint("(namespace IS NULL) <> (repository_id IS NULL)", name="target"),
    UniqueConstraint("account_id", "namespace"),
    UniqueConstraint("account_id", "repository_id"),
    UniqueConstraint("team_id", "namespace"),
    UniqueConstraint("team_id", "repository_id"),
    Index(None, "namespace"),
    Index(None, "repository_id"),
    sqlite_autoincrement=True,
)

credential = Table(
    "credential",
    metadata,
    Column("id", Text, primary_key=True, comment="16 hexadecimal digits; not secret"),
    Column("account_id", Id, ForeignKey("account.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("secret_hash", Text, nullable=False, unique=True, comment="SHA-256 of 256 random bits"),
    Column("label", Text, nullable=False),
    Column("rights", Integer, comment="what it is limited to; none: nothing"),
    Column("repositories", Text, comment="JSON, the patterns that it is limited to; none: everywhere"),
    Column("service", Text, comment="what a refresh token was issued for"),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("last_used_from", Text),
    CheckConstraint("kind IN ('pat', 'robot', 'refresh')", name="kind"),
    Index(None, "account_id"),
    Index(None, "kind", "expires_at"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True, comment="the public key's RFC 7638 thumbprint"),
    Column("state", Text, nullable=False),
    Column("public", Text, nullable=False, comment="a JSON Web Key"),
    Column("sealed", LargeBinary, nullable=False, comment="the private key, encrypted under the master key"),
    Column("master_key_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("activated_at", BigInteger),
    Column("retired_at", BigInteger),
    CheckConstraint("state IN ('next', 'active', 'retired')", name="state"),
)

login_failure = Table(
    "login_failure",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("subject", Text, nullable=False, comment="a hash of the name that was typed, which may be a password"),
    Column("network", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "subject", "network", "at"),
    Index(None, "subject", "at"),
    Index(None, "network", "at"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

# No foreign keys: a line outlives what it tells of.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("credential", Text),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("repository", Text),
    Column("reference", Text),
    Column("old_digest", Text),
    Column("new_digest", Text),
    Column("result", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("result IN ('ok', 'failed', 'denied')", name="result"),
    Index(None, "at"),
    Index(None, "repository", "id"),
    Index(None, "actor", "id"),
    Index(None, "action", "id"),
    sqlite_autoincrement=True,
)
