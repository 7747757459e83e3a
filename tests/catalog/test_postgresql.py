"""What is PostgreSQL's alone: its time, its timeouts, what it calls trouble, and connections that end while idle."""

import time

import pytest
from sqlalchemy import text

from registry.catalog import postgresql
from registry.catalog.catalog import Catalog, system_clock
from registry.catalog.engine import Database, connect
from registry.catalog.errors import CatalogFull, CatalogUnavailable
from registry.oci.names import RepositoryName
from tests.catalog.conftest import only_postgresql
from tests.parts.postgres import Postgres

pytestmark = only_postgresql
NAME = RepositoryName.parse("team/app")
YEAR = 365 * 86_400_000_000


def test_time_is_the_databases_for_writers_and_readers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    true = system_clock()
    monkeypatch.setattr(postgresql, "_local", lambda: system_clock() + YEAR)
    catalog = Catalog(connect(address, pool_size=2))
    for begin in (catalog.read, catalog.begin, catalog.read):
        with begin() as tx:
            assert 0 <= tx.now - true < 60_000_000
    catalog.close()


def test_a_clock_that_jumps_is_noticed_by_the_next_writer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(connect(address, pool_size=2))
    with catalog.read() as tx:
        true = tx.now
    monkeypatch.setattr(postgresql, "_local", lambda: system_clock() - YEAR)
    with catalog.begin() as tx:
        assert 0 <= tx.now - true < 60_000_000
    catalog.close()


@pytest.mark.parametrize(("durable", "synchronous"), [(True, "on"), (False, "off")])
def test_a_transaction_sets_for_itself_what_it_wants_set(database: Database, durable: bool, synchronous: str) -> None:
    shown = text("SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')")
    with database.writing(durable=durable) as connection:
        assert connection.execute(shown).one() == (synchronous, "4s")
    with database.reading() as connection:
        assert connection.execute(shown).one()[1] == "0"


def test_writers_lock_and_readers_see_one_picture(database: Database) -> None:
    shown = text("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
    for _ in range(2):
        with database.writing() as connection:
            assert connection.execute(shown).one() == ("read committed", "off")
        with database.reading() as connection:
            assert connection.execute(shown).one() == ("repeatable read", "on")


def test_nothing_is_prepared_on_a_connection(catalog: Catalog) -> None:
    for _ in range(20):
        with catalog.begin() as tx:
            tx.repositories.ensure(NAME)
    with catalog.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one() == 0
        named = text("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert connection.execute(named).scalar_one() == "moorage"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", CatalogFull),
        ("53300", CatalogUnavailable),
        ("57P01", CatalogUnavailable),
        ("40P01", CatalogUnavailable),
        ("40001", CatalogUnavailable),
        ("55P03", CatalogUnavailable),
        ("57014", CatalogUnavailable),
        ("25006", CatalogUnavailable),
        ("58030", CatalogUnavailable),
        ("XX001", CatalogUnavailable),
    ],
)
def test_trouble_is_told_by_its_state(catalog: Catalog, state: str, kind: type[CatalogUnavailable]) -> None:
    trouble = f"DO $$ BEGIN RAISE EXCEPTION 'some trouble' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(kind, match=r"^some trouble$") as raised, catalog.begin() as tx:
        tx.journal._connection.execute(text(trouble))
    assert type(raised.value) is kind


def test_whoever_waits_for_a_lock_gives_up_in_time(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Catalog(catalog.database)
    with catalog.begin() as tx:
        tx.alone("something")
        begun = time.monotonic()
        with pytest.raises(CatalogUnavailable, match="lock timeout"), other.begin() as second:
            second.alone("something")
        assert 3 < time.monotonic() - begun < 9


def test_connections_that_ended_while_they_idled_are_replaced(catalog: Catalog, postgres: Postgres) -> None:
    others = f"datname = '{catalog.database.engine.url.database}'"
    for _ in range(3):
        with catalog.begin() as tx, catalog.read() as reader:
            tx.repositories.ensure(NAME)
            reader.repositories.page("", 1)
        postgres.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        time.sleep(0.2)


def test_a_connection_that_ends_within_a_transaction_is_trouble_with_our_name(
    catalog: Catalog, postgres: Postgres
) -> None:
    others = f"datname = '{catalog.database.engine.url.database}'"
    with pytest.raises(CatalogUnavailable), catalog.begin() as tx:
        tx.repositories.ensure(NAME)
        postgres.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        tx.repositories.page("", 1)
    with catalog.read() as tx:
        assert tx.repositories.listed("", 10) == []


def test_a_database_that_is_not_there_is_told(postgres: Postgres, database: Database) -> None:
    catalog = Catalog(connect(postgres.url("nowhere"), pool_size=1))
    with pytest.raises(CatalogUnavailable, match='"nowhere" does not exist'), catalog.read() as tx:
        tx.repositories.page("", 1)
    catalog.close()
