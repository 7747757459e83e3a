"""Collecting: what goes, what stays, in which order, and what a kill in the middle leaves."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from registry.audit import Audit, Origin, no_lines
from registry.content.collector import BATCH, Collector, Freed
from registry.content.uploads import MICROSECOND
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from storage.errors import NotFound as BytesNotFound
from tests.catalog.plans import planned, scans
from tests.content.conftest import ANN, GRACE, NAME, SECOND, Room
from tests.spec.contents import EMPTY, image, written

OTHER = RepositoryName.parse("team/other")
GC = Origin("moorage gc", "operator")
DAY = GRACE // MICROSECOND


@pytest.fixture
def collector(room: Room) -> Collector:
    return Collector(room.catalog, Audit(room.catalog, no_lines), room.uploads, GRACE)


def collect(collector: Collector, rest: Callable[[Freed], None] = lambda _: None) -> Freed:
    return collector.collect(GC, rest)


def stored(room: Room) -> int:
    """How many blobs the catalog knows."""
    with room.catalog.read() as tx:
        return int(tx.journal._connection.exec_driver_sql("SELECT count(*) FROM blob").scalar_one())


def test_a_blob_that_nobody_named_goes_when_its_lease_is_over(room: Room, collector: Collector) -> None:
    blob = room.push(b"forgotten")
    room.clock.now += DAY - 1
    assert collect(collector).blobs == 0
    room.clock.now += 1
    freed = collect(collector)
    assert (freed.blobs, freed.size, dict(freed.by_repository)) == (1, 9, {NAME.value: 9})
    with pytest.raises(RegistryError) as told:
        room.blobs.keep(NAME, blob)
    assert told.value.code is ErrorCode.BLOB_UNKNOWN


def test_its_bytes_go_once_nobody_can_still_be_reading(room: Room, collector: Collector) -> None:
    blob = room.push(b"forgotten")
    room.clock.now += DAY
    collect(collector)
    assert b"".join(room.blobs.read(blob, 0, 9)) == b"forgotten"
    assert collector.remove_bytes(lambda: None) == 0
    room.clock.now += 3600 * SECOND
    assert collector.remove_bytes(lambda: None) == 1
    with pytest.raises(BytesNotFound):
        b"".join(room.blobs.read(blob, 0, 9))


def test_what_a_manifest_names_stays(room: Room, collector: Collector) -> None:
    room.push(EMPTY)
    room.manifests.push(NAME, Tag.parse("1"), written(image()), content_type=None, origin=ANN)
    room.clock.now += 10 * DAY
    assert collect(collector).blobs == 0


def test_the_grace_begins_anew_with_the_last_reference(room: Room, collector: Collector) -> None:
    room.push(EMPTY)
    pushed = room.manifests.push(NAME, Tag.parse("1"), written(image()), content_type=None, origin=ANN)
    room.clock.now += 10 * DAY
    room.manifests.delete(NAME, pushed.digest, origin=ANN)
    room.clock.now += DAY - 1
    assert collect(collector).blobs == 0
    room.clock.now += 1
    assert collect(collector).blobs == 1


def test_a_look_or_a_mount_elsewhere_keeps_it(room: Room, collector: Collector) -> None:
    blob = room.push(b"wanted")
    room.clock.now += DAY - SECOND
    room.blobs.keep(NAME, blob)
    room.clock.now += DAY - SECOND
    assert collect(collector).blobs == 0
    assert room.blobs.mount(OTHER, blob.digest, NAME, origin=ANN) is not None
    room.clock.now += SECOND
    assert collect(collector).blobs == 0
    room.clock.now += DAY
    freed = collect(collector)
    assert dict(freed.by_repository) == {NAME.value: 6, OTHER.value: 6}


def test_a_push_between_the_look_and_the_lock_wins(room: Room, collector: Collector) -> None:
    """The candidates are read, then a manifest comes that names one: the transaction looks again."""
    room.push(EMPTY)
    room.push(b"forgotten")
    room.clock.now += DAY
    with room.catalog.read() as tx:
        candidates = list(collector.garbage())
        assert len(candidates) == 2 and tx.now
    room.manifests.push(NAME, Tag.parse("1"), written(image()), content_type=None, origin=ANN)
    with room.catalog.begin() as tx:
        taken = tx.garbage.collect([candidate.digest for candidate in candidates], tx.now - DAY)
    assert [blob.digest for blob in taken] == [Digest.of(b"forgotten")]


def test_a_digest_can_be_pushed_again(room: Room, collector: Collector) -> None:
    room.push(b"again")
    room.clock.now += DAY
    collect(collector)
    blob = room.push(b"again")
    room.clock.now += 3600 * SECOND
    collector.remove_bytes(lambda: None)
    assert b"".join(room.blobs.read(blob, 0, 5)) == b"again"


def test_many_go_in_several_transactions_and_a_stop_keeps_what_was_done(room: Room, collector: Collector) -> None:
    for number in range(BATCH + 5):
        room.push(str(number).encode())
    room.clock.now += DAY

    class Stop(Exception):
        pass

    def stop(_: Freed) -> None:
        raise Stop

    with pytest.raises(Stop):
        collect(collector, stop)
    assert stored(room) == 5
    rests: list[int] = []
    assert collect(collector, lambda freed: rests.append(freed.blobs)).blobs == 5
    assert stored(room) == 0 and rests == [5]
    for number in range(BATCH + 5):
        room.push(str(number).encode())
    room.clock.now += DAY
    assert collect(collector, lambda freed: rests.append(freed.blobs)).blobs == BATCH + 5
    assert rests == [5, BATCH, BATCH + 5]


def test_a_dry_walk_tells_all_and_changes_nothing(room: Room, collector: Collector) -> None:
    for number in range(BATCH + 5):
        room.push(str(number).encode())
    room.clock.now += DAY
    assert sum(candidate.size for candidate in collector.garbage()) == sum(len(str(n)) for n in range(BATCH + 5))
    assert stored(room) == BATCH + 5


def test_the_trail_and_the_journal_tell_what_went(room: Room, collector: Collector) -> None:
    blob = room.push(b"noted")
    room.clock.now += DAY
    collect(collector)
    with room.catalog.read() as tx:
        execute = tx.journal._connection.exec_driver_sql
        rows = execute("SELECT action, repository, old_digest FROM audit WHERE action = 'blob.collect'").all()
        lines = execute("SELECT kind, value FROM journal ORDER BY number DESC LIMIT 2").all()
    assert [tuple(row) for row in rows] == [("blob.collect", NAME.value, str(blob.digest))]
    assert {tuple(line) for line in lines} == {("link", None), ("key", None)}


def test_a_longer_grace_is_asked_of_the_same_rows(room: Room) -> None:
    room.push(b"young")
    room.clock.now += DAY
    patient = Collector(room.catalog, Audit(room.catalog, no_lines), room.uploads, timedelta(days=2))
    assert collect(patient).blobs == 0


def test_it_is_found_by_index(room: Room, collector: Collector) -> None:
    """What a collection costs depends on the garbage, not on what else there is."""
    room.push(b"forgotten")
    room.clock.now += DAY
    with planned(room.catalog) as lines:
        assert collect(collector).blobs == 1
    assert lines and scans(lines) == []
