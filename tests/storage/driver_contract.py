"""The promises of `storage.driver`, one test a sentence; each driver's test file subclasses `DriverContract`.

A driver that breaks a promise fails here: tests/storage/test_contract_strength.py breaks them one by one to see it.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.digest import Digest
from storage.driver import Driver, ReadBack, Writer
from storage.errors import Busy, NotFound, Unavailable, Unsettled
from tests.storage.steps import BLOCK, at, committed, new_id, publish, suspend, suspended, whole
from tests.storage.upload_contract import UploadContract


class DriverContract(UploadContract):
    """What every driver does, uploads included. A subclass gives the `driver` fixture."""

    reads_back = True
    """Whether its writers can read what is not published."""

    # discard, settle, uploads

    def test_discard_is_idempotent(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        for known_state in (state, state, None):
            driver.discard(upload_id, known_state)
        assert list(driver.uploads()) == []

    def test_discard_is_busy_while_a_writer_is_open(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        writer = driver.resume(upload_id, at(3, state))
        with pytest.raises(Busy):
            driver.discard(upload_id, state)
        writer.close()
        driver.discard(upload_id, state)

    def test_discard_leaves_what_was_published(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        key = committed(driver, upload_id, b"abc", state)
        driver.discard(upload_id, state)
        assert whole(driver, key) == b"abc"

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_settle_finds_the_key_of_a_commit_that_was_cut_short(
        self, driver: Driver, upload_id: str, algorithm: str
    ) -> None:
        data = b"abc" * 500_000
        state = suspended(driver, upload_id, data)
        key = committed(driver, upload_id, data, state, algorithm)
        asked: list[str] = []

        def known(candidate: str) -> bool:
            asked.append(candidate)
            return True

        assert driver.settle(upload_id, known) == (key,)
        assert asked == [key]
        assert whole(driver, key) == data
        driver.discard(upload_id, state)
        driver.delete(key)

    def test_settle_keeps_the_key_that_somebody_knows(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        key = committed(driver, upload_id, b"abc", state)
        assert driver.settle(upload_id, lambda candidate: candidate == key) == (key,)
        assert whole(driver, key) == b"abc"

    def test_settle_deletes_the_key_that_nobody_knows(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        key = committed(driver, upload_id, b"abc", state)
        assert driver.settle(upload_id, lambda _key: False) == ()
        with pytest.raises(NotFound):
            driver.stat(key)
        assert driver.settle(upload_id, lambda _key: False) == ()

    def test_settled_upload_can_start_again(self, driver: Driver, upload_id: str) -> None:
        """From the first byte always; further on only where the driver still has the bytes."""
        state = suspend(driver.begin(upload_id))
        committed(driver, upload_id, b"abc", state, offset=0)
        with pytest.raises(Unsettled):
            driver.resume(upload_id, at(0, state))
        driver.settle(upload_id, lambda _key: False)
        writer = driver.resume(upload_id, at(0, state))
        writer.write(memoryview(b"other"))
        key = writer.commit(Digest.of(b"other"))
        writer.abort()
        assert whole(driver, key) == b"other"

    def test_settle_of_what_never_was_finds_nothing(self, driver: Driver, upload_id: str) -> None:
        assert driver.settle(upload_id, lambda _key: True) == ()

    def test_settle_holds_the_upload(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        committed(driver, upload_id, b"abc", state)

        def known(_key: str) -> bool:
            with pytest.raises(Busy):
                driver.resume(upload_id, at(3, state))
            return True

        assert len(driver.settle(upload_id, known)) == 1

    def test_uploads_names_those_that_hold_something(self, driver: Driver) -> None:
        ids = [new_id() for _ in range(3)]
        for upload_id in ids:
            suspended(driver, upload_id, b"a" * 25)
        assert sorted(driver.uploads()) == sorted(ids)
        driver.discard(ids[0], None)
        assert sorted(driver.uploads()) == sorted(ids[1:])

    # keys

    def test_what_is_missing_is_not_found(self, driver: Driver) -> None:
        key = publish(driver, b"gone")
        driver.delete(key)
        for missing in (key, "blobs/none", f"{key}/below", "none"):
            with pytest.raises(NotFound) as caught:
                driver.stat(missing)
            assert caught.value.key == missing
            with pytest.raises(NotFound):
                driver.read(missing, 0, None)  # by the call itself, before a byte is asked for
            driver.delete(missing)

    def test_stat_gives_the_size(self, driver: Driver) -> None:
        assert driver.stat(publish(driver, b"x" * 1234)) == 1234

    def test_read_gives_any_range(self, driver: Driver) -> None:
        data = bytes(range(256)) * (12 << 10)  # 3 MiB
        key = publish(driver, data)
        for start, stop in ((0, 0), (0, 1), (5, 5), (7, 4000), (BLOCK - 1, BLOCK + 1), (0, len(data))):
            assert b"".join(driver.read(key, start, stop)) == data[start:stop]
        for start in (0, 1, BLOCK, len(data) - 1, len(data)):
            assert b"".join(driver.read(key, start, None)) == data[start:]

    def test_read_gives_blocks_of_at_most_a_mebibyte_and_none_empty(self, driver: Driver) -> None:
        key = publish(driver, bytes(3 * BLOCK + 1))
        assert [len(block) for block in driver.read(key, 0, None)] == [BLOCK, BLOCK, BLOCK, 1]

    def test_read_past_the_end_is_an_error_never_a_short_read(self, driver: Driver) -> None:
        key = publish(driver, b"0123456789")
        for start, stop in ((0, 11), (10, 11), (12, 20)):
            with pytest.raises(Unavailable):
                b"".join(driver.read(key, start, stop))

    def test_read_that_is_given_up_frees_what_it_held(self, driver: Driver) -> None:
        key = publish(driver, bytes(2 * BLOCK))
        driver.read(key, 0, None).close()
        blocks = driver.read(key, 0, None)
        next(blocks)
        blocks.close()
        driver.delete(key)

    def test_delete_is_idempotent_and_removes_one_key_only(self, driver: Driver) -> None:
        one, other = publish(driver, b"same"), publish(driver, b"same")
        driver.delete(one)
        driver.delete(one)
        assert whole(driver, other) == b"same"

    # the rest

    def test_read_back_gives_what_was_written_so_far(self, driver: Driver, upload_id: str) -> None:
        writer = driver.begin(upload_id)
        writer.write(memoryview(b"ab"))
        assert isinstance(writer, ReadBack) == self.reads_back
        if isinstance(writer, ReadBack):
            assert b"".join(writer.read_back()) == b"ab"
            writer.write(memoryview(bytes(BLOCK)))
            assert b"".join(writer.read_back()) == b"ab" + bytes(BLOCK)
        writer.abort()

    def test_health_of_a_sound_place(self, driver: Driver) -> None:
        health = driver.health()
        assert health.writable
        assert health.problem is None

    def test_many_threads_at_once(self, driver: Driver) -> None:
        contents = [f"{number}".encode() * 1000 for number in range(40)]
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda data: publish(driver, data), contents))
            assert list(pool.map(lambda key: whole(driver, key), keys)) == contents
        assert list(driver.uploads()) == []

    def test_of_many_writers_of_one_upload_one_wins(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")

        def attempt(_number: int) -> Writer | None:
            try:
                return driver.resume(upload_id, at(3, state))
            except Busy:
                return None

        with ThreadPoolExecutor(8) as pool:
            winners = [writer for writer in pool.map(attempt, range(32)) if writer is not None]
        assert len(winners) == 1
        winners[0].abort()
