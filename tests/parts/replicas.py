"""Starts several real Moorages that are one registry: one PostgreSQL database, one bucket, one master key, and a data
directory of each one's own; before them nginx, which gives every request to the next.

It knows the command line and the settings, and nothing of what is inside the servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from auth.keys import MasterKey
from storage.s3.bucket import Bucket
from tests.parts.ceph import Ceph
from tests.parts.nginx import RoundRobin, start_round_robin
from tests.parts.postgres import Postgres
from tests.parts.server import RunningServer, start_moorage


@dataclass(frozen=True, slots=True)
class Shared:
    """What replicas have in common."""

    address: str  # of the database, for a Catalog
    configuration: str  # the text of a moorage.toml
    store: Bucket
    master_key: str

    @property
    def secrets(self) -> dict[str, str]:
        """Give the environment that hands the master key to a server with accounts."""
        return {"MOORAGE_SECRETS__MASTER_KEY": self.master_key}


@dataclass(frozen=True, slots=True)
class Replicas:
    """Servers of one registry and the proxy before them; single requests also go past it, to `servers[n].port`."""

    servers: tuple[RunningServer, ...]
    proxy: RoundRobin
    shared: Shared

    def other(self, server: RunningServer) -> RunningServer:
        """Give one that is not this one."""
        return next(replica for replica in self.servers if replica is not server)


@contextmanager
def shared_parts(postgres: Postgres, ceph: Ceph, more: str = "") -> Iterator[Shared]:
    """An empty database and an empty bucket; `more` goes to the end of the configuration."""
    name, bucket = postgres.create(), ceph.bucket()
    address = postgres.url(name)
    database = f'[database]\nurl = "{address.replace("+psycopg", "")}"\n'
    try:
        configuration = ceph.configuration(bucket) + database + more
        yield Shared(address, configuration, Bucket(ceph.options(bucket)), MasterKey.generate().text)
    finally:
        postgres.drop(name)


@contextmanager
def start_replicas(
    shared: Shared,
    directory: Path,
    *,
    count: int = 2,
    args: Sequence[str] = (),
    accounts: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Replicas]:
    """`count` servers, ready, and an nginx before them; the arguments are those of `start_moorage`."""
    given = {**(shared.secrets if accounts else {}), **(environment or {})}
    with ExitStack() as running:
        servers = tuple(
            running.enter_context(
                start_moorage(
                    directory / f"replica{number}",
                    config=shared.configuration,
                    args=args,
                    accounts=accounts,
                    environment=given,
                )
            )
            for number in range(count)
        )
        proxy = running.enter_context(start_round_robin([server.port for server in servers]))
        yield Replicas(servers, proxy, shared)
