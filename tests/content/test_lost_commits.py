"""A COMMIT is lost with its connection, before it came to the database or after: what is said next is true."""

from collections.abc import Iterator

import pytest

from registry.catalog.errors import OutcomeUnknown
from registry.content.reception import Reception
from registry.oci.errors import ErrorCode, RegistryError
from storage.digest import Digest
from tests.content.conftest import NAME, Room
from tests.faults.proxy import Loss, Proxy
from tests.parts.postgres import Postgres

pytestmark = pytest.mark.postgresql
CONTENT = bytes(range(251)) * 20
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    """Stands before the database."""
    with Proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def address(postgres: Postgres, migrated: str, proxy: Proxy) -> Iterator[str]:
    """A database at head, through the proxy."""
    name = postgres.create(migrated)
    yield postgres.url(name, proxy.port)
    postgres.drop(name)


def begun(room: Room) -> tuple[str, Reception]:
    """Open a session and begin to write."""
    session = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session)
    reception.write([CONTENT])
    return session, reception


def holds(room: Room) -> bool:
    """Tell whether the repository holds the blob, whole."""
    with room.catalog.read() as tx:
        blob = tx.blobs.linked(tx.repositories.get(NAME).id, DIGEST)
    return b"".join(room.blobs.read(blob, 0, blob.size)) == CONTENT


def test_an_upload_that_was_committed_is_answered(room: Room, proxy: Proxy) -> None:
    _, reception = begun(room)
    proxy.lose(Loss.ANSWER)
    assert reception.finish([], DIGEST).digest == DIGEST
    assert proxy.losses == 1
    assert holds(room)
    assert (room.left(), room.sessions()) == ([], 0)


def test_neither_does_it_matter_that_the_second_look_gets_no_answer(room: Room, proxy: Proxy) -> None:
    _, reception = begun(room)
    proxy.lose(Loss.ANSWER, Loss.QUESTION)
    assert reception.finish([], DIGEST).digest == DIGEST
    session, reception = begun(room)
    proxy.lose(Loss.ANSWER, Loss.ANSWER)
    assert reception.pause() == len(CONTENT)
    assert room.uploads.status(NAME, session, subject="ann").offset == len(CONTENT)
    assert proxy.losses == 4


def test_an_upload_that_was_not_committed_is_tried_again(room: Room, proxy: Proxy) -> None:
    session, reception = begun(room)
    proxy.lose(Loss.QUESTION)
    with pytest.raises(RegistryError) as told:
        reception.finish([], DIGEST)
    assert told.value.code is ErrorCode.UNAVAILABLE
    reception.close()
    assert room.sessions() == 1
    for _ in range(2):
        again = room.reception(session)
        try:
            again.finish([CONTENT], DIGEST)
            break
        except RegistryError as error:
            assert error.code is ErrorCode.UNAVAILABLE
            again.close()
    assert holds(room)
    assert (room.left(), room.sessions()) == ([], 0)


def test_a_chunk_that_was_committed_is_answered(room: Room, proxy: Proxy) -> None:
    session, reception = begun(room)
    proxy.lose(Loss.ANSWER)
    assert reception.pause() == len(CONTENT)
    assert room.uploads.status(NAME, session, subject="ann").offset == len(CONTENT)
    room.reception(session).finish([], DIGEST)
    assert holds(room)


def test_a_chunk_that_was_not_committed_is_sent_again(room: Room, proxy: Proxy) -> None:
    session, reception = begun(room)
    proxy.lose(Loss.QUESTION)
    with pytest.raises(OutcomeUnknown):
        reception.pause()
    reception.close()
    assert room.uploads.status(NAME, session, subject="ann").offset == 0
    again = room.reception(session)
    again.write([CONTENT])
    assert again.pause() == len(CONTENT)
    room.reception(session).finish([], DIGEST)
    assert holds(room)
