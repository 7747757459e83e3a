"""The promises of `storage.blobs`, one test a sentence, over any driver."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from storage.blobs import BlobStore, StoredBlob
from storage.digest import Digest, UnsupportedAlgorithm
from storage.errors import Busy, DigestMismatch, NotFound, StorageError, Unavailable, Unsettled
from storage.hashing import Hasher


def whole(store: BlobStore, key: str) -> bytes:
    """Read a blob."""
    return b"".join(store.read(key))


def given(state: bytes) -> Callable[[], bytes]:
    """Give a state when asked."""
    return lambda: state


class BlobStoreContract:
    """What the store does over every driver. A subclass gives the `store` fixture."""

    reads_back = True
    """Whether the driver can read what is not published."""

    @pytest.fixture
    def store(self) -> Iterator[BlobStore]:
        """Give an empty store."""
        raise NotImplementedError

    @pytest.fixture
    def upload_id(self) -> str:
        """Give an upload id that was never used."""
        return uuid.uuid4().hex

    def test_one_go(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            assert (writer.upload_id, writer.offset) == (upload_id, 0)
            for block in (b"hello", bytearray(b" "), memoryview(b"world")):
                writer.write(block)
            assert writer.offset == 11
            digest = Digest.of(b"hello world")
            stored = writer.commit(digest)
            writer.abort()
        assert stored == StoredBlob(stored.key, 11, digest)
        assert store.stat(stored.key) == 11
        assert whole(store, stored.key) == b"hello world"
        assert b"".join(store.read(stored.key, 6)) == b"world"
        assert b"".join(store.read(stored.key, 0, 5)) == b"hello"
        assert list(store.uploads()) == []

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_in_pieces_by_many_processes(self, store: BlobStore, upload_id: str, algorithm: str) -> None:
        data = hashlib.shake_128(b"pieces").digest(300_000)
        state = store.begin(upload_id, algorithm).suspend()
        cuts = [0, 0, 1, 63, 64, 65, 128, 1000, 200_000, len(data)]
        for start, stop in pairwise(cuts):
            with store.resume(upload_id, given(state)) as writer:
                assert writer.offset == start
                writer.write(data[start:stop])
                state = writer.suspend()
        with store.resume(upload_id, given(state)) as writer:
            stored = writer.commit(Digest.of(data, algorithm))
            writer.abort()
        assert whole(store, stored.key) == data

    def test_state_is_compact(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id, "sha512") as writer:
            writer.write(bytes(1000))
            assert len(writer.suspend()) < 300

    @pytest.mark.parametrize(("announced", "named"), [("sha256", "sha512"), ("sha512", "sha256")])
    def test_digest_of_another_algorithm_than_announced(
        self, store: BlobStore, upload_id: str, announced: str, named: str
    ) -> None:
        with store.begin(upload_id, announced) as writer:
            writer.write(b"some bytes" * 200)
            stored = writer.commit(Digest.of(b"some bytes" * 200, named))
            writer.abort()
        assert whole(store, stored.key) == b"some bytes" * 200

    def test_wrong_digest_publishes_nothing_and_the_upload_goes_on(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            with pytest.raises(DigestMismatch) as caught:
                writer.commit(Digest.of(b"abd"))
            assert (caught.value.expected, caught.value.actual) == (Digest.of(b"abd"), Digest.of(b"abc"))
            state = writer.suspend()
        assert store.published(upload_id, state) == ()
        with store.resume(upload_id, given(state)) as writer:
            stored = writer.commit(Digest.of(b"abc"))
            writer.abort()
        assert whole(store, stored.key) == b"abc"

    def test_wrong_digest_of_another_algorithm(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            with pytest.raises(DigestMismatch) as caught:
                writer.commit(Digest.of(b"abd", "sha512"))
            assert caught.value.actual == Digest.of(b"abc", "sha512")
            if self.reads_back:
                stored = writer.commit(Digest.of(b"abc"))
                assert whole(store, stored.key) == b"abc"
                writer.abort()
                assert store.published(upload_id, None) == ()
            else:
                with pytest.raises(RuntimeError, match="dead"):
                    writer.commit(Digest.of(b"abc"))
        if not self.reads_back:
            assert len(store.published(upload_id, None)) == 1
            assert store.settle(upload_id, lambda _key: False) == ()
            assert store.published(upload_id, None) == ()
        assert list(store.uploads()) == []

    def test_hash_that_this_machine_cannot_load_costs_one_reading(
        self, store: BlobStore, upload_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc" * 100)
            monkeypatch.setattr(Hasher, "save", lambda _self: None)
            state = writer.suspend()
        with store.resume(upload_id, given(state)) as writer:
            writer.write(b"def")
            state = writer.suspend()
        with store.resume(upload_id, given(state)) as writer:
            stored = writer.commit(Digest.of(b"abc" * 100 + b"def"))
            writer.abort()
        assert whole(store, stored.key) == b"abc" * 100 + b"def"

    def test_close_keeps_only_what_was_suspended(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"kept")
            state = writer.suspend()
        with store.resume(upload_id, given(state)) as writer:
            writer.write(b"lost")
        with store.resume(upload_id, given(state)) as writer:
            assert writer.offset == 4
            stored = writer.commit(Digest.of(b"kept"))
            writer.abort()
        assert whole(store, stored.key) == b"kept"

    def test_second_writer_is_busy(self, store: BlobStore, upload_id: str) -> None:
        state = store.begin(upload_id).suspend()
        with store.resume(upload_id, given(state)) as writer:
            writer.write(b"a")
            with pytest.raises(Busy):
                store.resume(upload_id, given(state))
            with pytest.raises(Busy):
                store.discard(upload_id, state)
            with pytest.raises(Busy):
                store.published(upload_id, state)

    def test_crash_between_commit_and_row(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            state = writer.suspend()
        with store.resume(upload_id, given(state)) as writer:
            first = writer.commit(Digest.of(b"abc"))
        assert store.published(upload_id, state) == (first.key,)
        with store.resume(upload_id, given(state)) as writer:
            assert writer.commit(Digest.of(b"abc")) == first
            writer.abort()
        assert whole(store, first.key) == b"abc"
        assert set(store.published(upload_id, state)) <= {first.key}

    def test_crash_between_commit_and_row_with_other_bytes_then(self, store: BlobStore, upload_id: str) -> None:
        state = store.begin(upload_id).suspend()
        with store.resume(upload_id, given(state)) as writer:
            writer.write(b"abc")
            first = writer.commit(Digest.of(b"abc"))
        with pytest.raises(Unsettled):
            store.resume(upload_id, given(state))
        assert store.settle(upload_id, lambda key: key == first.key) == (first.key,)
        assert store.settle(upload_id, lambda _key: False) == ()
        with store.resume(upload_id, given(state)) as writer:
            writer.write(b"other")
            stored = writer.commit(Digest.of(b"other"))
            writer.abort()
        assert whole(store, stored.key) == b"other"
        if stored.key != first.key:
            with pytest.raises(NotFound):
                store.stat(first.key)

    def test_discard(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            state = writer.suspend()
        for known in (state, None):
            store.discard(upload_id, known)
        with pytest.raises(NotFound):
            store.resume(upload_id, given(state))

    @pytest.mark.parametrize("end", ["suspend", "commit", "abort", "close"])
    def test_ended_writer_does_nothing_more(self, store: BlobStore, upload_id: str, end: str) -> None:
        writer = store.begin(upload_id)
        writer.write(b"abc")
        stored = writer.commit(Digest.of(b"abc")) if end == "commit" else None
        if end != "commit":
            getattr(writer, end)()
        with pytest.raises(RuntimeError, match="committed" if end == "commit" else "released"):
            writer.write(b"d")
        with pytest.raises(RuntimeError):
            writer.suspend()
        with pytest.raises(RuntimeError):
            writer.commit(Digest.of(b"abc"))
        for _ in range(2):
            writer.abort()
            writer.close()
        if stored is not None:
            assert whole(store, stored.key) == b"abc"
        store.discard(upload_id, None)

    def test_delete_is_idempotent(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            stored = writer.commit(Digest.of(b""))
            writer.abort()
        store.delete(stored.key)
        store.delete(stored.key)
        with pytest.raises(NotFound):
            store.stat(stored.key)
        with pytest.raises(NotFound):
            store.read(stored.key)

    @pytest.mark.parametrize("bad", ["", "x" * 32, "0" * 31, "0" * 33, "A" * 32, "../" + "0" * 29, "0" * 32 + "\n"])
    def test_what_is_no_upload_id_goes_nowhere(self, store: BlobStore, upload_id: str, bad: str) -> None:
        state = store.begin(upload_id).suspend()
        for call in (
            lambda: store.begin(bad),
            lambda: store.resume(bad, given(state)),
            lambda: store.discard(bad, None),
            lambda: store.published(bad, None),
        ):
            with pytest.raises(ValueError, match="32 lower-case"):
                call()

    @pytest.mark.parametrize(
        "bad", ["", "/etc/passwd", "blobs/../format", "blobs//a", "a/.", "..", "blobs/\0", "blobs/a\n", "blobs/é"]
    )
    def test_what_is_no_key_goes_nowhere(self, store: BlobStore, bad: str) -> None:
        for call in (store.stat, store.read, store.delete, store.local_path):
            with pytest.raises(NotFound):
                call(bad)

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (-1, 1), (2, 1)])
    def test_what_is_no_range_is_a_mistake(self, store: BlobStore, start: int, stop: int | None) -> None:
        with pytest.raises(ValueError, match="range"):
            store.read("blobs/a", start, stop)

    def test_unknown_algorithm_is_refused(self, store: BlobStore, upload_id: str) -> None:
        with pytest.raises(UnsupportedAlgorithm):
            store.begin(upload_id, "md5")

    def test_damaged_state_is_refused(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            state = writer.suspend()
        for bad in (b"", state[:5], b"\xff" + state[1:], state[:20]):
            with pytest.raises(StorageError):
                store.resume(upload_id, given(bad))
        with store.resume(upload_id, given(state)) as writer:
            assert writer.offset == 3

    def test_short_blob_is_an_error(self, store: BlobStore, upload_id: str) -> None:
        with store.begin(upload_id) as writer:
            writer.write(b"abc")
            stored = writer.commit(Digest.of(b"abc"))
            writer.abort()
        with pytest.raises(Unavailable):
            b"".join(store.read(stored.key, 0, 4))

    def test_health_and_name(self, store: BlobStore) -> None:
        assert store.health().writable
        assert store.name == "default"
