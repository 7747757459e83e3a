"""The promises of `storage.driver` about one upload, from `begin` to `abort`, one test a sentence."""

from collections.abc import Iterator

import pytest

from storage.digest import Digest
from storage.driver import Driver
from storage.errors import Busy, NotFound, Unsettled
from tests.storage.steps import at, committed, new_id, publish, suspend, suspended, whole


class UploadContract:
    """What every driver does with an upload. A subclass gives the `driver` fixture."""

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
        state = suspended(driver, upload_id, b"abc")
        writer = driver.resume(upload_id, at(3, state))
        with pytest.raises(Busy):
            driver.resume(upload_id, at(3, state))
        writer.close()
        driver.resume(upload_id, at(3, state)).close()

    def test_resume_without_its_bytes_is_not_found(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        driver.discard(upload_id, state)
        for _ in range(2):
            with pytest.raises(NotFound):
                driver.resume(upload_id, at(3, state))

    def test_resume_with_fewer_bytes_than_its_offset_is_not_found(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")
        for _ in range(2):
            with pytest.raises(NotFound):
                driver.resume(upload_id, at(4, state))

    def test_resume_asks_where_once_it_holds_the_upload(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"abc")

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
        state = suspended(driver, upload_id, b"a" * 25)
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
        state = suspended(driver, upload_id, b"bytes" * 10)
        assert driver.settle(upload_id, lambda _key: True) == ()
        key = committed(driver, upload_id, b"bytes" * 10, state)
        driver.settle(upload_id, lambda _key: False)
        driver.discard(upload_id, None)
        suspended(driver, upload_id, b"bytes" * 10)
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
        state = suspended(driver, upload_id, b"bytes")
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
        state = suspended(driver, upload_id, b"bytes")
        key = committed(driver, upload_id, b"bytes", state)
        writer = driver.resume(upload_id, at(5, state))
        with pytest.raises(Unsettled):
            writer.write(memoryview(b"!"))
        writer.close()
        assert whole(driver, key) == b"bytes"

    def test_published_upload_is_not_cut_back(self, driver: Driver, upload_id: str) -> None:
        state = suspended(driver, upload_id, b"by")
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
        state = suspended(driver, upload_id, b"bytes" * 5)
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
