"""Moving blobs between two stores, in both directions: complete, compared, and never in the way of anybody else."""

import pytest

from registry.content import moving as module
from registry.content.copying import Copier
from registry.content.flow import Flow
from registry.content.moving import Manner, Progress, Result
from registry.content.reception import ChunkRange, Reception
from storage.digest import Digest
from storage.errors import DigestMismatch
from tests.content.conftest import NAME
from tests.content.two_stores import CONTENTS, ROOT, House, house, once, spoil

__all__ = ["house"]


def test_everything_is_moved_and_the_old_bytes_go_when_their_time_has_come(house: House) -> None:
    blobs = [house.push(content) for content in CONTENTS]
    blobs.append(house.push(b"", algorithm="sha512"))
    blobs.append(house.push(b"long" * 1000, algorithm="sha512"))
    result = house.move()
    assert (result.moved, result.bytes, result.failures) == (len(blobs), sum(blob.size for blob in blobs), ())
    assert (result.left.blobs, result.left.uploads, result.left.replaced, result.stopped) == (0, 0, len(blobs), None)
    for blob in blobs:
        assert Digest.of(house.pulled(blob.digest), blob.digest.algorithm) == blob.digest
        assert house.blob(blob.digest).store == house.driver
        assert b"".join(house.stores[house.former].read(blob.key)) is not None  # for who has looked it up before
    assert house.swept() == house.rows()
    assert house.move().left.nothing


def test_a_second_run_finds_nothing_to_do(house: House) -> None:
    house.push(b"content")
    house.move()
    assert house.move() == Result(0, 0, (), house.moving().survey(), None)


def test_progress_counts_what_is_done(house: House) -> None:
    size = sum(house.push(content).size for content in CONTENTS)
    told: list[Progress] = []
    house.moving(Manner(parallel=1)).run(ROOT, told.append)
    assert (told[-1].blobs, told[-1].bytes) == (len(CONTENTS), size)
    assert (told[-1].of.blobs, told[-1].of.bytes) == (len(CONTENTS), size)


def test_a_survey_changes_nothing(house: House) -> None:
    house.push(b"content")
    before = house.everything()
    with house.catalog.begin() as tx:
        tx.placement.rename(house.former, "default", 10)  # as an older version wrote it
    assert (house.moving().survey().blobs, house.moving().survey().bytes) == (1, 7)
    assert house.everything() == before


def test_more_blobs_than_a_page_and_no_reading_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(Copier, "_compare", None)
    blobs = [house.push(content) for content in CONTENTS]
    assert house.move(Manner(parallel=3, read_back=False)).moved == len(blobs)


def test_it_is_told_in_the_trail(house: House) -> None:
    house.push(b"content")
    house.move()
    with house.catalog.read() as tx:
        (line,) = tx.audit.page(limit=1, action="storage.migrate")
    event = line.event
    assert (event.actor, event.reason) == ("root", f"1 blobs from {house.former} to {house.driver}")


def test_damage_is_told_and_left_alone_and_others_go_on(house: House) -> None:
    good = [house.push(content) for content in CONTENTS]
    corrupt, missing, short = house.push(b"corrupt"), house.push(b"missing"), house.push(b"short" * 1000)
    spoil(house, corrupt, b"Corrupt")
    spoil(house, missing, None)
    spoil(house, short, b"short" * 999)
    result = house.move()
    assert result.moved == len(good)
    reasons = {failure.digest: failure.reason for failure in result.failures}
    assert reasons == {
        corrupt.digest: f"its bytes have the digest {Digest.of(b'Corrupt')}",
        missing.digest: "its bytes are missing",
        short.digest: f"its bytes have the digest {Digest.of(b'short' * 999)}",
    }
    for blob in (corrupt, missing, short):
        assert house.blob(blob.digest) == blob
    assert (result.left.blobs, result.stopped) == (3, None)
    left = house.swept()
    assert left[house.driver] == house.rows()[house.driver]
    assert left[house.former] == {corrupt.key, short.key}


def test_a_push_heals_what_was_damaged_and_the_next_run_is_complete(house: House) -> None:
    blob = house.push(b"content")
    spoil(house, blob, b"Content")
    assert len(house.move().failures) == 1
    house.push(b"content", house.driver)
    assert house.move().left.blobs == 0
    assert house.pulled(blob.digest) == b"content"
    assert house.swept() == house.rows()


@pytest.mark.parametrize("moment", ["_opened", "_copied", "_committed", "_compare", "_name"])
@pytest.mark.parametrize("event", ["pushed anew", "pushed into the former store", "deleted", "damaged and healed"])
def test_whoever_is_quicker_than_the_copy_wins(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str, event: str
) -> None:
    """A push or a delete comes at each step of the copy: nothing is lost, nothing is left over."""
    blob = house.push(b"content" * 500)

    def meanwhile() -> None:
        if event == "deleted":
            house.unlink(blob)
        elif event == "pushed into the former store":
            house.push(b"content" * 500)
        else:
            if event == "damaged and healed" and moment != "_name":
                spoil(house, blob, b"Content" * 500)
            house.push(b"content" * 500, house.driver)

    monkeypatch.setattr(Copier, moment, once(getattr(Copier, moment), meanwhile))
    result = house.move()
    assert (result.failures, result.left.blobs, result.stopped) == ((), 0, None)
    if event != "deleted":
        assert house.pulled(blob.digest) == b"content" * 500
        assert house.blob(blob.digest).store == house.driver
    assert house.swept() == house.rows()


def test_an_upload_that_was_opened_before_ends_where_it_began_and_is_moved_then(house: House) -> None:
    old, new = house.uploads(house.former), house.uploads(house.driver)
    session_id = old.start(NAME, subject="ann")
    Reception(old, NAME, session_id, subject="ann", chunk=ChunkRange()).pause([b"first "])
    assert house.move().left.uploads == 1
    blob = Reception(new, NAME, session_id, subject="ann", chunk=ChunkRange()).finish(
        [b"last"], Digest.of(b"first last")
    )
    assert blob.store == house.former
    result = house.move()
    assert (result.moved, result.left.blobs, result.left.uploads) == (1, 0, 0)
    assert house.pulled(blob.digest) == b"first last"
    assert house.swept() == house.rows()


def test_a_blob_that_no_repository_holds_is_moved_too(house: House) -> None:
    blob = house.push(b"content")
    with house.catalog.begin() as tx:
        tx.blobs.unlink(tx.repositories.get(NAME).id, blob)
    assert house.move().moved == 1
    assert house.swept() == house.rows()


def test_a_mismatch_is_what_the_writer_says(house: House) -> None:
    """The comparison is the writer's: it publishes nothing that is not what the digest says."""
    writer = house.stores[house.driver].begin("0" * 32)
    writer.write(b"Content")
    with pytest.raises(DigestMismatch):
        writer.commit(Digest.of(b"content"))
    writer.abort()


def test_a_rate_holds_bytes_up() -> None:
    flow = Flow(1_000_000)
    assert list(flow.paced([b"1" * 10_000] * 3, lambda: None)) == [b"1" * 10_000] * 3
    assert flow._due(1_000_000) > 0.9


def test_a_move_that_others_push_beside_comes_to_an_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASSES", 1)
    house.push(CONTENTS[0])
    assert house.moving().run(ROOT, lambda _: None).moved == 1
