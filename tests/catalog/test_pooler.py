"""Behind PgBouncer, which gives a connection to another client after each transaction, all is as it was."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import connect
from registry.oci.names import RepositoryName, Tag
from tests.catalog.conftest import only_postgresql
from tests.catalog.contents import NAME, add_blob, add_manifest
from tests.parts.pgbouncer import start_pgbouncer
from tests.parts.postgres import Postgres
from tests.spec.contents import EMPTY

pytestmark = pytest.mark.postgresql
THREADS, ROUNDS = 12, 20


@pytest.fixture(scope="module")
def pooler(postgres: Postgres) -> Iterator[int]:
    """The port of a pooler."""
    with start_pgbouncer(postgres) as port:
        yield port


@pytest.fixture
def pooled(pooler: int, postgres: Postgres, migrated: str) -> Iterator[list[Catalog]]:
    """Two replicas on one database, with more connections between them than the pooler has."""
    name = postgres.create(migrated)
    catalogs = [Catalog(connect(postgres.url(name, pooler), pool_size=THREADS)) for _ in range(2)]
    yield catalogs
    for catalog in catalogs:
        catalog.close()
    postgres.drop(name)


def test_many_clients_share_few_connections(pooled: list[Catalog]) -> None:
    problems: list[str] = []

    def work(number: int) -> None:
        catalog = pooled[number % 2]
        try:
            for turn in range(ROUNDS):
                with catalog.begin(durable=bool(turn % 2)) as tx:
                    add_blob(tx, EMPTY)
                    add_blob(tx, f"{number}".encode())
                    entry = add_manifest(tx, EMPTY, f"{number}".encode(), mark=f"{number} {turn}")
                    repository = tx.repositories.get(NAME)
                    tx.tags.point(repository.id, Tag.parse(f"t{number}"), entry, actor="test")
                    tx.repositories.ensure(RepositoryName.parse(f"some/r{turn}"))
                with catalog.read() as tx:
                    assert tx.manifests.get(NAME, Tag.parse(f"t{number}")).id == entry.id
        except Exception as error:  # whatever it is, it is told
            problems.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with pooled[0].read() as tx:
        assert len(tx.tags.page(tx.repositories.get(NAME).id, "", 100)) == THREADS


@only_postgresql
def test_a_schema_is_brought_up_to_date_past_the_pooler(pooler: int, postgres: Postgres, address: str) -> None:
    name = address.rpartition("/")[2]
    direct, pooled = connect(address, pool_size=2), connect(postgres.url(name, pooler), pool_size=2)
    with pytest.raises(schema.SchemaError, match="is empty"):
        schema.require_head(pooled)
    assert schema.upgrade(direct, Path("unused"))
    schema.require_head(pooled)
    for database in (direct, pooled):
        database.close()
