"""One transaction, whose attributes are the nouns.

A noun is a connection and a time, so each is made where it is asked for: most transactions need one or two of them,
and to make all of them at every look would cost more than what some of the looks take.
"""

from sqlalchemy import Connection

from registry.catalog.accounts import Accounts
from registry.catalog.audit import AuditTrail
from registry.catalog.blobs import Blobs
from registry.catalog.credentials import Credentials
from registry.catalog.failures import LoginFailures
from registry.catalog.garbage import Garbage
from registry.catalog.grants import GrantTable
from registry.catalog.jobs import Jobs
from registry.catalog.journal import Journal
from registry.catalog.keys import SigningKeys
from registry.catalog.locks import alone
from registry.catalog.manifests import Manifests
from registry.catalog.placement import Placement
from registry.catalog.repositories import Repositories
from registry.catalog.search import SearchIndex
from registry.catalog.tags import Tags
from registry.catalog.teams import Teams
from registry.catalog.uploads import UploadSessions


class Transaction:
    """One transaction. `now` is its time in microseconds since 1970, UTC."""

    __slots__ = ("_connection", "now")

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self.now = now

    def alone(self, *what: str) -> None:
        """Wait until no other transaction decides on the same, which has no row to lock; keep it until commit."""
        alone(self._connection, *what)

    @property
    def journal(self) -> Journal:
        """The numbered changes."""
        return Journal(self._connection, self.now)

    @property
    def repositories(self) -> Repositories:
        """The repositories."""
        return Repositories(self._connection, self.now)

    @property
    def blobs(self) -> Blobs:
        """The blobs and their links."""
        return Blobs(self._connection, self.now, self.journal)

    @property
    def garbage(self) -> Garbage:
        """What no manifest names."""
        return Garbage(self._connection, self.now, self.journal)

    @property
    def placement(self) -> Placement:
        """Where blobs lie."""
        return Placement(self._connection, self.now, self.journal)

    @property
    def manifests(self) -> Manifests:
        """The manifests and what they name."""
        return Manifests(self._connection, self.now, self.journal)

    @property
    def tags(self) -> Tags:
        """The tags and their history."""
        return Tags(self._connection, self.now, self.journal)

    @property
    def uploads(self) -> UploadSessions:
        """The open uploads."""
        return UploadSessions(self._connection, self.now)

    @property
    def search(self) -> SearchIndex:
        """The search index."""
        return SearchIndex(self._connection)

    @property
    def accounts(self) -> Accounts:
        """The users, organisations and robots."""
        return Accounts(self._connection, self.now)

    @property
    def teams(self) -> Teams:
        """The organisations' members and teams."""
        return Teams(self._connection, self.now)

    @property
    def grants(self) -> GrantTable:
        """The rights that were granted."""
        return GrantTable(self._connection, self.now)

    @property
    def credentials(self) -> Credentials:
        """The access tokens, robots' secrets and refresh tokens."""
        return Credentials(self._connection, self.now)

    @property
    def keys(self) -> SigningKeys:
        """The signing keys."""
        return SigningKeys(self._connection, self.now)

    @property
    def failures(self) -> LoginFailures:
        """The failed logins."""
        return LoginFailures(self._connection, self.now)

    @property
    def audit(self) -> AuditTrail:
        """The audit trail."""
        return AuditTrail(self._connection, self.now)

    @property
    def jobs(self) -> Jobs:
        """The work that no request waits for."""
        return Jobs(self._connection, self.now)
