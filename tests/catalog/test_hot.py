"""What is remembered is never stale, whoever committed: this process, another one, in any order of events."""

import multiprocessing
import random
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from registry.catalog import hot, version
from registry.catalog.catalog import Catalog
from registry.catalog.engine import connect
from registry.catalog.errors import NotFound
from registry.catalog.hot import HotReads
from registry.catalog.version import DataVersion
from registry.oci.names import Tag
from storage.digest import Digest
from tests.catalog.conftest import only_sqlite
from tests.catalog.contents import NAME, add_blob, add_manifest
from tests.spec.contents import EMPTY

LATEST = Tag.parse("latest")


@pytest.fixture
def watching(catalog: Catalog) -> Iterator[DataVersion]:
    """Watches the catalog."""
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
    assert catalog.database.path is not None
    watching = DataVersion(catalog.database.path)
    yield watching
    watching.close()


@pytest.fixture
def reads(catalog: Catalog, watching: DataVersion) -> HotReads:
    """Remembers what was read."""
    return HotReads(catalog, watching)


def push(catalog: Catalog, mark: str) -> Digest:
    """Move `latest` to a new image."""
    with catalog.begin() as tx:
        entry = add_manifest(tx, mark=mark)
        tx.tags.point(tx.repositories.get(NAME).id, LATEST, entry, actor="test")
    return entry.digest


@only_sqlite
def test_every_commit_changes_the_version_and_nothing_else_does(catalog: Catalog, watching: DataVersion) -> None:
    seen = {watching.value()}
    for number in range(20):
        with catalog.read() as tx:
            tx.repositories.page("", 5)
        with pytest.raises(ZeroDivisionError), catalog.begin() as tx:
            tx.repositories.ensure(NAME)
            raise ZeroDivisionError
        assert watching.value() in seen
        with catalog.begin(durable=bool(number % 2)) as tx:
            tx.blobs.discard("default", str(number), 0)
        assert watching.value() not in seen
        assert watching.value() == watching.value()
        seen.add(watching.value())


@only_sqlite
def test_a_checkpoint_hides_no_commit(catalog: Catalog, watching: DataVersion) -> None:
    for number in range(5):
        before = watching.value()
        with catalog.begin() as tx:
            tx.blobs.discard("default", str(number), 0)
        assert watching.value() != before
        with catalog.database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        after = watching.value()
        with catalog.begin() as tx:
            tx.blobs.discard("default", f"again {number}", 0)
        assert watching.value() != after


def test_a_wal_index_that_cannot_be_mapped_is_told(place: Path) -> None:
    with pytest.raises(OSError, match="cannot map"):
        version._mapped(place)


@only_sqlite
def test_a_moved_tag_is_seen_at_once(catalog: Catalog, reads: HotReads) -> None:
    for number in range(10):
        digest = push(catalog, str(number))
        for _ in range(3):
            entry, content = reads.manifest(NAME, LATEST)
            assert entry.digest == digest
            assert Digest.of(content) == digest


@only_sqlite
def test_what_goes_is_gone_at_once(catalog: Catalog, reads: HotReads) -> None:
    digest = push(catalog, "x")
    entry, _ = reads.manifest(NAME, digest)
    assert reads.blob(NAME, Digest.of(EMPTY)).size == 2
    with catalog.begin() as tx:
        repository = tx.repositories.get(NAME).id
        tx.tags.remove_all(repository, entry, actor="test")
        tx.manifests.delete(repository, entry)
        tx.blobs.unlink(repository, tx.blobs.by_digest(Digest.of(EMPTY)))
    for reference in (LATEST, digest):
        with pytest.raises(NotFound):
            reads.manifest(NAME, reference)
    with pytest.raises(NotFound):
        reads.blob(NAME, Digest.of(EMPTY))


def test_nothing_is_remembered_where_nobody_tells_of_commits(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
    reads = HotReads(catalog, None)
    for number in range(3):
        digest = push(catalog, str(number))
        assert reads.manifest(NAME, LATEST)[0].digest == digest
        assert reads.blob(NAME, Digest.of(EMPTY)).size == 2
    assert not reads._entries
    assert not reads._blobs
    reads.close()


@only_sqlite
def test_memory_is_bounded(catalog: Catalog, reads: HotReads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot, "NAME_LIMIT", 3)
    monkeypatch.setattr(hot, "CONTENT_LIMIT", 16 * 1024)
    digests = [push(catalog, str(number)) for number in range(80)]
    large = push(catalog, "x" * 2000)
    for digest in [*digests, large, large]:
        assert reads.manifest(NAME, digest)[0].digest == digest
        assert len(reads._entries) <= 3
        assert sum(map(len, reads._contents.values())) == reads._content_bytes <= 16 * 1024
    for _ in range(5):
        reads.blob(NAME, Digest.of(EMPTY))


def pushing(path: str, connection: Connection) -> None:
    """In another process: move the tag, and tell each time once that is committed."""
    catalog = Catalog(connect(f"sqlite:///{path}", pool_size=1))
    for number in range(200):
        digest = push(catalog, str(number))
        connection.send(str(digest))
        if number % 20 == 0:
            connection.recv()
    catalog.close()
    connection.send("")


@only_sqlite
def test_what_another_process_has_acknowledged_is_never_missed(catalog: Catalog, reads: HotReads, place: Path) -> None:
    """The reader looks all the time, so that most commits come between two looks that remember something."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=pushing, args=(str(place / "moorage.db"), theirs))
    process.start()
    order: list[str] = []
    looks = 0
    while True:
        if ours.poll(random.choice([0, 0, 0.0005])):
            told = ours.recv()
            if not told:
                break
            order.append(told)
            if len(order) % 20 == 1:
                ours.send("go on")
        if order:
            found = str(reads.manifest(NAME, LATEST)[0].digest)
            looks += 1
            # It may be newer than what was told to us, never older.
            assert found not in order[:-1]
    process.join(60)
    assert str(reads.manifest(NAME, LATEST)[0].digest) == order[-1]
    assert (len(order), looks > 200) == (200, True)
