"""From the settings to the parts that are made of plain values: databases, the audit trail, drivers, secrets.

`registry.app` puts them together for the server; the command line takes what it needs of them.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from registry.audit import Audit, line_file
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from registry.catalog.sole import sole
from registry.catalog.version import DataVersion
from registry.content.uploads import UploadLimits, Uploads
from registry.settings import Settings
from storage.blobs import BlobStore
from storage.driver import Driver
from storage.errors import Unavailable
from storage.filesystem import FilesystemDriver
from storage.s3.diagnosis import claim
from storage.s3.driver import S3Driver
from storage.s3.options import S3Options


def database_for(settings: Settings) -> Database:
    """Give the catalog's database; opens nothing yet."""
    limits = settings.limits
    if settings.database_url.startswith("sqlite"):
        # One for every thread that may ask, and one for the event loop, which must never wait for a connection.
        pool_size = limits.database_threads + 2 * limits.storage_threads + 2
    else:
        pool_size = 2 * limits.database_threads  # a database elsewhere has not so many to give
    return connect(settings.database_url, pool_size=pool_size, prompt=True)


def direct_database(settings: Settings) -> Database:
    """Give the catalog's database past any pooler, for one user at a time; opens nothing yet."""
    return connect(settings.direct_database_url, pool_size=2)


def moving_target(url: str) -> Database:
    """Give the database that a catalog moves to; opens nothing yet."""
    return connect(url, pool_size=4)  # one holds a lock, one reads, one writes


@contextmanager
def sole_server(settings: Settings) -> Iterator[None]:
    """Be the only server on the database, where blobs lie in files of this machine; on S3 alone there may be many.

    Raises: registry.catalog.sole.AlreadyServed, CatalogUnavailable.
    """
    if "files" not in settings.storage.stores:
        yield
        return
    database = direct_database(settings)
    try:
        with sole(database, socket.gethostname()):
            yield
    finally:
        database.close()


def migration_lock(settings: Settings) -> Path:
    """Give the file that whoever upgrades a SQLite catalog locks."""
    return settings.storage.path / "migration.lock"


def audit_for(settings: Settings, catalog: Catalog) -> Audit:
    """Give the audit trail."""
    return Audit(catalog, line_file(settings.audit_path))


def secret_of(settings: Settings, name: str) -> str | None:
    """Give a secret's text: `master_key`, or the first administrator's `password`."""
    value = settings.secrets.master_key if name == "master_key" else settings.admin.password
    return value.get_secret_value() if value is not None else None


def stores_for(settings: Settings) -> dict[str, BlobStore]:
    """Give the stores by name, the one for new blobs first. Raises storage.errors.Unavailable: settings are missing."""
    return {name: BlobStore(driver_for(settings, name), name=name) for name in settings.storage.stores}


def driver_for(settings: Settings, name: str) -> Driver:
    """Give the driver of a store."""
    if name == "s3":
        return S3Driver(s3_options(settings))
    return FilesystemDriver(settings.storage.path, reserve=settings.storage.reserve_bytes)


def uploads_for(settings: Settings, catalog: Catalog, stores: Mapping[str, BlobStore]) -> Uploads:
    """Give the use cases of upload sessions."""
    limits = UploadLimits(settings.uploads.expiry, settings.limits.uploads_per_subject, settings.limits.blob_bytes)
    return Uploads(catalog, stores, store=settings.storage.driver, limits=limits)


def claim_stores(settings: Settings) -> None:
    """Make an empty bucket ours, where one is used. Raises storage.errors.StorageError: it cannot be used."""
    if "s3" in settings.storage.stores:
        claim(s3_options(settings))


def places(settings: Settings) -> str:
    """Say in one line where the stores are, to be compared with what another process says."""
    given = settings.storage.s3
    return " ".join(
        f"s3:{given.bucket}/{given.prefix or ''}" if name == "s3" else name for name in settings.storage.stores
    )


def s3_options(settings: Settings) -> S3Options:
    """Give the S3 driver's plain values. Raises storage.errors.Unavailable where some are missing."""
    given = settings.storage.s3
    if given.bucket is None:
        raise Unavailable("storage.driver is s3, which needs a bucket: set storage.s3.bucket")
    if (given.access_key is None) != (given.secret_key is None):
        raise Unavailable("storage.s3.access_key and storage.s3.secret_key go together; one of them is missing")
    return S3Options(
        bucket=given.bucket,
        prefix=given.prefix or "",
        endpoint=given.endpoint,
        public_endpoint=given.public_endpoint,
        region=given.region,
        path_style=given.path_style,
        access_key=given.access_key,
        secret_key=given.secret_key.get_secret_value() if given.secret_key else None,
        storage_class=given.storage_class,
        sse=given.sse,
        sse_kms_key=given.sse_kms_key,
        part_bytes=given.part_bytes,
        largest_blob=settings.limits.blob_bytes,
        memory_bytes=given.memory_bytes,
        parallel_parts=given.parallel_parts,
        connections=2 * (settings.limits.storage_threads + given.parallel_parts),
        stranger_age=settings.uploads.expiry,
    )


def data_version(database: Database) -> DataVersion | None:
    """Watch a SQLite catalog for commits; other databases are asked each time."""
    return DataVersion(database.path) if database.path else None
