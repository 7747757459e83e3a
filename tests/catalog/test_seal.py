"""A SQLite catalog that has moved: no write by whatever statement, every read, and a way back."""

from pathlib import Path

import pytest

from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogMoved
from registry.catalog.moving.move import reopen
from registry.catalog.moving.seal import Memory, memory, remember, seal
from registry.catalog.tables import metadata
from registry.oci.names import RepositoryName
from tests.catalog.conftest import only_sqlite
from tests.catalog.dumps import dump
from tests.catalog.filled import fill, rows_of

pytestmark = only_sqlite
WRITES = (
    "INSERT INTO {0} SELECT * FROM {0}",
    "INSERT OR IGNORE INTO {0} SELECT * FROM {0}",
    "INSERT OR REPLACE INTO {0} SELECT * FROM {0}",
    "UPDATE {0} SET {1} = {1}",
    "DELETE FROM {0}",
)


@pytest.fixture
def sealed(catalog: Catalog) -> Catalog:
    """A catalog with rows in every table, sealed."""
    fill(catalog.database)
    with catalog.database.writing() as connection:
        remember(connection)
        seal(connection, "db.internal/registry")
    return catalog


def test_it_takes_no_write_and_gives_every_read(sealed: Catalog) -> None:
    columns = {name: next(iter(table.columns)).name for name, table in metadata.tables.items()}
    columns["alembic_version"] = "version_num"
    before = rows_of(sealed.database)
    for statement in (write.format(*place) for place in columns.items() for write in WRITES):
        with pytest.raises(CatalogMoved, match=r"has moved to PostgreSQL.*database\.url"), sealed.begin() as tx:
            tx._connection.exec_driver_sql(statement)
    with pytest.raises(CatalogMoved), sealed.begin() as tx:
        tx.repositories.ensure(RepositoryName.parse("team/new"))
    assert rows_of(sealed.database) == before
    with sealed.read() as tx:
        assert tx.repositories.get(RepositoryName.parse("team/a")).id == 1


def test_no_server_starts_on_it(sealed: Catalog) -> None:
    for refuse in (schema.check, schema.require_head, lambda database: schema.upgrade(database, Path("unused"))):
        with pytest.raises(schema.SchemaError, match=r"db\.internal/registry.*--reopen"):
            refuse(sealed.database)
    assert schema.standing(sealed.database) == schema.Status(schema.HEAD, ())


def test_reopened_it_is_as_it_was(sealed: Catalog) -> None:
    with sealed.database.reading() as connection:
        before = memory(connection)
    assert before is not None
    assert reopen(sealed.database)
    assert not reopen(sealed.database)
    assert not any("TRIGGER" in line for line in dump(sealed.database))
    schema.require_head(sealed.database)
    with sealed.begin() as tx:
        assert tx.repositories.ensure(RepositoryName.parse("team/new")).id == 3
        assert remember(tx._connection) == Memory(before.source)


def test_one_that_was_never_moved_has_nothing_to_undo(catalog: Catalog) -> None:
    assert not reopen(catalog.database)
    with catalog.database.reading() as connection:
        assert memory(connection) is None


def test_a_database_that_is_being_filled_is_refused_in_words(catalog: Catalog) -> None:
    with catalog.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{schema.MOVING}'")
    for refuse in (schema.check, schema.require_head, lambda database: schema.upgrade(database, Path("unused"))):
        with pytest.raises(schema.SchemaError, match=r"half moved.*moorage db migrate"):
            refuse(catalog.database)
