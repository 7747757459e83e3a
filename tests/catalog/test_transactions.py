"""Transactions: all or nothing, one picture, and writers that queue instead of failing."""

import multiprocessing
import multiprocessing.synchronize
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.catalog import schema, sqlite
from registry.catalog.catalog import Catalog, system_clock, translated
from registry.catalog.engine import Database, connect
from registry.catalog.errors import CatalogFull, CatalogUnavailable, NotFound
from registry.oci.names import RepositoryName
from tests.catalog.conftest import REFUSED, only_sqlite

NAME = RepositoryName.parse("team/app")


def test_what_ends_well_is_committed_and_what_fails_is_not(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        tx.repositories.ensure(NAME)
    with pytest.raises(ZeroDivisionError), catalog.begin() as tx:
        tx.repositories.ensure(RepositoryName.parse("lost"))
        raise ZeroDivisionError
    with catalog.read() as tx:
        assert tx.repositories.get(NAME).name == NAME
        with pytest.raises(NotFound):
            tx.repositories.get(RepositoryName.parse("lost"))


def test_a_reader_sees_one_picture(catalog: Catalog) -> None:
    with catalog.read() as reader:
        assert reader.repositories.page("", 10) == []
        with catalog.begin() as tx:
            tx.repositories.ensure(NAME)
        with pytest.raises(NotFound):
            reader.repositories.get(NAME)
    with catalog.read() as reader:
        reader.repositories.get(NAME)


def test_a_repository_is_made_once(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        one, two = tx.repositories.ensure(NAME), tx.repositories.ensure(NAME)
    assert one == two


def opened_there(
    address: str, together: "multiprocessing.synchronize.Barrier", answers: "multiprocessing.Queue[str]"
) -> None:
    """In another process, at the same moment as the others: open the database for the first time."""
    database = connect(address, pool_size=1)
    together.wait(60)
    try:
        with database.reading() as connection:
            answers.put(str(connection.execute(text("PRAGMA journal_mode")).scalar_one()))
    except Exception as error:  # told to the parent
        answers.put(repr(error))


@only_sqlite
def test_processes_that_open_a_new_file_at_once_all_get_it(address: str) -> None:
    context = multiprocessing.get_context("fork")
    for round_ in range(25):
        together, answers = context.Barrier(6), context.Queue()
        arguments = (f"{address}.{round_}", together, answers)
        processes = [context.Process(target=opened_there, args=arguments) for _ in range(6)]
        for process in processes:
            process.start()
        assert [answers.get(timeout=60) for _ in processes] == ["wal"] * 6
        for process in processes:
            process.join(60)


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
@only_sqlite
def test_only_what_may_be_lost_waits_for_no_disk(database: Database, durable: bool, level: int) -> None:
    with database.writing(durable=durable) as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == level
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"


def test_foreign_keys_hold(catalog: Catalog) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.uploads.open("0" * 32, 12345, subject="x", store="default", state=b"")


@only_sqlite
def test_a_commit_that_fails_leaves_no_transaction_behind(catalog: Catalog, database: Database) -> None:
    """SQLite keeps the transaction, and the write lock, when a COMMIT fails; here by a deferred foreign key."""
    with pytest.raises(REFUSED), database.writing() as connection:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        connection.execute(text("INSERT INTO blob_link (repository_id, blob_id, linked_at) VALUES (77, 77, 0)"))
    for _ in range(3):
        with catalog.begin() as tx:
            tx.repositories.ensure(NAME)
    other = connect(str(database.engine.url), pool_size=1)
    with Catalog(other).begin() as tx:
        assert tx.repositories.get(NAME).name == NAME
    other.close()


def test_trouble_with_the_database_has_our_name(catalog: Catalog) -> None:
    with pytest.raises(CatalogUnavailable, match=r"no such table|does not exist"), catalog.read() as tx:
        tx.journal._connection.execute(text("SELECT * FROM nowhere"))


def test_trouble_that_went_past_sqlalchemy_has_our_name_too() -> None:
    with pytest.raises(CatalogUnavailable, match="locked"), translated():
        raise sqlite3.OperationalError("database is locked")


@only_sqlite
def test_a_damaged_database_has_our_name(catalog: Catalog, place: Path) -> None:
    catalog.close()
    (place / "moorage.db").write_bytes(b"not a database" * 100)
    with pytest.raises(CatalogUnavailable, match="not a database"), catalog.read() as tx:
        tx.repositories.page("", 1)
    with pytest.raises(CatalogUnavailable, match="not a database"):
        schema.check(catalog.database)


@only_sqlite
def test_a_full_disk_has_a_name_of_its_own(catalog: Catalog) -> None:
    with catalog.database.reading() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    with pytest.raises(CatalogFull, match="full"), catalog.begin() as tx:
        tx.journal._connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        for number in range(2000):
            tx.repositories.ensure(RepositoryName.parse(f"filling/{number}"))
    with catalog.begin() as tx:
        tx.journal._connection.execute(text("PRAGMA max_page_count = 1000000"))
        tx.repositories.ensure(NAME)


def test_the_clock_is_read_once_a_transaction(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        assert tx.now == catalog.clock()
    assert abs(system_clock() - 1_700_000_000_000_000) < 20 * 365 * 86_400_000_000


@only_sqlite
def test_a_transaction_that_may_write_is_overtaken_by_nobody(catalog: Catalog, place: Path) -> None:
    """Not even by another process, whose connection the other catalog stands for, and not before the first write."""
    other = Catalog(connect(f"sqlite:///{place / 'moorage.db'}", pool_size=1))
    order: list[str] = []

    def write() -> None:
        with other.begin() as tx:
            tx.repositories.ensure(RepositoryName.parse("second"))
            order.append("second")

    thread = threading.Thread(target=write)
    with catalog.begin() as tx:
        assert tx.repositories.page("", 5) == []
        thread.start()
        thread.join(0.2)
        tx.repositories.ensure(NAME)
        order.append("first")
    thread.join(30)
    other.close()
    assert order == ["first", "second"]


def counting(url: str, threads: int, rounds: int) -> list[str]:
    """Read, then write, in several threads; give what went wrong."""
    catalog = Catalog(connect(url, pool_size=threads))
    problems: list[str] = []

    def work(thread: int) -> None:
        for number in range(rounds):
            try:
                with catalog.begin() as tx:
                    tx.repositories.page("", 5)
                    time.sleep(0.0005)  # where a writer that had only read so far would be overtaken
                    tx.repositories.ensure(RepositoryName.parse(f"r{thread}/n{number}"))
                    tx.repositories.ensure(NAME)
            except CatalogUnavailable as error:
                problems.append(str(error))

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    catalog.close()
    return problems


def counting_there(url: str, answers: "multiprocessing.Queue[list[str]]") -> None:
    """In another process: the same."""
    answers.put(counting(url, 3, 30))


def test_writers_in_threads_and_processes_never_see_a_locked_database(catalog: Catalog, address: str) -> None:
    url = address
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[list[str]] = context.Queue()
    processes = [context.Process(target=counting_there, args=(url, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    problems = counting(url, 3, 30)
    for _ in processes:
        problems += answers.get(timeout=120)
    for process in processes:
        process.join(60)
    assert problems == []
    with catalog.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM repository")).scalar_one() == 91


@only_sqlite
def test_a_deferred_writer_would_have_failed(catalog: Catalog) -> None:
    """The reason for BEGIN IMMEDIATE: a reader that becomes a writer cannot wait, whatever the timeout is."""
    with catalog.database.reading() as first:
        first.execute(text("SELECT count(*) FROM repository")).scalar_one()
        with catalog.begin() as tx:
            tx.repositories.ensure(NAME)
        with pytest.raises(CatalogUnavailable, match="locked"), catalog.read() as reader:
            reader.repositories.page("", 1)
            with catalog.begin() as tx:
                tx.repositories.ensure(RepositoryName.parse("other"))
            reader.repositories.ensure(RepositoryName.parse("too-late"))


@only_sqlite
def test_who_has_a_new_file_for_himself_is_not_waited_for_for_ever(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    holder = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    database = connect(address, pool_size=1)
    with pytest.raises(CatalogUnavailable, match="locked"), translated(), database.reading():
        pass
    holder.close()
