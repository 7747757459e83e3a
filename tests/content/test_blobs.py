"""Leases: what a pusher was told is there stays there, and telling so costs a write only now and then."""

import pytest

from registry.content.uploads import MICROSECOND
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.content.conftest import ANN, GRACE, NAME, SECOND, Room
from tests.spec.contents import EMPTY, image, written

OTHER = RepositoryName.parse("team/other")


def leased_at(room: Room) -> int | None:
    with room.catalog.read() as tx:
        repository = tx.repositories.get(NAME)
        return tx.blobs.leased_at(repository.id, tx.blobs.linked(repository.id, Digest.of(EMPTY)))


def test_an_upload_and_a_mount_lease(room: Room) -> None:
    blob = room.push(EMPTY)
    assert leased_at(room) == room.clock.now
    room.clock.now += SECOND
    room.push(EMPTY, OTHER)
    assert leased_at(room) == room.clock.now - SECOND
    assert room.blobs.mount(NAME, blob.digest, OTHER, origin=ANN) is not None
    assert leased_at(room) == room.clock.now


def test_a_head_renews_a_lease_only_when_it_is_half_gone(room: Room) -> None:
    blob = room.push(EMPTY)
    began = room.clock.now
    room.clock.now += GRACE // 2 // MICROSECOND
    room.blobs.keep(NAME, blob)
    assert leased_at(room) == began
    room.clock.now += 1
    room.blobs.keep(NAME, blob)
    assert leased_at(room) == room.clock.now


def test_a_blob_without_a_lease_gets_one(room: Room) -> None:
    blob = room.push(EMPTY)
    with room.catalog.begin() as tx:
        repository = tx.repositories.get(NAME)
        tx.blobs.unlink(repository.id, blob)
        tx.blobs.link(repository.id, blob)
        tx.journal._connection.exec_driver_sql("DELETE FROM lease")
    room.blobs.keep(NAME, blob)
    assert leased_at(room) == room.clock.now


def test_deleting_and_pushing_move_the_marks(room: Room) -> None:
    room.push(EMPTY)
    content = written(image())
    pushed = room.manifests.push(NAME, Tag.parse("latest"), content, content_type=None, origin=ANN)
    with room.catalog.begin() as tx:
        assert not tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced
    with pytest.raises(RegistryError) as told:
        room.blobs.delete(NAME, Digest.of(EMPTY), origin=ANN)
    assert told.value.code is ErrorCode.UNSUPPORTED
    room.manifests.delete(NAME, pushed.digest, origin=ANN)
    with room.catalog.begin() as tx:
        assert tx.blobs.by_digest(Digest.of(EMPTY)).unreferenced
    room.blobs.delete(NAME, Digest.of(EMPTY), origin=ANN)
    with pytest.raises(RegistryError) as told:
        room.blobs.delete(NAME, Digest.of(EMPTY), origin=ANN)
    assert told.value.code is ErrorCode.BLOB_UNKNOWN
