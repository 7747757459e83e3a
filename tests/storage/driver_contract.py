"""The promises of `storage.driver`, one test a sentence; each driver's test file subclasses `DriverContract`.

A driver that breaks a promise fails here: tests/storage/test_contract_strength.py breaks them one by one to see it.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.digest import Digest
from storage.driver import Driver, ReadBack, Writer
from storage.errors import Busy, NotFound, Unavailable, Unsettled

BLOCK = 1 << 20


def new_id() -> str:
    """Return an upload id that was never used."""
    return uuid.uuid4().hex


def at(offset: int, state: bytes) -> Callable[[], tuple[int, bytes]]:
    """Say where a checkpoint was, when asked."""
    return lambda: (offset, state)


def publish(driver: Driver, data: bytes) -> str:
    """Upload bytes in one go and return their key."""
    writer = driver.begin(new_id())
    writer.write(memoryview(data))
    key = writer.commit(Digest.of(data))
    writer.abort()
    return key


def whole(driver: Driver, key: str) -> bytes:
    """Read everything under a key."""
    return b"".join(driver.read(key, 0, None))


def suspend(writer: Writer) -> bytes:
    """Make a checkpoint and release the upload."""
    state = writer.checkpoint()
    writer.close()
    return state


class DriverContract:
    """What every driver does. A subclass gives the `driver` fixture."""

    reads_back = True
    """Whether its writers can read what is not published."""

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        """Give an empty driver."""
        raise NotImplementedError

    @pytest.fixture
    def upload_id(self) -> str:
        """Give an upload id that was never used."""
        return new_id()

    # begin, write

    def test_begin_leaves_nothing_behind(self, driver: Driver, upload_id: str) -> None:
        driver.begin(upload_id).close()
        assert list(driver.uploads()) == []

    def test_second_writer_of_a_new_upload_is_busy_at_the_latest_when_it_writes(
        self, driver: Driver, upload_id: str
    ) -> None:
        first = driver.begin(upload_id)
        first.write(memoryview(b"one"))
        with pytest.raises(Busy):
            driver.begin(upload_id).write(memoryview(b"two"))
        key = first.commit(Digest.of(b"one"))
        first.abort()
        assert whole(driver, key) == b"one"

    def test_bytes_arrive_in_order_whatever_the_blocks(self, driver: Driver, upload_id: str) -> None:
        data = bytes(range(256)) * 100
        writer = driver.begin(upload_id)
        start = 0
        for size in (1, 9, 10, 11, 0, 100, len(data)):
            writer.write(memoryview(data)[start : start + size])
            start += size
        key = writer.commit(Digest.of(data))
        writer.abort()
        assert whole(driver, key) == data

    # suspend, resume

    @pytest.mark.parametrize("data", [b"", b"a", b"a" * 10, b"a" * 25])
    def test_suspended_upload_goes_on(self, driver: Driver, upload_id: str, data: bytes) -> None:
        writer = driver.begin(upload_id)
        if data:
            writer.write(memoryview(data))
        state = suspend(writer)
        writer = driver.resume(upload_id, at(len(data), state))
        writer.write(memoryview(b"more"))
        state = suspend(writer)
        writer = driver.resume(upload_id, at(len(data) + 4, state))
        key = writer.commit(Digest.of(data + b"more"))
        writer.abort()
        assert whole(driver, key) == data + b"more"

    def test_upload_that_never_got_a_byte_can_always_be_resumed(self, driver: Driver, upload_id: str) -> None:
        state = suspend(driver.begin(upload_id))
        driver.discard(upload_id, state)
        writer = driver.resume(upload_id, at(0, state))
        writer.write(memoryview(b"bytes"))
        key = writer.commit(Digest.of(b"bytes"))
        writer.abort()
        assert whole(driver, key) == b"bytes"

    def test_bytes_after_the_suspend_are_undone(self, driver: Driver, upload_id: str) -> None:
        for kept in (b"", b"kept" * 7):
            writer = driver.begin(upload_id)
            if kept:
                writer.write(memoryview(kept))
            state = suspend(writer)
            for _ in range(2):
                writer = driver.resume(upload_id, at(len(kept), state))
                writer.write(memoryview(b"lost" * 20))
                writer.close()
            writer = driver.resume(upload_id, at(len(kept), state))
            writer.write(memoryview(b"new"))
            key = writer.commit(Digest.of(kept + b"new"))
            writer.abort()
            assert whole(driver, key) == kept + b"new"
            driver.delete(key)

    def test_older_state_undoes_a_later_suspend(self, driver: Driver, upload_id: str) -> None:
        """A process that dies between a suspend and its row leaves the older state as the true one."""
        writer = driver.begin(upload_id)
        writer.write(memoryview(b"x" * 13))
        older = suspend(writer)
        writer = driver.resume(upload_id, at(13, older))
        writer.write(memoryview(b"y" * 13))
        suspend(writer)
        writer = driver.resume(upload_id, at(13, older))
        writer.write(memoryview(b"z"))
        key = writer.commit(Digest.of(b"x" * 13 + b"z"))
        writer.abort()
        assert whole(driver, key) == b"x" * 13 + b"z"

    def test_resume_is_busy_while_another_writer_is_open(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        writer = driver.resume(upload_id, at(3, state))
        with pytest.raises(Busy):
            driver.resume(upload_id, at(3, state))
        writer.close()
        driver.resume(upload_id, at(3, state)).close()

    def test_resume_without_its_bytes_is_not_found(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        driver.discard(upload_id, state)
        for _ in range(2):
            with pytest.raises(NotFound):
                driver.resume(upload_id, at(3, state))

    def test_resume_with_fewer_bytes_than_its_offset_is_not_found(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        for _ in range(2):
            with pytest.raises(NotFound):
                driver.resume(upload_id, at(4, state))

    def test_resume_asks_where_once_it_holds_the_upload(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")

        def where() -> tuple[int, bytes]:
            with pytest.raises(Busy):
                driver.discard(upload_id, state)
            return 3, state

        driver.resume(upload_id, where).abort()

    def test_resume_that_is_not_told_where_changes_nothing(self, driver: Driver, upload_id: str) -> None:
        def where() -> tuple[int, bytes]:
            raise LookupError

        with pytest.raises(LookupError):
            driver.resume(upload_id, where)
        assert list(driver.uploads()) == []
        state = self.suspended(driver, upload_id, b"a" * 25)
        with pytest.raises(LookupError):
            driver.resume(upload_id, where)
        writer = driver.resume(upload_id, at(25, state))
        key = writer.commit(Digest.of(b"a" * 25))
        writer.abort()
        assert whole(driver, key) == b"a" * 25

    def test_checkpoint_keeps_the_upload_held(self, driver: Driver, upload_id: str) -> None:
        writer = driver.begin(upload_id)
        writer.write(memoryview(b"abc"))
        state = writer.checkpoint()
        with pytest.raises(Busy):
            driver.resume(upload_id, at(3, state))
        writer.write(memoryview(b"lost"))
        writer.close()
        writer = driver.resume(upload_id, at(3, state))
        key = writer.commit(Digest.of(b"abc"))
        writer.abort()
        assert whole(driver, key) == b"abc"

    # commit

    def test_nothing_is_visible_before_the_commit(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"bytes" * 10)
        assert driver.settle(upload_id, lambda _key: True) == ()
        key = self.committed(driver, upload_id, b"bytes" * 10, state)
        driver.settle(upload_id, lambda _key: False)
        driver.discard(upload_id, None)
        self.suspended(driver, upload_id, b"bytes" * 10)
        with pytest.raises(NotFound):
            driver.stat(key)

    def test_empty_upload_can_be_committed(self, driver: Driver, upload_id: str) -> None:
        writer = driver.begin(upload_id)
        key = writer.commit(Digest.of(b""))
        writer.abort()
        assert driver.stat(key) == 0
        assert whole(driver, key) == b""
        assert list(driver.uploads()) == []

    def test_key_is_never_used_twice(self, driver: Driver) -> None:
        keys = {publish(driver, b"the same") for _ in range(3)}
        assert len(keys) == 3
        gone = keys.pop()
        driver.delete(gone)
        assert publish(driver, b"the same") not in {gone, *keys}

    def test_commit_keeps_the_upload_held_until_abort(self, driver: Driver, upload_id: str) -> None:
        writer = driver.begin(upload_id)
        writer.write(memoryview(b"bytes"))
        key = writer.commit(Digest.of(b"bytes"))
        with pytest.raises(Busy):
            driver.settle(upload_id, lambda _key: True)
        with pytest.raises(Busy):
            driver.discard(upload_id, None)
        writer.abort()
        assert set(driver.settle(upload_id, lambda _key: True)) <= {key}

    def test_commit_repeated_after_a_crash_gives_the_same_key(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"bytes")
        keys = set()
        for _ in range(3):
            writer = driver.resume(upload_id, at(5, state))
            keys.add(writer.commit(Digest.of(b"bytes")))
            writer.close()
        writer = driver.resume(upload_id, at(5, state))
        writer.abort()
        assert len(keys) == 1
        assert whole(driver, keys.pop()) == b"bytes"

    # what was published is never changed

    def test_published_upload_takes_no_more_bytes(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"bytes")
        key = self.committed(driver, upload_id, b"bytes", state)
        writer = driver.resume(upload_id, at(5, state))
        with pytest.raises(Unsettled):
            writer.write(memoryview(b"!"))
        writer.close()
        assert whole(driver, key) == b"bytes"

    def test_published_upload_is_not_cut_back(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"by")
        writer = driver.resume(upload_id, at(2, state))
        writer.write(memoryview(b"tes"))
        key = writer.commit(Digest.of(b"bytes"))
        writer.close()
        for _ in range(2):
            with pytest.raises(Unsettled):
                driver.resume(upload_id, at(2, state))
        assert whole(driver, key) == b"bytes"

    # abort, close

    def test_abort_removes_the_upload(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"bytes" * 5)
        writer = driver.resume(upload_id, at(25, state))
        assert list(driver.uploads()) == [upload_id]
        writer.abort()
        assert list(driver.uploads()) == []
        with pytest.raises(NotFound):
            driver.resume(upload_id, at(25, state))

    def test_abort_after_commit_leaves_what_was_published(self, driver: Driver, upload_id: str) -> None:
        writer = driver.begin(upload_id)
        writer.write(memoryview(b"bytes"))
        key = writer.commit(Digest.of(b"bytes"))
        writer.abort()
        assert whole(driver, key) == b"bytes"
        assert list(driver.uploads()) == []

    @pytest.mark.parametrize("last", ["begin", "write", "suspend", "commit", "abort", "close"])
    def test_abort_and_close_are_harmless_at_any_time(self, driver: Driver, upload_id: str, last: str) -> None:
        for end in ("abort", "close"):
            writer = driver.begin(upload_id)
            if last != "begin":
                writer.write(memoryview(b"bytes"))
            key = None
            if last == "suspend":
                suspend(writer)
            elif last == "commit":
                key = writer.commit(Digest.of(b"bytes"))
            elif last in ("abort", "close"):
                getattr(writer, last)()
            for _ in range(2):
                getattr(writer, end)()
            if key is not None:
                assert whole(driver, key) == b"bytes"
                driver.delete(key)
            driver.discard(upload_id, None)

    def test_ending_a_released_writer_does_not_touch_the_next_one(self, driver: Driver, upload_id: str) -> None:
        old = driver.begin(upload_id)
        old.write(memoryview(b"abc"))
        state = suspend(old)
        new = driver.resume(upload_id, at(3, state))
        old.abort()
        old.close()
        with pytest.raises(Busy):
            driver.resume(upload_id, at(3, state))
        new.write(memoryview(b"d"))
        key = new.commit(Digest.of(b"abcd"))
        new.abort()
        assert whole(driver, key) == b"abcd"

    # discard, settle, uploads

    def test_discard_is_idempotent(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        for known_state in (state, state, None):
            driver.discard(upload_id, known_state)
        assert list(driver.uploads()) == []

    def test_discard_is_busy_while_a_writer_is_open(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        writer = driver.resume(upload_id, at(3, state))
        with pytest.raises(Busy):
            driver.discard(upload_id, state)
        writer.close()
        driver.discard(upload_id, state)

    def test_discard_leaves_what_was_published(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        key = self.committed(driver, upload_id, b"abc", state)
        driver.discard(upload_id, state)
        assert whole(driver, key) == b"abc"

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_settle_finds_the_key_of_a_commit_that_was_cut_short(
        self, driver: Driver, upload_id: str, algorithm: str
    ) -> None:
        data = b"abc" * 500_000
        state = self.suspended(driver, upload_id, data)
        key = self.committed(driver, upload_id, data, state, algorithm)
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
        state = self.suspended(driver, upload_id, b"abc")
        key = self.committed(driver, upload_id, b"abc", state)
        assert driver.settle(upload_id, lambda candidate: candidate == key) == (key,)
        assert whole(driver, key) == b"abc"

    def test_settle_deletes_the_key_that_nobody_knows(self, driver: Driver, upload_id: str) -> None:
        state = self.suspended(driver, upload_id, b"abc")
        key = self.committed(driver, upload_id, b"abc", state)
        assert driver.settle(upload_id, lambda _key: False) == ()
        with pytest.raises(NotFound):
            driver.stat(key)
        assert driver.settle(upload_id, lambda _key: False) == ()

    def test_settled_upload_can_start_again(self, driver: Driver, upload_id: str) -> None:
        """From the first byte always; further on only where the driver still has the bytes."""
        state = suspend(driver.begin(upload_id))
        self.committed(driver, upload_id, b"abc", state, offset=0)
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
        state = self.suspended(driver, upload_id, b"abc")
        self.committed(driver, upload_id, b"abc", state)

        def known(_key: str) -> bool:
            with pytest.raises(Busy):
                driver.resume(upload_id, at(3, state))
            return True

        assert len(driver.settle(upload_id, known)) == 1

    def test_uploads_names_those_that_hold_something(self, driver: Driver) -> None:
        ids = [new_id() for _ in range(3)]
        for upload_id in ids:
            self.suspended(driver, upload_id, b"a" * 25)
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
        state = self.suspended(driver, upload_id, b"abc")

        def attempt(_number: int) -> Writer | None:
            try:
                return driver.resume(upload_id, at(3, state))
            except Busy:
                return None

        with ThreadPoolExecutor(8) as pool:
            winners = [writer for writer in pool.map(attempt, range(32)) if writer is not None]
        assert len(winners) == 1
        winners[0].abort()

    # steps

    def suspended(self, driver: Driver, upload_id: str, data: bytes) -> bytes:
        """Begin an upload, write, suspend, and return the state."""
        writer = driver.begin(upload_id)
        writer.write(memoryview(data))
        return suspend(writer)

    def committed(
        self,
        driver: Driver,
        upload_id: str,
        data: bytes,
        state: bytes,
        algorithm: str = "sha256",
        offset: int | None = None,
    ) -> str:
        """Resume an upload, commit it, and crash before the abort; return the key."""
        start = len(data) if offset is None else offset
        writer = driver.resume(upload_id, at(start, state))
        if data[start:]:
            writer.write(memoryview(data)[start:])
        key = writer.commit(Digest.of(data, algorithm))
        writer.close()
        return key
