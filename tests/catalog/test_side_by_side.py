"""Two transactions about the same thing: the second waits, and then sees what the first has done.

On SQLite the second cannot even begin. On PostgreSQL each of these tests fails without the lock that it is about.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from typing import TypeVar

import pytest

from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import NotFound
from registry.catalog.manifests import ManifestEntry
from registry.oci.names import Tag
from storage.digest import Digest
from tests.catalog.contents import NAME, OTHER, add_blob, add_manifest
from tests.spec.contents import EMPTY

T = TypeVar("T")
LATEST = Tag.parse("latest")
DIGEST = Digest.of(EMPTY)


class Second:
    """Whoever comes second, in a thread and a transaction of its own."""

    def __init__(self, catalog: Catalog, pool: ThreadPoolExecutor) -> None:
        self._catalog = catalog
        self._pool = pool

    def waits(self, work: Callable[[Transaction], T]) -> "Future[T]":
        """Begin something that has to wait; gives what comes of it."""
        coming = self._pool.submit(self._do, work)
        with pytest.raises(StillWaiting):
            coming.result(timeout=0.3)
        return coming

    def _do(self, work: Callable[[Transaction], T]) -> T:
        with self._catalog.begin() as tx:
            return work(tx)


@pytest.fixture
def second(catalog: Catalog) -> Iterator[Second]:
    """Somebody else, where there is a blob already."""
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
    with ThreadPoolExecutor(1) as pool:
        yield Second(catalog, pool)


def removed(tx: Transaction, digest: Digest) -> None:
    """Delete a manifest as the use case does."""
    repository = tx.repositories.get(NAME).id
    named = tx.manifests.named_by(tx.manifests.find(repository, digest))
    tx.blobs.hold(named)
    entry = tx.manifests.locked(repository, digest, exclusive=True)
    tx.tags.remove_all(repository, entry, actor="test")
    tx.manifests.delete(repository, entry)
    tx.blobs.mark_unreferenced(named)


def test_a_push_waits_for_a_delete_of_its_blob(catalog: Catalog, second: Second) -> None:
    with catalog.begin() as tx:
        add_manifest(tx, name=OTHER)  # so that a push has nothing to mark
    with catalog.begin() as tx:
        repository = tx.repositories.get(NAME).id
        blob = tx.blobs.locked(repository, DIGEST, exclusive=True)
        coming = second.waits(lambda tx: tx.blobs.linked_sizes(repository, [str(DIGEST)]))
        tx.blobs.unlink(repository, blob)
    assert coming.result(timeout=10) == {}


def test_a_delete_of_a_blob_waits_for_a_push_that_names_it(catalog: Catalog, second: Second) -> None:
    with catalog.begin() as tx:
        add_manifest(tx, name=OTHER)  # so that a push has nothing to mark
    with catalog.begin() as tx:
        repository = tx.repositories.get(NAME).id
        assert tx.blobs.linked_sizes(repository, [str(DIGEST)]) == {str(DIGEST): len(EMPTY)}

        def look(other: Transaction) -> str | None:
            other.blobs.locked(repository, DIGEST, exclusive=True)
            return other.manifests.naming(repository, DIGEST)

        coming = second.waits(look)
        entry = add_manifest(tx)
    assert coming.result(timeout=10) == str(entry.digest)


def test_of_two_manifests_that_go_at_once_the_last_frees_the_blob(catalog: Catalog, second: Second) -> None:
    with catalog.begin() as tx:
        one, two = add_manifest(tx, mark="1"), add_manifest(tx, mark="2")
        assert not tx.blobs.by_digest(DIGEST).unreferenced
    with catalog.begin() as tx:
        removed(tx, one.digest)
        coming = second.waits(lambda other: removed(other, two.digest))
    coming.result(timeout=10)
    with catalog.begin() as tx:
        assert tx.blobs.by_digest(DIGEST).unreferenced


def test_of_two_uploads_of_one_blob_the_second_replaces_the_first(catalog: Catalog, second: Second) -> None:
    content = b"new"
    digest = Digest.of(content)
    with catalog.begin() as tx:
        with pytest.raises(NotFound):
            tx.blobs.by_digest(digest)
        coming = second.waits(lambda other: other.blobs.by_digest(digest).key)
        tx.blobs.put(digest, 3, "default", "blobs/first")
    assert coming.result(timeout=10) == "blobs/first"


def test_of_two_pushes_of_one_manifest_both_have_it(catalog: Catalog, second: Second) -> None:
    with catalog.begin() as tx:
        first = add_manifest(tx)
        coming = second.waits(add_manifest)
    assert coming.result(timeout=10) == first


@pytest.mark.parametrize("there", [True, False])
def test_of_two_who_move_a_tag_the_second_knows_of_the_first(catalog: Catalog, second: Second, there: bool) -> None:
    with catalog.begin() as tx:
        repository = tx.repositories.get(NAME).id
        entries = [add_manifest(tx, mark=str(number)) for number in range(3)]
        if there:
            tx.tags.point(repository, LATEST, entries[0], actor="test")

    def point(tx: Transaction, entry: ManifestEntry) -> str | None:
        return tx.tags.point(repository, LATEST, entry, actor="test")

    with catalog.begin() as tx:
        assert point(tx, entries[1]) == (str(entries[0].digest) if there else None)
        coming = second.waits(lambda other: point(other, entries[2]))
    assert coming.result(timeout=10) == str(entries[1].digest)


def test_a_session_is_settled_once_its_last_transaction_has_ended(catalog: Catalog, second: Second) -> None:
    with catalog.begin() as tx:
        tx.uploads.open("0" * 32, tx.repositories.get(NAME).id, subject="x", store="default", state=b"")
    with catalog.begin() as tx:
        assert tx.uploads.close("0" * 32)

        def look(other: Transaction) -> bool:
            other.uploads.settle("0" * 32)
            return other.blobs.key_known("default", "blobs/late")

        coming = second.waits(look)
        tx.blobs.put(Digest.of(b"late"), 4, "default", "blobs/late")
    assert coming.result(timeout=10)


def test_what_has_no_row_is_decided_by_one_at_a_time(catalog: Catalog, second: Second) -> None:
    with catalog.begin() as tx:
        tx.alone("keys")
        coming = second.waits(lambda other: other.alone("keys"))
    coming.result(timeout=10)
