"""Accounts: who there is, what they may do, their credentials and the keys; visibility, descriptions, pulls and search.

Repositories that are there already become private. SQLite takes the new columns by ADD COLUMN: a batch copy would
drop the table that nearly every foreign key points to.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

PAGE = 1000


def upgrade() -> None:
    """Make the tables, add the columns, and index the names of the repositories that are there."""
    op.create_table(
        "account",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", Bytewise, nullable=False, comment="a robot's: organisation+name"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("organization_id", Id, nullable=True, comment="whose robot it is; none: no robot"),
        sa.Column("administrator", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True, comment="its hash; none: nobody logs in with a password"),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("login_at", sa.BigInteger(), nullable=True, comment="the last good login with the password"),
        sa.Column("login_network", sa.Text(), nullable=True, comment="where that came from"),
        sa.CheckConstraint("(kind = 'robot') = (organization_id IS NOT NULL)", name=op.f("ck_account_organization")),
        sa.CheckConstraint("kind IN ('user', 'organization', 'robot')", name=op.f("ck_account_kind")),
        sa.ForeignKeyConstraint(["organization_id"], ["account.id"], name="fk_account_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_account_kind_name", "account", ["kind", "name"], unique=False)
    op.create_index("ix_account_organization_id", "account", ["organization_id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("old_digest", sa.Text(), nullable=True),
        sa.Column("new_digest", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("result IN ('ok', 'failed', 'denied')", name=op.f("ck_audit_result")),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_action_id", "audit", ["action", "id"], unique=False)
    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_repository_id", "audit", ["repository", "id"], unique=False)
    op.create_table(
        "login_failure",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="a hash of the name that was typed, which may be a password"
        ),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_failure"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_login_failure_at", "login_failure", ["at"], unique=False)
    op.create_index("ix_login_failure_network_at", "login_failure", ["network", "at"], unique=False)
    op.create_index("ix_login_failure_subject_at", "login_failure", ["subject", "at"], unique=False)
    op.create_index("ix_login_failure_subject_network_at", "login_failure", ["subject", "network", "at"], unique=False)
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False, comment="the public key's RFC 7638 thumbprint"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False, comment="a JSON Web Key"),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="the private key, encrypted under the master key"
        ),
        sa.Column("master_key_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('next', 'active', 'retired')", name=op.f("ck_signing_key_state")),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_key"),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.Text(), nullable=False, comment="16 hexadecimal digits; not secret"),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False, comment="SHA-256 of 256 random bits"),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("rights", sa.Integer(), nullable=True, comment="what it is limited to; none: nothing"),
        sa.Column(
            "repositories",
            sa.Text(),
            nullable=True,
            comment="JSON, the patterns that it is limited to; none: everywhere",
        ),
        sa.Column("service", sa.Text(), nullable=True, comment="what a refresh token was issued for"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('pat', 'robot', 'refresh')", name=op.f("ck_credential_kind")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_credential_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_credential"),
        sa.UniqueConstraint("secret_hash", name="uq_credential_secret_hash"),
    )
    op.create_index("ix_credential_account_id", "credential", ["account_id"], unique=False)
    op.create_index("ix_credential_kind_expires_at", "credential", ["kind", "expires_at"], unique=False)
    op.create_table(
        "organization_member",
        sa.Column("organization_id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'member')", name=op.f("ck_organization_member_role")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_organization_member_account_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["account.id"], name="fk_organization_member_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "account_id", name="pk_organization_member"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_organization_member_account_id_organization_id",
        "organization_member",
        ["account_id", "organization_id"],
        unique=False,
    )
    op.create_table(
        "repository_trigram",
        sa.Column(
            "trigram", Bytewise, nullable=False, comment="three characters of a word of the name or the description"
        ),
        sa.Column("repository_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_repository_trigram_repository_id"),
        sa.PrimaryKeyConstraint("trigram", "repository_id", name="pk_repository_trigram"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_repository_trigram_repository_id", "repository_trigram", ["repository_id"], unique=False)
    op.create_table(
        "team",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("organization_id", Id, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["account.id"], name="fk_team_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_team"),
        sa.UniqueConstraint("organization_id", "name", name="uq_team_organization_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "access_grant",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("account_id", Id, nullable=True, comment="a user or a robot; none: a team's"),
        sa.Column("team_id", Id, nullable=True),
        sa.Column(
            "namespace", Bytewise, nullable=True, comment="an organisation's or a user's name; none: one repository's"
        ),
        sa.Column("repository_id", Id, nullable=True),
        sa.Column("rights", sa.Integer(), nullable=False, comment="the bits of auth.policy.Right"),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.CheckConstraint("(account_id IS NULL) <> (team_id IS NULL)", name=op.f("ck_access_grant_subject")),
        sa.CheckConstraint("(namespace IS NULL) <> (repository_id IS NULL)", name=op.f("ck_access_grant_target")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_access_grant_account_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_access_grant_repository_id"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name="fk_access_grant_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_grant"),
        sa.UniqueConstraint("account_id", "namespace", name="uq_access_grant_account_id_namespace"),
        sa.UniqueConstraint("account_id", "repository_id", name="uq_access_grant_account_id_repository_id"),
        sa.UniqueConstraint("team_id", "namespace", name="uq_access_grant_team_id_namespace"),
        sa.UniqueConstraint("team_id", "repository_id", name="uq_access_grant_team_id_repository_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_grant_namespace", "access_grant", ["namespace"], unique=False)
    op.create_index("ix_access_grant_repository_id", "access_grant", ["repository_id"], unique=False)
    op.create_table(
        "team_member",
        sa.Column("team_id", Id, nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_team_member_account_id"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name="fk_team_member_team_id"),
        sa.PrimaryKeyConstraint("team_id", "account_id", name="pk_team_member"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_team_member_account_id_team_id", "team_member", ["account_id", "team_id"], unique=False)
    op.add_column(
        "repository",
        sa.Column(
            "visibility",
            sa.Text(),
            sa.CheckConstraint(
                "visibility IN ('public', 'internal', 'private')", name=op.f("ck_repository_visibility")
            ),
            server_default="private",
            nullable=False,
            comment="who may pull without a grant: everybody, every user, or nobody",
        ),
    )
    op.add_column("repository", sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "repository",
        sa.Column(
            "description_by",
            sa.Text(),
            sa.CheckConstraint(
                "description_by IN ('', 'annotation', 'operator')", name=op.f("ck_repository_description_by")
            ),
            server_default=sa.text("''"),
            nullable=False,
            comment="where the description comes from; what an operator wrote is not replaced by a push",
        ),
    )
    op.add_column("repository", sa.Column("pulls", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column(
        "repository",
        sa.Column("pulled_at", sa.BigInteger(), nullable=True, comment="none: never pulled since pulls are counted"),
    )
    op.create_index("ix_repository_visibility_name", "repository", ["visibility", "name"], unique=False)
    op.create_index("ix_repository_visibility_pulls", "repository", ["visibility", "pulls"], unique=False)
    _index_names()


def _index_names() -> None:
    connection, after = op.get_bind(), 0
    page = sa.text("SELECT id, name FROM repository WHERE id > :after ORDER BY id LIMIT :limit")
    add = sa.text("INSERT INTO repository_trigram (trigram, repository_id) VALUES (:trigram, :id)")
    while found := connection.execute(page, {"after": after, "limit": PAGE}).all():
        rows = [{"trigram": trigram, "id": row.id} for row in found for trigram in _trigrams(row.name)]
        connection.execute(add, rows)
        after = found[-1].id


def _trigrams(name: str) -> set[str]:
    """Take a name apart as `registry.catalog.trigrams` did when this step was written."""
    words = (f"  {word} " for word in re.findall(r"[^\W_]+", name.lower()))
    return {word[start : start + 3] for word in words for start in range(len(word) - 2)}


def downgrade() -> None:
    """Drop the columns and the tables."""
    op.drop_index("ix_repository_visibility_pulls", table_name="repository")
    op.drop_index("ix_repository_visibility_name", table_name="repository")
    op.drop_column("repository", "pulled_at")
    op.drop_column("repository", "pulls")
    op.drop_column("repository", "description_by")
    op.drop_column("repository", "description")
    op.drop_column("repository", "visibility")
    op.drop_index("ix_team_member_account_id_team_id", table_name="team_member")
    op.drop_table("team_member")
    op.drop_index("ix_access_grant_repository_id", table_name="access_grant")
    op.drop_index("ix_access_grant_namespace", table_name="access_grant")
    op.drop_table("access_grant")
    op.drop_table("team")
    op.drop_index("ix_repository_trigram_repository_id", table_name="repository_trigram")
    op.drop_table("repository_trigram")
    op.drop_index("ix_organization_member_account_id_organization_id", table_name="organization_member")
    op.drop_table("organization_member")
    op.drop_index("ix_credential_kind_expires_at", table_name="credential")
    op.drop_index("ix_credential_account_id", table_name="credential")
    op.drop_table("credential")
    op.drop_table("signing_key")
    op.drop_index("ix_login_failure_subject_network_at", table_name="login_failure")
    op.drop_index("ix_login_failure_subject_at", table_name="login_failure")
    op.drop_index("ix_login_failure_network_at", table_name="login_failure")
    op.drop_index("ix_login_failure_at", table_name="login_failure")
    op.drop_table("login_failure")
    op.drop_index("ix_audit_repository_id", table_name="audit")
    op.drop_index("ix_audit_at", table_name="audit")
    op.drop_index("ix_audit_actor_id", table_name="audit")
    op.drop_index("ix_audit_action_id", table_name="audit")
    op.drop_table("audit")
    op.drop_index("ix_account_organization_id", table_name="account")
    op.drop_index("ix_account_kind_name", table_name="account")
    op.drop_table("account")
