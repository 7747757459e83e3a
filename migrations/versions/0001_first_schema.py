"""The first schema: repositories, blobs and links, manifests and references, tags and history, uploads, journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "blob",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("digest", Bytewise, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False, comment="name of the store that holds the bytes"),
        sa.Column("key", Bytewise, nullable=False, comment="where in that store; written once, never used again"),
        sa.Column(
            "state",
            sa.Text(),
            server_default="live",
            nullable=False,
            comment="live, or deleting once the collector marked it",
        ),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "verified_at",
            sa.BigInteger(),
            nullable=True,
            comment="when the bytes were last seen to hash to the digest; none: adopted",
        ),
        sa.Column(
            "unreferenced_at", sa.BigInteger(), nullable=True, comment="when the last reference went; none: referenced"
        ),
        sa.CheckConstraint("state IN ('live', 'deleting')", name=op.f("ck_blob_state")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_blob_size")),
        sa.PrimaryKeyConstraint("id", name="pk_blob"),
        sa.UniqueConstraint("digest", name="uq_blob_digest"),
        sa.UniqueConstraint("store", "key", name="uq_blob_store_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_blob_unreferenced_at", "blob", ["unreferenced_at"], unique=False)
    op.create_table(
        "discarded_key",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("key", Bytewise, nullable=False),
        sa.Column(
            "not_before",
            sa.BigInteger(),
            nullable=False,
            comment="presigned addresses and open readers are gone by then",
        ),
        sa.PrimaryKeyConstraint("store", "key", name="pk_discarded_key"),
    )
    op.create_index("ix_discarded_key_not_before", "discarded_key", ["not_before"], unique=False)
    op.create_table(
        "journal",
        sa.Column("number", Id, autoincrement=True, nullable=False, comment="the change's number, in order of commit"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "repository_id",
            Id,
            nullable=True,
            comment="no foreign key: a line outlives what it tells of; none: the registry itself",
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", Bytewise, nullable=False, comment="the tag or digest that changed"),
        sa.Column("value", sa.Text(), nullable=True, comment="what it became; none: it was removed"),
        sa.PrimaryKeyConstraint("number", name="pk_journal"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "repository",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_repository"),
        sa.UniqueConstraint("name", name="uq_repository_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blob_link",
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("blob_id", Id, nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name="fk_blob_link_blob_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_blob_link_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name="pk_blob_link"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_blob_link_blob_id_repository_id", "blob_link", ["blob_id", "repository_id"], unique=False)
    op.create_table(
        "lease",
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("blob_id", Id, nullable=False),
        sa.Column("renewed_at", sa.BigInteger(), nullable=False, comment="the collector adds its grace to this"),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name="fk_lease_blob_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_lease_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name="pk_lease"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_lease_blob_id_renewed_at", "lease", ["blob_id", "renewed_at"], unique=False)
    op.create_table(
        "manifest",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("digest", Bytewise, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("artifact_type", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=True, comment="JSON, for the referrers list"),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "content", sa.LargeBinary(), nullable=False, comment="the exact bytes; last, so that lists do not read them"
        ),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_manifest_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_manifest"),
        sa.UniqueConstraint("repository_id", "digest", name="uq_manifest_repository_id_digest"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tag_history",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("tag", Bytewise, nullable=False),
        sa.Column("old_digest", Bytewise, nullable=True, comment="none: the tag was new"),
        sa.Column("new_digest", Bytewise, nullable=True, comment="none: the tag was removed"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_tag_history_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tag_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tag_history_repository_id_tag_id", "tag_history", ["repository_id", "tag", "id"], unique=False)
    op.create_table(
        "upload_session",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="32 hexadecimal digits; the key's name in the store is made of it"
        ),
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="who opened it; nobody else may go on with it"),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False, comment="bytes that are safe"),
        sa.Column(
            "state",
            sa.LargeBinary(),
            nullable=False,
            comment="the driver's and the hash's state at offset",
        ),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("active_at", sa.BigInteger(), nullable=False, comment="when it last moved a byte"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_upload_session_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_upload_session"),
    )
    op.create_index("ix_upload_session_active_at", "upload_session", ["active_at"], unique=False)
    op.create_index("ix_upload_session_subject_active_at", "upload_session", ["subject", "active_at"], unique=False)
    op.create_table(
        "manifest_reference",
        sa.Column("manifest_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("digest", Bytewise, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('config', 'layer', 'child', 'subject')", name=op.f("ck_manifest_reference_role")),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name="fk_manifest_reference_manifest_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_manifest_reference_repository_id"),
        sa.PrimaryKeyConstraint("manifest_id", "position", name="pk_manifest_reference"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_manifest_reference_digest_repository_id", "manifest_reference", ["digest", "repository_id"], unique=False
    )
    op.create_index(
        "ix_manifest_reference_repository_id_digest_role",
        "manifest_reference",
        ["repository_id", "digest", "role"],
        unique=False,
    )
    op.create_table(
        "tag",
        sa.Column("repository_id", Id, nullable=False),
        sa.Column("name", Bytewise, nullable=False),
        sa.Column("manifest_id", Id, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name="fk_tag_manifest_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_tag_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "name", name="pk_tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_manifest_id", "tag", ["manifest_id"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index("ix_tag_manifest_id", table_name="tag")
    op.drop_table("tag")
    op.drop_index("ix_manifest_reference_repository_id_digest_role", table_name="manifest_reference")
    op.drop_index("ix_manifest_reference_digest_repository_id", table_name="manifest_reference")
    op.drop_table("manifest_reference")
    op.drop_index("ix_upload_session_subject_active_at", table_name="upload_session")
    op.drop_index("ix_upload_session_active_at", table_name="upload_session")
    op.drop_table("upload_session")
    op.drop_index("ix_tag_history_repository_id_tag_id", table_name="tag_history")
    op.drop_table("tag_history")
    op.drop_table("manifest")
    op.drop_index("ix_lease_blob_id_renewed_at", table_name="lease")
    op.drop_table("lease")
    op.drop_index("ix_blob_link_blob_id_repository_id", table_name="blob_link")
    op.drop_table("blob_link")
    op.drop_table("repository")
    op.drop_table("journal")
    op.drop_index("ix_discarded_key_not_before", table_name="discarded_key")
    op.drop_table("discarded_key")
    op.drop_index("ix_blob_unreferenced_at", table_name="blob")
    op.drop_table("blob")
