"""A move that is killed, interrupted, swept away or out of luck: nothing is lost, and the next one is complete."""

from collections.abc import Callable, Generator
from datetime import timedelta

import pytest

from registry.catalog.blobs import Blob
from registry.catalog.errors import CatalogUnavailable, OutcomeUnknown
from registry.catalog.uploads import UploadSessions
from registry.content.copying import SUBJECT, Copier
from registry.content.moving import Manner, Progress
from storage.blobs import BlobWriter, StoredBlob
from storage.errors import Full, Unavailable
from tests.content.two_stores import CONTENTS, EXPIRY, ROOT, House, house, hurried, once

__all__ = ["house", "hurried"]


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("moment", ["_copied", "_committed", "_compare", "_named", "_name"])
def test_what_a_killed_move_leaves_is_found_by_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    blob = house.push(b"content" * 500)

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Copier, moment, once(getattr(Copier, moment), die))
        patch.setattr("registry.content.copying._Copy.undo", lambda copy, _uploads: copy.writer.close())
        with pytest.raises(Killed):
            house.move(Manner(parallel=1))
    with house.catalog.read() as tx:
        assert tx.uploads.count(SUBJECT) == 1
    assert house.blob(blob.digest) == blob
    result = house.move()
    assert (result.moved, result.left.blobs) == (1, 0)
    with house.catalog.read() as tx:
        assert tx.uploads.count(SUBJECT) == 0
    assert house.swept() == house.rows()


def test_the_sweep_alone_finds_it_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.push(b"content" * 500)
    with monkeypatch.context() as patch:
        patch.setattr("registry.content.copying._Copy.undo", lambda copy, _uploads: copy.writer.close())
        patch.setattr(Copier, "_named", once(Copier._named, lambda: (_ for _ in ()).throw(Killed())))
        with pytest.raises(Killed):
            house.move(Manner(parallel=1))
    assert len(house.everything()[house.driver]) >= 1
    assert house.swept() == house.rows()


def test_a_sweep_that_takes_a_copy_for_abandoned_costs_another_try(
    house: House, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    """On files the copy is held by its writer; where there are no such locks, the row decides."""
    blob = house.push(b"content" * 500)

    def sweep() -> None:
        house.clock.now += 2 * EXPIRY // timedelta(microseconds=1)
        house.memory._held.clear()  # a sweep of another process does not see who holds it
        house.uploads(house.driver).sweep_sessions()

    monkeypatch.setattr(Copier, "_named", once(Copier._named, sweep))
    result = house.move()
    assert (result.moved, result.stopped) == (1, None)
    assert house.pulled(blob.digest) == b"content" * 500
    assert house.swept() == house.rows()


def test_a_copy_that_takes_long_says_that_it_is_at_work(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.content.copying.TOUCHED_EVERY", -1.0)
    blob = house.push(b"content" * 500)

    def sweep() -> None:
        house.memory._held.clear()
        house.uploads(house.driver).sweep_sessions()

    def wait() -> None:
        house.clock.now += EXPIRY * 2 // 3 // timedelta(microseconds=1)
        sweep()

    keep = Copier._keep

    def kept(copier: Copier, copy: object) -> None:
        wait()
        keep(copier, copy)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Copier, "_keep", kept)
    tries: list[Blob] = []
    opened = Copier._opened

    def opening(copier: Copier, blob: Blob) -> object:
        tries.append(blob)
        return opened(copier, blob)

    monkeypatch.setattr(Copier, "_opened", opening)
    assert house.move(Manner(parallel=1)).moved == 1
    assert tries == [blob]


def failing(error: Exception, times: int, method: Callable[..., object]) -> Callable[..., object]:
    """Fail so many times, then work."""
    left = [error] * times

    def wrapped(*args: object, **kwargs: object) -> object:
        if left:
            raise left.pop()
        return method(*args, **kwargs)

    return wrapped


def test_trouble_that_passes_is_waited_out(house: House, monkeypatch: pytest.MonkeyPatch, hurried: None) -> None:
    blob = house.push(b"content" * 500)
    monkeypatch.setattr(BlobWriter, "write", failing(Unavailable("away"), 1, BlobWriter.write))
    result = house.move(Manner(parallel=1))
    assert (result.moved, result.stopped) == (1, None)
    assert house.pulled(blob.digest) == b"content" * 500
    assert house.swept() == house.rows()


@pytest.mark.parametrize(("error", "times"), [(Unavailable("away"), 2), (Full("only its reserve left"), 1)])
def test_trouble_that_stays_stops_the_move_which_can_be_run_again(
    house: House, monkeypatch: pytest.MonkeyPatch, hurried: None, error: Exception, times: int
) -> None:
    for content in CONTENTS:
        house.push(content)
    with monkeypatch.context() as patch:
        patch.setattr(BlobWriter, "write", failing(error, times, BlobWriter.write))
        result = house.move(Manner(parallel=1))
    assert (result.moved, result.stopped, result.left.blobs) == (0, str(error), len(CONTENTS))
    assert result.failures == ()
    assert house.everything()[house.driver] == set()
    assert house.move().left.blobs == 0
    assert house.swept() == house.rows()


def test_a_file_that_cannot_be_read_is_damage_and_a_store_that_is_away_is_not(
    house: House, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    house.push(b"content")
    source = house.stores[house.former]

    def away(key: str, start: int = 0, stop: int | None = None) -> Generator[bytes, None, None]:
        raise Unavailable("I/O error")

    monkeypatch.setattr(source, "read", away)
    result = house.move()
    if house.former == "files":
        assert [failure.reason for failure in result.failures] == ["its bytes cannot be read: I/O error"]
        assert result.stopped is None
    else:
        assert (result.failures, result.stopped) == ((), "I/O error")


def test_a_copy_that_reads_back_otherwise_is_not_named(
    house: House, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    blob = house.push(b"content")
    target = house.stores[house.driver]
    monkeypatch.setattr(target, "read", lambda key, start=0, stop=None: iter([b"Content"]))
    result = house.move()
    assert result.moved == 0
    assert result.stopped is not None and f"the copy of {blob.digest} reads back as" in result.stopped
    monkeypatch.undo()
    assert house.blob(blob.digest) == blob
    assert house.swept() == house.rows()


def test_a_database_that_is_away_is_waited_out_too(
    house: House, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    """At the first row, and where a COMMIT got lost, at the look whether it has happened."""
    blob = house.push(b"content")
    away = failing(CatalogUnavailable("away"), 1, UploadSessions.open)
    monkeypatch.setattr("registry.content.moving.PAUSES", (0.0, 0.0))
    monkeypatch.setattr(UploadSessions, "open", away)
    monkeypatch.setattr(Copier, "_name", failing(OutcomeUnknown("the connection broke"), 1, Copier._name))
    monkeypatch.setattr(UploadSessions, "settle", failing(OutcomeUnknown("again"), 1, UploadSessions.settle))
    result = house.move(Manner(parallel=1))
    assert (result.moved, result.stopped) == (1, None)
    assert house.pulled(blob.digest) == b"content"
    assert house.swept() == house.rows()


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_of_which_nothing_was_heard(
    house: House, monkeypatch: pytest.MonkeyPatch, hurried: None, committed: bool
) -> None:
    blob = house.push(b"content")
    name = Copier._name
    lost = [True]

    def name_and_lose(copier: Copier, session: object, moved: Blob, stored: StoredBlob) -> bool:
        if not lost:
            return name(copier, session, moved, stored)  # type: ignore[arg-type]  # as it came
        lost.pop()
        if committed:
            name(copier, session, moved, stored)  # type: ignore[arg-type]  # as it came
        raise OutcomeUnknown("the connection broke")

    monkeypatch.setattr(Copier, "_name", name_and_lose)
    result = house.move()
    assert (result.moved, result.stopped) == (1, None)
    assert house.pulled(blob.digest) == b"content"
    assert house.swept() == house.rows()


def test_whoever_interrupts_it_finds_everything_in_its_place(house: House) -> None:
    blobs = [house.push(content) for content in CONTENTS]

    def enough(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        house.moving(Manner(rate=1000)).run(ROOT, enough)
    for blob, content in zip(blobs, CONTENTS, strict=True):
        assert house.pulled(blob.digest) == content
    assert house.move().left.blobs == 0
    assert house.swept() == house.rows()
