"""Sessions over time: what rests too long is swept, whoever has too many gives up the longest idle, crashes heal."""

import pytest

from auth.policy import Reach
from registry.content.reception import ChunkRange
from registry.content.uploads import FILE_KEY_LIFETIME, IDLE, MICROSECOND, NEVER_WRITTEN, REMOTE_KEY_LIFETIME
from registry.oci.errors import ErrorCode, RegistryError
from storage.digest import Digest
from tests.content.conftest import ANN, NAME, SECOND, Room

HOUR = 3600 * SECOND
CONTENT = b"layer" * 500


def refused(code: ErrorCode) -> "pytest.RaisesExc[RegistryError]":
    return pytest.raises(RegistryError, check=lambda error: error.code is code)


def test_a_session_that_rested_too_long_is_swept(room: Room) -> None:
    resting = room.uploads.start(NAME, subject="ann")
    room.reception(resting).pause([CONTENT])
    empty = room.uploads.start(NAME, subject="ann")
    room.clock.now += HOUR - SECOND
    moving = room.uploads.start(NAME, subject="ann")
    room.reception(moving).pause([CONTENT])
    assert room.uploads.sweep_sessions() == 0
    room.clock.now += 2 * SECOND
    assert room.uploads.sweep_sessions() == 2
    for session_id in (resting, empty):
        with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
            room.uploads.status(NAME, session_id, subject="ann")
    assert room.left() == [moving]
    assert room.uploads.status(NAME, moving, subject="ann").offset == len(CONTENT)
    assert room.uploads.sweep_sessions() == 0


def test_a_session_that_moves_lives_on(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    for _ in range(5):
        room.clock.now += HOUR - SECOND
        room.reception(session_id).pause([b"x"])
        assert room.uploads.sweep_sessions() == 0
    room.reception(session_id).finish([], Digest.of(b"xxxxx"))


def test_what_somebody_is_writing_to_is_not_swept(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session_id)
    reception.write([CONTENT])
    room.clock.now += 2 * HOUR
    assert room.uploads.sweep_sessions() == 0
    with refused(ErrorCode.BLOB_UPLOAD_INVALID):
        room.uploads.cancel(NAME, session_id, subject="ann")
    assert reception.pause() == len(CONTENT)


def test_bytes_that_no_session_names_are_swept(room: Room) -> None:
    """A crash came between the commit of a row and the freeing of the upload's own bytes."""
    writer = room.store.begin("ab" * 16)
    writer.write(CONTENT)
    writer.suspend()
    assert room.left() == ["ab" * 16]
    assert room.uploads.sweep_sessions() == 1
    assert room.left() == []


def test_strangers_that_are_held_are_left_alone(room: Room) -> None:
    writer = room.store.begin("ab" * 16)
    writer.write(b"x" * 5000)
    assert room.uploads.sweep_sessions() == 0
    writer.abort()


def test_a_key_that_was_published_and_never_recorded_goes_with_its_session(room: Room) -> None:
    """A crash came between the commit of the bytes and the commit of their row."""
    session_id = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session_id)
    reception.write([CONTENT])
    session, writer = reception._opened()
    stored = writer.commit(Digest.of(CONTENT))
    writer.close()  # as a kill would
    assert room.store.stat(stored.key) == len(CONTENT)
    room.clock.now += 2 * HOUR
    assert room.uploads.sweep_sessions() >= 1
    with pytest.raises(Exception, match="nothing is stored"):
        room.store.stat(stored.key)
    assert (room.left(), room.sessions()) == ([], 0)
    assert session.id == session_id


def test_a_commit_that_was_cut_short_goes_through_at_the_next_try(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    room.reception(session_id).pause([CONTENT])
    _, writer = room.reception(session_id)._opened()
    stored = writer.commit(Digest.of(CONTENT))
    writer.close()
    blob = room.reception(session_id).finish([], Digest.of(CONTENT))
    assert (blob.key, blob.size) == (stored.key, len(CONTENT))
    assert b"".join(room.blobs.read(blob, 0, blob.size)) == CONTENT


def test_a_commit_of_more_bytes_that_was_cut_short_is_undone_and_told(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    room.reception(session_id).pause([CONTENT])
    reception = room.reception(session_id)
    reception.write([b"more"])
    _, writer = reception._opened()
    writer.commit(Digest.of(CONTENT + b"more"))
    writer.close()
    with refused(ErrorCode.UNAVAILABLE) as told:
        room.reception(session_id).finish([b"more"], Digest.of(CONTENT + b"more"))
    assert "try again" in told.value.message


def test_more_bytes_after_a_commit_that_was_cut_short_undo_it_and_go_through_at_the_next_try(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    room.reception(session_id).pause([CONTENT])
    _, writer = room.reception(session_id)._opened()
    writer.commit(Digest.of(CONTENT))
    writer.close()
    reception = room.reception(session_id)
    with refused(ErrorCode.UNAVAILABLE) as told:
        reception.pause([b"more"])
    reception.close()
    assert "try again" in told.value.message
    if room.blobs.local_path(room.push(b"probe")) is not None:
        # A store that keeps what it has not published can go on; the other says so by the session's end.
        assert room.reception(session_id).pause([b"more"]) == len(CONTENT) + 4
        return
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
        room.reception(session_id).pause([b"more"])


def test_a_session_whose_bytes_were_lost_is_told(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    room.reception(session_id).pause([CONTENT])
    room.store.discard(session_id, None)
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN) as told:
        room.reception(session_id).pause([b"x"])
    assert "start a new one" in told.value.message


def test_a_session_that_was_cancelled_while_its_last_bytes_came_publishes_nothing(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session_id)
    reception.write([CONTENT])
    with room.catalog.begin() as tx:
        tx.uploads.close(session_id)
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
        reception.finish([], Digest.of(CONTENT))
    reception.close()
    assert room.blobs.mount_from_any(NAME, Digest.of(CONTENT), reach=Reach.of_everything(), origin=ANN) is None
    room.uploads.sweep_keys()
    room.uploads.sweep_sessions()
    assert room.left() == []


def test_a_session_that_somebody_else_moved_is_not_moved_again(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session_id)
    reception.write([b"one"])
    with room.catalog.begin() as tx:
        tx.uploads.advance(tx.uploads.get(session_id), 7, b"")
    with refused(ErrorCode.UPLOAD_OUT_OF_ORDER):
        reception.pause()
    reception.close()


def test_a_session_belongs_to_its_subject(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
        room.uploads.status(NAME, session_id, subject="bob")
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
        room.reception(session_id, subject="bob").pause([b"x"])


@pytest.mark.parametrize(("written", "rest"), [(True, IDLE), (False, NEVER_WRITTEN)])
def test_the_longest_idle_session_makes_room(room: Room, written: bool, rest: object) -> None:
    sessions = []
    for _ in range(3):
        sessions.append(room.uploads.start(NAME, subject="ann"))
        if written:
            room.reception(sessions[-1]).pause([b"x"])
        room.clock.now += SECOND
    idle = (IDLE if written else NEVER_WRITTEN) // MICROSECOND
    room.clock.now += idle - 3 * SECOND
    with refused(ErrorCode.TOOMANYREQUESTS) as told:
        room.uploads.start(NAME, subject="ann")
    assert told.value.headers["retry-after"]
    assert "3 uploads" in told.value.message
    room.uploads.start(NAME, subject="bob")
    room.clock.now += SECOND
    fresh = room.uploads.start(NAME, subject="ann")
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
        room.uploads.status(NAME, sessions[0], subject="ann")
    for session_id in (sessions[1], sessions[2], fresh):
        room.uploads.status(NAME, session_id, subject="ann")


def test_an_idle_session_that_is_being_written_to_does_not_make_room(room: Room) -> None:
    held = room.uploads.start(NAME, subject="ann")
    reception = room.reception(held)
    reception.write([CONTENT])
    room.clock.now += SECOND
    other = room.uploads.start(NAME, subject="ann")
    room.clock.now += SECOND
    room.uploads.start(NAME, subject="ann")
    room.clock.now += HOUR
    room.uploads.start(NAME, subject="ann")
    with refused(ErrorCode.BLOB_UPLOAD_UNKNOWN):
        room.uploads.status(NAME, other, subject="ann")
    reception.pause()


def test_a_replaced_key_goes_after_its_lifetime(room: Room) -> None:
    first, second = room.push(CONTENT), room.push(CONTENT)
    assert (first.id, first.key != second.key) == (second.id, True)
    local = room.blobs.local_path(second) is not None
    lifetime = (FILE_KEY_LIFETIME if local else REMOTE_KEY_LIFETIME) // MICROSECOND
    room.clock.now += lifetime - 1
    assert room.uploads.sweep_keys() == 0
    assert b"".join(room.blobs.read(first, 0, first.size)) == CONTENT  # a reader that has just looked it up
    room.clock.now += 1
    assert room.uploads.sweep_keys() == 1
    with pytest.raises(Exception, match="nothing is stored"):
        room.store.stat(first.key)
    assert b"".join(room.blobs.read(second, 0, second.size)) == CONTENT
    assert room.uploads.sweep_keys() == 0


def test_a_discarded_key_that_a_blob_lives_at_again_is_kept(room: Room) -> None:
    blob = room.push(CONTENT)
    with room.catalog.begin() as tx:
        tx.blobs.discard(blob.store, blob.key, tx.now)
    assert room.uploads.sweep_keys() == 1
    assert b"".join(room.blobs.read(blob, 0, blob.size)) == CONTENT
    assert room.uploads.sweep_keys() == 0


def test_a_reception_takes_no_more_than_was_announced(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    reception = room.reception(session_id, ChunkRange(start=0, length=5))
    with refused(ErrorCode.SIZE_INVALID):
        reception.write([b"x" * 6])
    reception.close()
    for first in (b"", b"xx"):
        reception = room.reception(session_id, ChunkRange(start=0, length=5))
        reception.write([first])
        with refused(ErrorCode.SIZE_INVALID):
            reception.pause([b"x"])
        reception.close()
    assert room.uploads.status(NAME, session_id, subject="ann").offset == 0
    room.reception(session_id, ChunkRange(start=0, length=5)).pause([b"12"], whole=False)
    assert room.uploads.status(NAME, session_id, subject="ann").offset == 2


def test_closing_is_harmless_at_any_time(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    room.reception(session_id).close()
    reception = room.reception(session_id)
    reception.pause([b"x"])
    reception.close()
    reception.close()
    assert room.uploads.status(NAME, session_id, subject="ann").offset == 1


def test_a_key_that_a_row_names_is_left_to_it(room: Room) -> None:
    session_id = room.uploads.start(NAME, subject="ann")
    blob = room.reception(session_id).finish([CONTENT], Digest.of(CONTENT))
    assert room.uploads._known_or_undone(blob.store, session_id, blob.key)
    assert not room.uploads._known_or_undone(blob.store, session_id, f"{blob.key}x")
