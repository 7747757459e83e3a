"""What the commands that administer start from: the same use cases as the server's, on the same data, while it runs.

Imported by those commands only, for it brings the database along. It makes no data directory and no database.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auth.passwords import PasswordHasher
from registry.accounts.errors import AccountsError
from registry.accounts.explain import Explainer
from registry.accounts.grants import Grants
from registry.accounts.htpasswd import Htpasswd
from registry.accounts.keys import KeyRing, WrongMasterKeyError
from registry.accounts.master import load_master_key
from registry.accounts.organizations import Organizations
from registry.accounts.people import People
from registry.accounts.repositories import Repositories
from registry.accounts.robots import Robots
from registry.accounts.secrets import Secrets
from registry.accounts.teams import Teams
from registry.audit import Audit, Origin
from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database
from registry.catalog.errors import CatalogUnavailable
from registry.catalog.exclusive import AlreadyTaken
from registry.cli.common import stop
from registry.content.stores import StoreNotNamed
from registry.edge.logs import configure_logging
from registry.parts import audit_for, database_for
from registry.settings import Settings
from storage.errors import StorageError
from storage.layout import Layout


class Administration:
    """The use cases of administration. `origin` is who sits at the shell."""

    def __init__(self, settings: Settings, catalog: Catalog, audit: Audit, origin: Origin) -> None:
        self.settings = settings
        self.audit = audit
        self.catalog = catalog
        self.origin = origin
        self.people = People(catalog, audit, PasswordHasher())
        self.htpasswd = Htpasswd(catalog, audit)
        self.organizations = Organizations(catalog, audit)
        self.teams = Teams(catalog, audit)
        self.robots = Robots(catalog, audit)
        self.secrets = Secrets(catalog, audit)
        self.grants = Grants(catalog, audit)
        self.repositories = Repositories(catalog, audit)
        self.explainer = Explainer(catalog)

    def key_ring(self, *, create: bool = False) -> KeyRing:
        """Give the signing keys; `create` makes a master key where there is none. Raises WrongMasterKeyError."""
        given = self.settings.secrets.master_key
        secret = given.get_secret_value() if given is not None else None
        master = load_master_key(self.settings.storage.path, secret, create=create)
        return KeyRing(self.catalog, master, self.audit)


@contextmanager
def opened(settings: Settings, status: int) -> Iterator[Administration]:
    """Open the data for one command; what goes wrong is told in a sentence, and ends it with `status`."""
    configure_logging(settings.log.format, "warning")
    try:
        origin = Origin(_user_name(os.getuid()), "operator")
        become_owner(settings.storage.path)
        Layout.open(settings.storage.path)
        database = database_for(settings)
        try:
            _check(database, settings.storage.path)
            catalog = Catalog(database)
            yield Administration(settings, catalog, audit_for(settings, catalog), origin)
        finally:
            database.close()
    except UnicodeEncodeError:
        stop("a name or another argument is not UTF-8", status)
    except CatalogUnavailable as error:
        stop(f"the database cannot be used now ({error}); try again in a moment", status)
    except (
        AccountsError,
        AlreadyTaken,
        StorageError,
        StoreNotNamed,
        WrongMasterKeyError,
        schema.SchemaError,
    ) as error:
        stop(str(error), status)


def _check(database: Database, directory: Path) -> None:
    """Refuse a database that no server has prepared, or that another version has."""
    if database.path is not None and not database.path.exists():
        raise schema.SchemaError(f"there is no database yet; start the server once: moorage serve --data {directory}")
    schema.check(database)
    if schema.current(database) != schema.HEAD:
        raise schema.SchemaError(
            "the database is older than this version of Moorage; the server brings it up to date when it starts:"
            f" moorage serve --data {directory}"
        )


def become_owner(directory: Path) -> None:
    """As root, go on as the one whom the data directory belongs to: the server could not read root's files."""
    if os.geteuid() != 0:
        return
    try:
        found = directory.stat()
    except OSError:
        return  # Layout.open says what is wrong with it
    if stat.S_ISDIR(found.st_mode) and found.st_uid != 0:
        os.setegid(found.st_gid)
        os.seteuid(found.st_uid)


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
