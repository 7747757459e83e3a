"""Drivers that break one promise each: the contract must notice every one, or it is too weak."""

import inspect
from collections.abc import Callable, Generator

import pytest

from storage.digest import Digest
from storage.driver import Writer
from storage.memory import MemoryDriver, MemoryWriter
from tests.storage.driver_contract import DriverContract
from tests.storage.steps import new_id


class _Shorting(MemoryDriver):
    """Reads short in silence."""

    def read(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        size = self.stat(key)
        return super().read(key, min(start, size), size if stop is None else min(stop, size))


class _Sharing(MemoryDriver):
    """Lets two writers have one upload."""

    def hold(self, upload_id: str) -> None:
        pass


class _Keeping(MemoryDriver):
    """Never undoes anything."""

    def resume(self, upload_id: str, where: Callable[[], tuple[int, bytes]]) -> Writer:
        self.hold(upload_id)
        offset, _ = where()
        return MemoryWriter(self, upload_id, offset, self.tails.get(upload_id, {}).get(offset, b""))


class _Reusing(MemoryDriver):
    """Names keys by content, so that one is used twice."""

    def begin(self, upload_id: str) -> Writer:
        self.hold(upload_id)
        return _ReusingWriter(self, upload_id, 0, b"")


class _ReusingWriter(MemoryWriter):
    def commit(self, digest: Digest) -> str:
        key = super().commit(digest)
        self._driver.objects[f"blobs/{digest.encoded}"] = self._driver.objects.pop(key)
        return f"blobs/{digest.encoded}"


class _Trusting(MemoryDriver):
    """Deletes whatever the answer."""

    def settle(self, upload_id: str, known: Callable[[str], bool]) -> tuple[str, ...]:
        return super().settle(upload_id, lambda _key: False)


class _Fussy(MemoryDriver):
    """Cannot delete twice."""

    def delete(self, key: str) -> None:
        del self.objects[key]


class _Late(MemoryDriver):
    """Notices a missing key only when bytes are asked for."""

    def read(self, key: str, start: int, stop: int | None) -> Generator[bytes, None, None]:
        yield from super().read(key, start, stop)


class _Leaking(MemoryDriver):
    """Leaves the upload after an abort."""

    def forget(self, upload_id: str) -> None:
        pass


@pytest.mark.xfail(strict=True, reason="this driver breaks the promise")
@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (_Shorting, "test_read_past_the_end_is_an_error_never_a_short_read"),
        (_Sharing, "test_resume_is_busy_while_another_writer_is_open"),
        (_Sharing, "test_second_writer_of_a_new_upload_is_busy_at_the_latest_when_it_writes"),
        (_Sharing, "test_discard_is_busy_while_a_writer_is_open"),
        (_Sharing, "test_commit_keeps_the_upload_held_until_abort"),
        (_Sharing, "test_settle_holds_the_upload"),
        (_Sharing, "test_of_many_writers_of_one_upload_one_wins"),
        (_Sharing, "test_ending_a_released_writer_does_not_touch_the_next_one"),
        (_Keeping, "test_bytes_after_the_suspend_are_undone"),
        (_Keeping, "test_older_state_undoes_a_later_suspend"),
        (_Keeping, "test_resume_without_its_bytes_is_not_found"),
        (_Keeping, "test_resume_with_fewer_bytes_than_its_offset_is_not_found"),
        (_Keeping, "test_published_upload_is_not_cut_back"),
        (_Reusing, "test_key_is_never_used_twice"),
        (_Trusting, "test_settle_keeps_the_key_that_somebody_knows"),
        (_Fussy, "test_delete_is_idempotent_and_removes_one_key_only"),
        (_Late, "test_what_is_missing_is_not_found"),
        (_Leaking, "test_abort_removes_the_upload"),
        (_Leaking, "test_discard_is_idempotent"),
        (_Leaking, "test_uploads_names_those_that_hold_something"),
    ],
)
def test_broken_driver_is_noticed(broken: type[MemoryDriver], promise: str) -> None:
    test = getattr(DriverContract(), promise)
    given = {"driver": broken(part_size=10), "upload_id": new_id()}
    test(**{name: given[name] for name in inspect.signature(test).parameters})
