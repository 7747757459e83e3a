"""The catalog's tables, as SQLAlchemy Core describes them; the migrations make exactly these.

Conventions: names of content are kept as text and compared byte by byte (ASCII order, as the specification lists
tags); times are whole microseconds since 1970 in UTC; sizes are bytes. Repositories and blobs have ids of their
own, so that a repository can be renamed and a blob can move to another key without touching what refers to it.
"""

from registry.catalog.tables.accounts import (
    access_grant,
    account,
    audit,
    credential,
    login_failure,
    organization_member,
    signing_key,
    team,
    team_member,
)
from registry.catalog.tables.columns import Bytewise, Id, metadata
from registry.catalog.tables.contents import (
    blob,
    blob_link,
    discarded_key,
    journal,
    lease,
    manifest,
    manifest_reference,
    repository,
    repository_trigram,
    tag,
    tag_history,
    upload_session,
)
from registry.catalog.tables.jobs import job, job_history

__all__ = [
    "Bytewise",
    "Id",
    "access_grant",
    "account",
    "audit",
    "blob",
    "blob_link",
    "credential",
    "discarded_key",
    "job",
    "job_history",
    "journal",
    "lease",
    "login_failure",
    "manifest",
    "manifest_reference",
    "metadata",
    "organization_member",
    "repository",
    "repository_trigram",
    "signing_key",
    "tag",
    "tag_history",
    "team",
    "team_member",
    "upload_session",
]
