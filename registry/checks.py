"""What `moorage config check` looks at beyond the settings' own form: files, directories, the bucket, the database."""

from collections.abc import Callable
from pathlib import Path

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database
from registry.catalog.errors import CatalogUnavailable
from registry.content.stores import StoreNotNamed, require_named
from registry.parts import database_for, direct_database, s3_options
from registry.settings import Settings
from storage.errors import StorageError
from storage.s3.diagnosis import survey


def problems(settings: Settings) -> list[str]:
    """Name everything that would keep the server from starting; changes nothing."""
    return [*_tls(settings), *_directory(settings.storage.path), *_bucket(settings), *_database(settings)]


def _tls(settings: Settings) -> list[str]:
    found = []
    server = settings.server
    if (server.tls_cert is None) != (server.tls_key is None):
        found.append("server.tls_cert and server.tls_key go together; one of them is missing")
    for key, path in (("tls_cert", server.tls_cert), ("tls_key", server.tls_key)):
        if path is not None and not path.is_file():
            found.append(f"server.{key}: there is no file {path}")
    return found


def _directory(path: Path) -> list[str]:
    if path.exists() and not path.is_dir():
        return [f"storage.path: {path} is not a directory"]
    return []


def _bucket(settings: Settings) -> list[str]:
    if "s3" not in settings.storage.stores:
        return []
    try:
        survey(s3_options(settings))
    except StorageError as error:
        return [f"storage: {error}"]
    return []


def _database(settings: Settings) -> list[str]:
    if settings.database.url is None and not (settings.storage.path / "moorage.db").exists():
        return []
    found = [f"{database_key(settings)}: {problem}" for problem in _schema(database_for, settings)]
    if settings.database.direct_url is not None:
        found += [f"database.direct_url: {problem}" for problem in _schema(direct_database, settings)]
    return found or _stores(settings)


def _stores(settings: Settings) -> list[str]:
    database = database_for(settings)
    try:
        if schema.current(database) == schema.HEAD:
            require_named(Catalog(database), settings.storage.stores)
    except (StoreNotNamed, CatalogUnavailable) as error:
        return [f"storage: {error}"]
    finally:
        database.close()
    return []


def database_key(settings: Settings) -> str:
    """Name the setting that says where the database is."""
    return "storage.path" if settings.database.url is None else "database.url"


def _schema(open_database: Callable[[Settings], Database], settings: Settings) -> list[str]:
    try:
        database = open_database(settings)
    except CatalogUnavailable as error:
        return [str(error)]
    look = schema.check if settings.database.auto_migrate else schema.require_head
    try:
        look(database)
    except (schema.SchemaError, CatalogUnavailable) as error:
        return [str(error)]
    finally:
        database.close()
    return []
