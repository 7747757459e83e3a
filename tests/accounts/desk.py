"""What tests administer accounts with, and what they find out about the trail."""

from auth.passwords import PasswordHasher
from registry.accounts.explain import Explainer
from registry.accounts.grants import Grants
from registry.accounts.htpasswd import Htpasswd
from registry.accounts.organizations import Organizations
from registry.accounts.people import People
from registry.accounts.repositories import Repositories
from registry.accounts.robots import Robots
from registry.accounts.secrets import Secrets
from registry.accounts.teams import Teams
from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog
from registry.oci.names import RepositoryName
from storage.digest import Digest
from tests.catalog.conftest import Clock
from tests.catalog.contents import add_repository

ME = Origin("root", "operator")
PASSWORD = "a good long password"


class Desk:
    """The use cases of administration, with hashes that take no time; `lines` is the trail as it was written."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self.catalog = catalog
        self.clock = clock
        self.lines: list[bytes] = []
        audit = Audit(catalog, self.lines.append)
        self.hasher = PasswordHasher(time_cost=1, memory_kib=8)
        self.people = People(catalog, audit, self.hasher)
        self.htpasswd = Htpasswd(catalog, audit)
        self.organizations = Organizations(catalog, audit)
        self.teams = Teams(catalog, audit)
        self.robots = Robots(catalog, audit)
        self.secrets = Secrets(catalog, audit)
        self.grants = Grants(catalog, audit)
        self.repositories = Repositories(catalog, audit)
        self.explainer = Explainer(catalog)

    def user(self, name: str, *, administrator: bool = False) -> str:
        """Add a user without taking the time of a password."""
        with self.catalog.begin() as tx:
            return tx.accounts.add_user(name, password="x", administrator=administrator).name

    def push(self, name: str) -> None:
        """Make a repository that holds an image."""
        with self.catalog.begin() as tx:
            add_repository(tx, name)

    def delete_images(self, name: str) -> None:
        """Empty a repository."""
        with self.catalog.begin() as tx:
            repository = tx.repositories.get(RepositoryName.parse(name))
            for digest in tx._connection.exec_driver_sql("SELECT digest FROM manifest").scalars():
                tx.manifests.delete(repository.id, tx.manifests.get(repository.name, Digest.parse(digest)))

    def login(self, name: str) -> str:
        """Give a user a refresh token, as `docker login` gets one; gives its id."""
        with self.catalog.begin() as tx:
            number = len(tx.credentials.of(tx.accounts.get(name).id))
            added = tx.credentials.add(
                f"{number:016x}", tx.accounts.get(name).id, kind="refresh", secret_hash=f"{name} {number}"
            )
            return added.id

    def trail(self) -> list[str]:
        """Give the trail, the oldest first: actions and what they were about."""
        with self.catalog.read() as tx:
            events = [line.event for line in reversed(tx.audit.page(limit=1000))]
        assert len(events) == len(self.lines)
        assert {event.actor for event in events} <= {ME.actor}
        return [f"{event.action} {event.reason}".strip() for event in events]
