"""An upload session against a list of bytes: any order of calls, crashes among them, over each driver.

The model is three byte strings: what a suspend made durable, what the open writer has accepted, and what a commit has
published that no row names yet; beside them stand the rows, whose bytes must be there, whole, after every step.
"""

import os
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage.blobs import BlobStore, BlobWriter
from storage.digest import Digest
from storage.driver import Driver
from storage.errors import DigestMismatch, NotFound, Unsettled
from storage.filesystem import FilesystemDriver
from storage.layout import Layout
from storage.memory import MemoryDriver, MemoryWriter
from storage.upload import FileWriter
from tests.storage.store_contract import given

algorithms = st.sampled_from(["sha256", "sha512"])
FAST = Path("/dev/shm")


class UploadMachine(RuleBasedStateMachine):
    """One session after another; a subclass says over what."""

    reads_back = True

    def make_driver(self) -> Driver:
        """Give an empty driver."""
        raise NotImplementedError

    def crash_writer(self, writer: BlobWriter) -> None:
        """Do to a writer what the death of its process does: the hold goes, and nothing is tidied up."""
        raise NotImplementedError

    def kept_keys(self) -> set[str]:
        """List what is under keys."""
        raise NotImplementedError

    @initialize()
    def open_store(self) -> None:
        self.store = BlobStore(self.make_driver())
        self.rows: dict[str, bytes] = {}
        self.writer: BlobWriter | None = None
        self.strangers: set[str] = set()
        self.alive = False

    @property
    def resting(self) -> bool:
        return self.alive and self.writer is None

    @property
    def writing(self) -> bool:
        return self.writer is not None

    @precondition(lambda self: not self.alive)
    @rule(algorithm=algorithms, at_once=st.booleans())
    def begin(self, algorithm: str, at_once: bool) -> None:
        self.upload_id = uuid.uuid4().hex
        self.algorithm = algorithm
        self.durable = self.accepted = b""
        self.published: bytes | None = None
        self.alive = True
        writer = self.store.begin(self.upload_id, algorithm)
        if at_once:
            self.writer = writer
            self.state = None
        else:
            self.state = writer.suspend()

    @precondition(lambda self: self.resting)
    @rule()
    def resume(self) -> None:
        assert self.state is not None
        if self.published is not None and len(self.published) != len(self.durable):
            with pytest.raises(Unsettled):
                self.store.resume(self.upload_id, given(self.state))
            return
        self.writer = self.store.resume(self.upload_id, given(self.state))
        self.accepted = self.durable
        assert self.writer.offset == len(self.durable)

    @precondition(lambda self: self.writing)
    @rule(data=st.binary(max_size=40))
    def write(self, data: bytes) -> None:
        assert self.writer is not None
        if self.published is not None:
            with pytest.raises(Unsettled):
                self.writer.write(data)
            self.close()
            return
        self.writer.write(data)
        self.accepted += data
        assert self.writer.offset == len(self.accepted)

    @precondition(lambda self: self.writing)
    @rule()
    def suspend(self) -> None:
        assert self.writer is not None
        self.state = self.writer.suspend()
        self.durable = self.accepted
        self.writer = None

    @precondition(lambda self: self.writing)
    @rule()
    def checkpoint(self) -> None:
        assert self.writer is not None
        self.state = self.writer.checkpoint()
        self.durable = self.accepted

    @precondition(lambda self: self.writing)
    @rule()
    def suspend_and_forget_the_state(self) -> None:
        """The process dies before its row: the older state is the true one."""
        assert self.writer is not None
        self.writer.suspend()
        self.rest()

    @precondition(lambda self: self.writing)
    @rule()
    def close(self) -> None:
        assert self.writer is not None
        self.writer.close()
        self.rest()

    @precondition(lambda self: self.writing)
    @rule()
    def crash(self) -> None:
        assert self.writer is not None
        self.crash_writer(self.writer)
        self.rest()

    @precondition(lambda self: self.writing)
    @rule()
    def abort(self) -> None:
        assert self.writer is not None
        self.writer.abort()
        self.writer = None
        if self.published is not None:
            self.give_up(tell=True)
        self.alive = False

    @precondition(lambda self: self.writing)
    @rule(algorithm=algorithms)
    def commit(self, algorithm: str) -> None:
        self.rows[self.commit_bytes(algorithm)] = self.accepted
        assert self.writer is not None
        self.writer.abort()
        if self.published is not None:  # under another key, perhaps
            self.strangers.add(self.upload_id)
        self.writer = None
        self.alive = False

    @precondition(lambda self: self.writing)
    @rule(algorithm=algorithms)
    def commit_and_crash_after_the_row(self, algorithm: str) -> None:
        self.rows[self.commit_bytes(algorithm)] = self.accepted
        assert self.writer is not None
        self.crash_writer(self.writer)
        self.strangers.add(self.upload_id)
        self.writer = None
        self.alive = False

    @precondition(lambda self: self.writing)
    @rule(algorithm=algorithms)
    def commit_and_crash_before_the_row(self, algorithm: str) -> None:
        self.commit_bytes(algorithm)
        self.published = self.accepted
        assert self.writer is not None
        self.crash_writer(self.writer)
        self.rest()

    @precondition(lambda self: self.writing)
    @rule(algorithm=algorithms)
    def commit_with_the_wrong_digest(self, algorithm: str) -> None:
        assert self.writer is not None
        with pytest.raises(DigestMismatch) as caught:
            self.writer.commit(Digest.of(self.accepted + b"!", algorithm))
        assert caught.value.actual == Digest.of(self.accepted, algorithm)
        if not self.reads_back and algorithm != self.algorithm:
            self.published = self.accepted
            self.close()

    @precondition(lambda self: self.resting)
    @rule()
    def settle(self) -> None:
        known = self.store.settle(self.upload_id, lambda key: key in self.rows)
        assert known == ()
        was_published, self.published = self.published is not None, None
        if was_published and not self.reads_back and self.durable:
            try:
                self.resume()
            except NotFound:  # its parts went into the key
                self.store.discard(self.upload_id, self.state)
                self.alive = False

    @precondition(lambda self: self.resting)
    @rule(tell=st.booleans())
    def give_up(self, tell: bool) -> None:
        self.store.settle(self.upload_id, lambda key: key in self.rows)
        self.store.discard(self.upload_id, self.state if tell else None)
        self.alive = False

    @precondition(lambda self: self.strangers)
    @rule()
    def sweep(self) -> None:
        """Remove what uploads hold that the catalog has forgotten, as the server's sweep does."""
        for upload_id in self.store.uploads():
            if not (self.alive and upload_id == self.upload_id):
                assert upload_id in self.strangers
                self.store.settle(upload_id, lambda key: key in self.rows)
                self.store.discard(upload_id, None)
        self.strangers.clear()

    @invariant()
    def every_row_has_its_bytes(self) -> None:
        for key, data in getattr(self, "rows", {}).items():
            assert b"".join(self.store.read(key)) == data
            assert self.store.stat(key) == len(data)

    def commit_bytes(self, algorithm: str) -> str:
        """Commit what was accepted, and return the key."""
        assert self.writer is not None
        digest = Digest.of(self.accepted, algorithm)
        stored = self.writer.commit(digest)
        assert (stored.size, stored.digest) == (len(self.accepted), digest)
        return stored.key

    def rest(self) -> None:
        """Note that the writer is gone, and that a session which was never suspended went with it."""
        self.writer = None
        if self.state is None:
            self.store.settle(self.upload_id, lambda key: key in self.rows)
            self.store.discard(self.upload_id, None)
            self.alive = False

    def teardown(self) -> None:
        """When all is settled and swept, exactly the rows' bytes are left."""
        if not hasattr(self, "store"):
            return
        if self.writer is not None:
            self.crash_writer(self.writer)
        for upload_id in list(self.store.uploads()):
            self.store.settle(upload_id, lambda key: key in self.rows)
            self.store.discard(upload_id, None)
        if self.alive:
            self.store.settle(self.upload_id, lambda key: key in self.rows)
        assert self.kept_keys() == set(self.rows)
        assert list(self.store.uploads()) == []


class FilesystemMachine(UploadMachine):
    """Over files, in memory where there is such a place: this is about order, not about power cuts."""

    def make_driver(self) -> Driver:
        self.directory = tempfile.TemporaryDirectory(dir=FAST if os.access(FAST, os.W_OK) else None)
        self.root = Layout.open(Path(self.directory.name), create=True).root
        return FilesystemDriver(self.root, reserve=0)

    def crash_writer(self, writer: BlobWriter) -> None:
        inner = writer._writer
        assert isinstance(inner, FileWriter)
        if inner._fd is not None:
            os.close(inner._fd)
            inner._fd = None

    def kept_keys(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.glob("blobs/*/*/*")}

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.directory.cleanup()


class MemoryMachine(UploadMachine):
    """Over parts of ten bytes."""

    reads_back = False

    def make_driver(self) -> Driver:
        self.driver = MemoryDriver(part_size=10)
        return self.driver

    def crash_writer(self, writer: BlobWriter) -> None:
        assert isinstance(writer._writer, MemoryWriter)
        self.driver.let_go(writer.upload_id)

    def kept_keys(self) -> set[str]:
        return set(self.driver.objects)


TestFilesystemUploads = FilesystemMachine.TestCase
TestMemoryUploads = MemoryMachine.TestCase
TestFilesystemUploads.settings = settings(max_examples=50, stateful_step_count=30)
TestMemoryUploads.settings = settings(max_examples=100, stateful_step_count=40)
