"""A registry with accounts and somebody of every kind, made by the use cases that the command line has.

Four repositories of one organisation: private, internal, public, and one that is not there. It knows how accounts are
made, and nothing of what they may do; that is what the tests say.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from auth.passwords import PasswordHasher
from auth.policy import ALL, parse_rights
from auth.secrets import SecretKind, hash_secret, new_id, new_secret
from registry.accounts.grants import Grants
from registry.accounts.keys import KeyRing
from registry.accounts.master import load_master_key
from registry.accounts.organizations import Organizations
from registry.accounts.people import People
from registry.accounts.repositories import Repositories
from registry.accounts.robots import Robots
from registry.accounts.secrets import Secrets
from registry.accounts.teams import Teams
from registry.audit import Audit, Origin, no_lines
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from tests.spec.asgi import Answer, Body
from tests.spec.registry import Registry, running

OPERATOR = Origin("root", "operator")
ADMIN = "admin"
ADMIN_PASSWORD = "mooring-lines-and-bollards"
PASSWORD = "a-long-rope-of-hemp"
CHEAP = PasswordHasher(1, 8, 1)
"""Hashes at no cost. The server makes such a hash anew at the first sign-in."""

PRIVATE, INTERNAL, PUBLIC, ABSENT = "team/private", "team/internal", "team/public", "team/absent"
SOURCE = "other/lib"


@dataclass
class Accounts:
    """The use cases of accounts on the data of a server, in another process or in this one."""

    database: Database
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        self.catalog = Catalog(self.database)
        audit = Audit(self.catalog, no_lines)
        self.audit = audit
        self.people = People(self.catalog, audit, CHEAP)
        self.organizations = Organizations(self.catalog, audit)
        self.teams = Teams(self.catalog, audit)
        self.robots = Robots(self.catalog, audit)
        self.secrets = Secrets(self.catalog, audit)
        self.grants = Grants(self.catalog, audit)
        self.repositories = Repositories(self.catalog, audit)

    def user(self, name: str, *grants: tuple[str, str]) -> None:
        """Make a user with PASSWORD and grants (rights, target)."""
        self.people.add(name, PASSWORD, OPERATOR)
        self.grant(name, *grants)

    def grant(self, subject: str, *grants: tuple[str, str]) -> None:
        """Grant rights on targets."""
        for rights, target in grants:
            self.grants.put(subject, parse_rights(rights), target, OPERATOR)

    def secret(self, owner: str, rights: str = "", *repositories: str, days: int = 1) -> str:
        """Make a personal access token or a robot's secret."""
        limited = parse_rights(rights) if rights else ALL
        lifetime = timedelta(days=days)
        issued = self.secrets.issue(owner, OPERATOR, rights=limited, repositories=repositories, lifetime=lifetime)
        return issued.secret

    def over(self, owner: str, *, kind: str = "pat", **columns: int | str) -> str:
        """Make a credential as it stands in the database, such as one that has run out."""
        secret = new_secret({"pat": SecretKind.PAT, "refresh": SecretKind.REFRESH}[kind])
        expires_at, service = columns.get("expires_at"), columns.get("service")
        with self.catalog.begin() as tx:
            tx.credentials.add(
                new_id(),
                tx.accounts.get(owner).id,
                kind,
                secret_hash=hash_secret(secret),
                expires_at=expires_at if isinstance(expires_at, int) else None,
                service=service if isinstance(service, str) else None,
            )
        return secret

    def forgive(self) -> None:
        """Forget every failed sign-in."""
        with self.catalog.begin(durable=False) as tx:
            tx.failures.purge(tx.now + 1)

    def key_ring(self, directory: Path) -> KeyRing:
        """Give the keys that sign, as an operator at the server's own machine could."""
        return KeyRing(self.catalog, load_master_key(directory, None, create=False), self.audit)


@contextmanager
def accounts_of(directory: Path) -> Iterator[Accounts]:
    """Open the catalog of a data directory beside its server."""
    database = connect(f"sqlite:///{directory.absolute() / 'moorage.db'}", pool_size=4)
    try:
        yield Accounts(database)
    finally:
        database.close()


def basic(name: str, secret: str) -> dict[str, str]:
    """Give the header of somebody who signs in."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode("ascii")}


def bearer(token: str) -> dict[str, str]:
    """Give the header that shows a token."""
    return {"authorization": f"Bearer {token}"}


def token_for(registry: Registry, signed_in: Mapping[str, str], *scopes: str) -> str:
    """Ask for a token."""
    query = "&".join(f"scope={quote(scope)}" for scope in scopes)
    answer = registry.request("GET", f"/token?service=moorage&{query}", headers=signed_in).expect(200)
    return str(answer.json()["token"])


class Signed(Registry):
    """The same registry for somebody whose every request carries the same headers."""

    def __init__(self, registry: Registry, headers: Mapping[str, str]) -> None:
        self.app, self.extensions, self._address = registry.app, registry.extensions, registry._address
        self._runner = registry._runner
        self._always = dict(headers)

    async def send(
        self,
        method: str,
        target: str,
        body: Body = b"",
        headers: Mapping[str, str] | None = None,
        *,
        vanish: bool = False,
    ) -> Answer:
        """Send one request as this person."""
        return await super().send(method, target, body, {**self._always, **(headers or {})}, vanish=vanish)


@contextmanager
def harbour(directory: Path, **sections: Mapping[str, object]) -> Iterator[tuple[Registry, Accounts]]:
    """Run a server with accounts, and give it with the use cases of accounts on its data."""
    given = {"auth": {"mode": "accounts"}, "admin": {"password": ADMIN_PASSWORD}, **sections}
    with running(directory, given) as registry, accounts_of(directory) as accounts:
        yield registry, accounts
