"""The nouns: blobs with their leases and marks, tags with a history that only grows, the journal, upload sessions."""

from typing import Any

import pytest
from sqlalchemy import Row, select, text

from registry.catalog import tables
from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict, NotFound
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.catalog.conftest import Clock
from tests.catalog.contents import NAME, OTHER, add_blob, add_manifest
from tests.spec.contents import EMPTY

LATEST = Tag.parse("latest")


def rows(catalog: Catalog, statement: str) -> list[tuple[Any, ...]]:
    with catalog.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def history(catalog: Catalog) -> list[Row[tuple[Any, ...]]]:
    with catalog.database.reading() as connection:
        return list(connection.execute(select(tables.tag_history).order_by(tables.tag_history.c.id)))


def test_a_blob_is_unreferenced_until_a_manifest_names_it(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        assert tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced
        one = add_manifest(tx, mark="1")
        two = add_manifest(tx, mark="2")
        assert not tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced
    for entry, unreferenced in ((one, False), (two, True)):
        clock.now += 1_000_000
        with catalog.begin() as tx:
            repository = tx.repositories.get(NAME)
            named = tx.manifests.named_by(entry)
            assert named == [str(Digest.of(EMPTY))]
            tx.manifests.delete(repository.id, entry)
            tx.blobs.mark_unreferenced(named)
            assert tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced == unreferenced
    # The grace runs from the moment the last reference went, not from any earlier one.
    assert rows(catalog, "SELECT unreferenced_at FROM blob") == [(clock.now,)]


def test_a_manifest_of_another_repository_keeps_a_blob_referenced(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        add_blob(tx, EMPTY, name=OTHER)
        mine = add_manifest(tx)
        add_manifest(tx, name=OTHER)
        tx.manifests.delete(tx.repositories.get(NAME).id, mine)
        tx.blobs.mark_unreferenced([str(Digest.of(EMPTY))])
        assert not tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced


def test_marking_again_does_not_start_the_grace_anew_nor_end_it(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        tx.blobs.mark_referenced([])
        tx.blobs.mark_unreferenced([])
        assert tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced


def test_a_link_is_a_lease_and_a_journal_line_once(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        blob = add_blob(tx, EMPTY)
        repository = tx.repositories.get(NAME)
        assert tx.blobs.leased_at(repository.id, blob) == clock.now
    clock.now += 5
    with catalog.begin() as tx:
        tx.blobs.link(repository.id, blob)
        assert tx.blobs.leased_at(repository.id, blob) == clock.now
        assert tx.blobs.leased_at(repository.id + 1, blob) is None
    assert len(rows(catalog, "SELECT * FROM journal WHERE kind = 'link'")) == 1


def test_unlinking_leaves_the_blob_to_others(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        blob = add_blob(tx, EMPTY)
        add_blob(tx, EMPTY, name=OTHER)
        tx.blobs.unlink(tx.repositories.get(NAME).id, blob)
        with pytest.raises(NotFound):
            tx.blobs.linked(tx.repositories.get(NAME).id, blob.digest)
        assert tx.blobs.locked(tx.repositories.get(OTHER).id, blob.digest).id == blob.id
        assert tx.blobs.linked_by_name(OTHER.value, blob.digest).id == blob.id
        assert tx.blobs.anywhere(blob.digest).id == blob.id
        tx.blobs.unlink(tx.repositories.get(OTHER).id, blob)
        with pytest.raises(NotFound):
            tx.blobs.anywhere(blob.digest)
        assert tx.blobs.by_digest(blob.digest).id == blob.id


def test_a_push_of_what_is_there_moves_the_row_to_its_own_key(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        old = add_blob(tx, EMPTY, key="old")
        new = add_blob(tx, EMPTY, key="new")
        assert (new.id, new.key) == (old.id, "new")
        assert tx.blobs.key_known("default", "new")
        assert not tx.blobs.key_known("default", "old")


def test_a_blob_that_the_collector_marked_is_not_there_until_it_is_pushed_again(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        blob = add_blob(tx, EMPTY)
        repository = tx.repositories.get(NAME)
        tx.journal._connection.execute(text("UPDATE blob SET state = 'deleting'"))
        with pytest.raises(NotFound):
            tx.blobs.linked(repository.id, blob.digest)
        with pytest.raises(NotFound):
            tx.blobs.linked_by_name(NAME.value, blob.digest)
        with pytest.raises(NotFound):
            tx.blobs.anywhere(blob.digest)
        assert tx.blobs.linked_sizes(repository.id, [str(blob.digest)]) == {}
        add_blob(tx, EMPTY, key="new")
        assert tx.blobs.linked_sizes(repository.id, [str(blob.digest)]) == {str(blob.digest): 2}


def test_discarded_keys_wait_for_their_time(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.blobs.discard("default", "later", clock.now + 10)
        tx.blobs.discard("default", "now", clock.now)
        tx.blobs.discard("default", "now", clock.now + 99)  # noted already
        assert tx.blobs.discarded(10) == [("default", "now")]
    clock.now += 10
    with catalog.begin() as tx:
        assert sorted(tx.blobs.discarded(10)) == [("default", "later"), ("default", "now")]
        assert len(tx.blobs.discarded(1)) == 1
        tx.blobs.forget_discarded("default", "now")
        assert tx.blobs.discarded(10) == [("default", "later")]


def test_a_tags_history_only_grows(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        one, two = add_manifest(tx, mark="1"), add_manifest(tx, mark="2")
        repository = tx.repositories.get(NAME).id
    lines: list[Row[tuple[Any, ...]]] = []
    moves = [(one, "ann"), (one, "ann"), (two, "bob"), (None, "eve"), (one, "ann")]
    expected = [(None, one, "ann"), (one, two, "bob"), (two, None, "eve"), (None, one, "ann")]
    for entry, actor in moves:
        clock.now += 1
        with catalog.begin() as tx:
            if entry is None:
                tx.tags.remove(repository, LATEST, actor=actor)
            else:
                tx.tags.point(repository, LATEST, entry, actor=actor)
        now = history(catalog)
        assert now[: len(lines)] == lines, "a line was changed or lost"
        lines = now
    found = [(row.old_digest, row.new_digest, row.actor) for row in lines]
    assert found == [(old and str(old.digest), new and str(new.digest), actor) for old, new, actor in expected]
    assert [row.at for row in lines] == sorted(row.at for row in lines)


def test_whoever_moves_a_tag_is_told_what_it_pointed_to(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        one, two = add_manifest(tx, mark="1"), add_manifest(tx, mark="2")
        repository = tx.repositories.get(NAME).id
        assert tx.tags.point(repository, LATEST, one, actor="ann") is None
        assert tx.tags.point(repository, LATEST, one, actor="ann") == str(one.digest)
        assert tx.tags.point(repository, LATEST, two, actor="ann") == str(one.digest)
        assert tx.tags.remove(repository, LATEST, actor="ann") == str(two.digest)
        assert tx.tags.remove_all(repository, two, actor="ann") == []


def test_deleting_a_manifest_writes_a_line_for_each_of_its_tags(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        entry = add_manifest(tx)
        repository = tx.repositories.get(NAME).id
        for tag in ("a", "b"):
            tx.tags.point(repository, Tag.parse(tag), entry, actor="ann")
        assert sorted(tx.tags.remove_all(repository, entry, actor="bob")) == ["a", "b"]
        assert tx.tags.page(repository, "", 10) == []
    assert [(row.tag, row.new_digest) for row in history(catalog)[2:]] == [("a", None), ("b", None)]


def test_removing_a_tag_that_is_not_there_is_told(catalog: Catalog) -> None:
    with catalog.begin() as tx, pytest.raises(NotFound):
        tx.tags.remove(tx.repositories.ensure(NAME).id, LATEST, actor="ann")


def test_the_journals_numbers_rise_and_tell_every_change(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        entry = add_manifest(tx)
        repository = tx.repositories.get(NAME).id
        tx.tags.point(repository, LATEST, entry, actor="ann")
    with pytest.raises(ZeroDivisionError), catalog.begin() as tx:
        tx.tags.remove(repository, LATEST, actor="ann")
        raise ZeroDivisionError
    with catalog.begin() as tx:
        tx.tags.remove(repository, LATEST, actor="ann")
        tx.manifests.delete(repository, entry)
        tx.blobs.unlink(repository, tx.blobs.by_digest(Digest.of(EMPTY)))
    lines = rows(catalog, "SELECT number, kind, value IS NULL FROM journal ORDER BY number")
    assert [(kind, gone) for _, kind, gone in lines] == [
        ("key", 0),
        ("link", 0),
        ("manifest", 0),
        ("tag", 0),
        ("tag", 1),
        ("manifest", 1),
        ("link", 1),
    ]
    numbers = [number for number, *_ in lines]
    assert numbers == sorted(set(numbers))


def test_a_journal_number_is_never_used_again(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
    (last,) = rows(catalog, "SELECT max(number) FROM journal")
    with catalog.begin() as tx:
        tx.journal._connection.execute(text("DELETE FROM journal"))
        add_blob(tx, b"another")
    (first,) = rows(catalog, "SELECT min(number) FROM journal")
    assert first > last


def test_upload_sessions(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        repository = tx.repositories.ensure(NAME)
        for number in range(3):
            tx.uploads.open(f"{number:032}", repository.id, subject="ann", store="default", state=b"s")
        session = tx.uploads.get("0" * 32)
        assert (session.repository, session.offset, session.state) == (NAME, 0, b"s")
        assert tx.uploads.count("ann") == 3
        assert tx.uploads.count("bob") == 0
        assert tx.uploads.exists("0" * 32)
    clock.now += 100
    with catalog.begin() as tx:
        tx.uploads.advance(session, 5, b"t")
        moved = tx.uploads.get(session.id)
        assert (moved.offset, moved.state, moved.active_at) == (5, b"t", clock.now)
        with pytest.raises(Conflict):
            tx.uploads.advance(session, 7, b"u")
        assert sorted(found.id[-1] for found in tx.uploads.oldest("ann", 2)) == ["1", "2"]
        assert tx.uploads.oldest("ann", 10)[-1] == moved
        assert {found.id[-1] for found in tx.uploads.stale(clock.now, 10)} == {"1", "2"}
        assert len(tx.uploads.stale(clock.now, 1)) == 1
        assert not tx.uploads.finish(session)
        tx.uploads.take_over(session.id)
        assert not tx.uploads.finish(moved)
        assert tx.uploads.close(session.id)
        assert not tx.uploads.close(session.id)
        assert not tx.uploads.exists(session.id)
        with pytest.raises(NotFound):
            tx.uploads.get(session.id)


def test_a_manifest_is_put_once(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_blob(tx, EMPTY)
        one, two = add_manifest(tx), add_manifest(tx)
        assert one == two
        repository = tx.repositories.get(NAME).id
        assert tx.manifests.any_in(repository)
        assert not tx.manifests.any_in(repository + 1)
        assert tx.manifests.naming(repository, Digest.of(EMPTY)) == str(one.digest)
        assert tx.manifests.naming(repository, one.digest) is None
        with pytest.raises(NotFound):
            tx.manifests.content(one.id + 1)
        with pytest.raises(NotFound):
            tx.manifests.get(NAME, LATEST)
        with pytest.raises(NotFound):
            tx.manifests.locked(repository, Digest.of(b"absent"))


def test_pages_follow_bytes_not_letters(catalog: Catalog) -> None:
    names = ["a-b", "a.b", "a/b", "a0", "a_b", "aa", "b"]
    with catalog.begin() as tx:
        for name in reversed(names):
            add_manifest(tx, name=RepositoryName.parse(name))
    with catalog.read() as tx:
        assert tx.repositories.page("", 10) == names
        assert tx.repositories.page("a/b", 2) == ["a0", "a_b"]
