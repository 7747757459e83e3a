"""A COMMIT of which nothing is heard, on any database: who closes or moves an upload looks again, then answers."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import OutcomeUnknown
from registry.oci.errors import ErrorCode, RegistryError
from storage.digest import Digest
from tests.content.conftest import NAME, Room

CONTENT = b"bytes" * 1000
DIGEST = Digest.of(CONTENT)


class Deaf(Catalog):
    """A catalog that hears nothing of the next COMMIT; `happens`: it takes place all the same."""

    happens: bool | None = None

    @contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Transaction]:
        """Begin as ever, and end without an answer, once."""
        happens, self.happens = self.happens, None
        with super().begin(durable=durable) as tx:
            yield tx
            if happens is False:
                raise OutcomeUnknown("lost on the way there")
        if happens is True:
            raise OutcomeUnknown("lost on the way back")


@pytest.fixture
def deaf(room: Room) -> Deaf:
    """Stands in for the uploads' catalog."""
    room.uploads.catalog = Deaf(room.catalog.database, room.clock)
    return room.uploads.catalog


def test_an_upload_is_answered_as_it_went(room: Room, deaf: Deaf) -> None:
    reception = room.reception(room.uploads.start(NAME, subject="ann"))
    reception.write([CONTENT])
    deaf.happens = False
    with pytest.raises(RegistryError) as told:
        reception.finish([], DIGEST)
    assert told.value.code is ErrorCode.UNAVAILABLE
    reception.close()
    again = room.reception(room.uploads.start(NAME, subject="ann"))
    again.write([CONTENT])
    deaf.happens = True
    assert again.finish([], DIGEST).digest == DIGEST


def test_a_chunk_is_answered_as_it_went(room: Room, deaf: Deaf) -> None:
    session = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session)
    reception.write([CONTENT])
    deaf.happens = False
    with pytest.raises(OutcomeUnknown):
        reception.pause()
    reception.close()
    again = room.reception(session)
    again.write([CONTENT])
    deaf.happens = True
    assert again.pause() == len(CONTENT)


def test_a_blob_that_went_meanwhile_is_not_kept(room: Room) -> None:
    blob = room.push(CONTENT)
    with room.catalog.begin() as tx:
        tx.blobs.unlink(tx.repositories.get(NAME).id, blob)
    with pytest.raises(RegistryError) as told:
        room.blobs.keep(NAME, blob)
    assert told.value.code is ErrorCode.BLOB_UNKNOWN
