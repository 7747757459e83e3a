"""The tables of what is pushed: repositories, blobs and links, manifests and references, tags, uploads, the journal."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from registry.catalog.tables.columns import Bytewise, Id, metadata

repository = Table(
    "repository",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column(
        "visibility",
        Text,
        CheckConstraint("visibility IN ('public', 'internal', 'private')", name="visibility"),
        nullable=False,
        server_default="private",
        comment="who may pull without a grant: everybody, every user, or nobody",
    ),
    Column("description", Text, nullable=False, server_default=text("''")),
    Column(
        "description_by",
        Text,
        CheckConstraint("description_by IN ('', 'annotation', 'operator')", name="description_by"),
        nullable=False,
        server_default=text("''"),
        comment="where the description comes from; what an operator wrote is not replaced by a push",
    ),
    Column("pulls", BigInteger, nullable=False, server_default="0"),
    Column("pulled_at", BigInteger, comment="none: never pulled since pulls are counted"),
    Index(None, "visibility", "name"),
    Index(None, "visibility", "pulls"),
    sqlite_autoincrement=True,
)

repository_trigram = Table(
    "repository_trigram",
    metadata,
    Column("trigram", Bytewise, primary_key=True, comment="three characters of a word of the name or the description"),
    Column("repository_id", Id, ForeignKey("repository.id"), primary_key=True),
    Index(None, "repository_id"),
    sqlite_with_rowid=False,
)

blob = Table(
    "blob",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("digest", Bytewise, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("store", Text, nullable=False, comment="name of the store that holds the bytes"),
    Column("key", Bytewise, nullable=False, comment="where in that store; written once, never used again"),
    Column(
        "state", Text, nullable=False, server_default="live", comment="live, or deleting once the collector marked it"
    ),
    Column("stored_at", BigInteger, nullable=False),
    Column("verified_at", BigInteger, comment="when the bytes were last seen to hash to the digest; none: adopted"),
    Column("unreferenced_at", BigInteger, comment="when the last reference went; none: referenced"),
    CheckConstraint("size >= 0", name="size"),
    CheckConstraint("state IN ('live', 'deleting')", name="state"),
    UniqueConstraint("store", "key"),
    Index(None, "unreferenced_at"),
    sqlite_autoincrement=True,
)

discarded_key = Table(
    "discarded_key",
    metadata,
    Column("store", Text, primary_key=True),
    Column("key", Bytewise, primary_key=True),
    Column("not_before", BigInteger, nullable=False, comment="presigned addresses and open readers are gone by then"),
    Index(None, "not_before"),
)

blob_link = Table(
    "blob_link",
    metadata,
    Column("repository_id", Id, ForeignKey("repository.id"), primary_key=True),
    Column("blob_id", Id, ForeignKey("blob.id"), primary_key=True),
    Column("linked_at", BigInteger, nullable=False),
    Index(None, "blob_id", "repository_id"),
    sqlite_with_rowid=False,
)

lease = Table(
    "lease",
    metadata,
    Column("repository_id", Id, ForeignKey("repository.id"), primary_key=True),
    Column("blob_id", Id, ForeignKey("blob.id"), primary_key=True),
    Column("renewed_at", BigInteger, nullable=False, comment="the collector adds its grace to this"),
    Index(None, "blob_id", "renewed_at"),
    sqlite_with_rowid=False,
)

manifest = Table(
    "manifest",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("repository_id", Id, ForeignKey("repository.id"), nullable=False),
    Column("digest", Bytewise, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("artifact_type", Text),
    Column("size", BigInteger, nullable=False),
    Column("annotations", Text, comment="JSON, for the referrers list"),
    Column("pushed_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="the exact bytes; last, so that lists do not read them"),
    UniqueConstraint("repository_id", "digest"),
    sqlite_autoincrement=True,
)

manifest_reference = Table(
    "manifest_reference",
    metadata,
    Column("manifest_id", Id, ForeignKey("manifest.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("repository_id", Id, ForeignKey("repository.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", Bytewise, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    CheckConstraint("role IN ('config', 'layer', 'child', 'subject')", name="role"),
    Index(None, "repository_id", "digest", "role"),
    Index(None, "digest", "repository_id"),
    sqlite_with_rowid=False,
)

tag = Table(
    "tag",
    metadata,
    Column("repository_id", Id, ForeignKey("repository.id"), primary_key=True),
    Column("name", Bytewise, primary_key=True),
    Column("manifest_id", Id, ForeignKey("manifest.id"), nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "manifest_id"),
    sqlite_with_rowid=False,
)

tag_history = Table(
    "tag_history",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("repository_id", Id, ForeignKey("repository.id"), nullable=False),
    Column("tag", Bytewise, nullable=False),
    Column("old_digest", Bytewise, comment="none: the tag was new"),
    Column("new_digest", Bytewise, comment="none: the tag was removed"),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Index(None, "repository_id", "tag", "id"),
    sqlite_autoincrement=True,
)

upload_session = Table(
    "upload_session",
    metadata,
    Column("id", Text, primary_key=True, comment="32 hexadecimal digits; the key's name in the store is made of it"),
    Column("repository_id", Id, ForeignKey("repository.id"), nullable=False),
    Column("subject", Text, nullable=False, comment="who opened it; nobody else may go on with it"),
    Column("store", Text, nullable=False),
    Column("offset", BigInteger, nullable=False, comment="bytes that are safe"),
    Column("state", LargeBinary, nullable=False, comment="the driver's and the hash's state at offset"),
    Column("started_at", BigInteger, nullable=False),
    Column("active_at", BigInteger, nullable=False, comment="when it last moved a byte"),
    Index(None, "active_at"),
    Index(None, "subject", "active_at"),
)

journal = Table(
    "journal",
    metadata,
    Column("number", Id, primary_key=True, autoincrement=True, comment="the change's number, in order of commit"),
    Column("at", BigInteger, nullable=False),
    Column("repository_id", Id, comment="no foreign key: a line outlives what it tells of; none: the registry itself"),
    Column("kind", Text, nullable=False),
    Column("subject", Bytewise, nullable=False, comment="the tag or digest that changed"),
    Column("value", Text, comment="what it became; none: it was removed"),
    sqlite_autoincrement=True,
)
