"""The upload session over HTTP as a state machine, against a model that is a list of bytes.

Requests with right and wrong ranges, lengths and digests, clients that vanish, restarts between any two steps: after
each of them the session's status is what the model says, and what was closed is there whole.
"""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage.memory import MemoryDriver
from tests.spec.contents import digest_of
from tests.spec.registry import Registry, running

NAME = "team/app"
chunks = st.one_of(st.binary(max_size=40), st.binary(min_size=1, max_size=4).map(lambda part: part * 700))
algorithms = st.sampled_from(["sha256", "sha512"])


class Uploading(RuleBasedStateMachine):
    """One session at a time, and every blob that was closed."""

    memory = False

    def __init__(self) -> None:
        super().__init__()
        shared = Path("/dev/shm")
        self.data = Path(tempfile.mkdtemp(prefix="moorage-", dir=shared if shared.is_dir() else None))
        self.driver = MemoryDriver(part_size=500) if self.memory else None
        self.stack = ExitStack()
        self.registry: Registry = self.stack.enter_context(running(self.data / "data", driver=self.driver))
        self.location: str | None = None
        self.content = b""
        self.algorithm = "sha256"
        self.blobs: dict[str, bytes] = {}

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.data)

    @initialize()
    def begin(self) -> None:
        self.open("sha256")

    @precondition(lambda self: self.location is None)
    @rule(algorithm=algorithms)
    def open(self, algorithm: str) -> None:
        self.location = self.registry.start(NAME, f"?digest-algorithm={algorithm}")
        self.algorithm = algorithm
        self.content = b""

    @precondition(lambda self: self.location is not None)
    @rule(chunk=chunks, ranged=st.booleans(), streamed=st.booleans())
    def patch(self, chunk: bytes, ranged: bool, streamed: bool) -> None:
        start = len(self.content)
        headers = {"content-range": f"{start}-{start + len(chunk) - 1}"} if ranged and chunk else {}
        body = [chunk[:7], chunk[7:]] if streamed else chunk
        answer = self.registry.request("PATCH", self.address(), body, headers).expect(202)
        self.content += chunk
        assert answer["range"] == self.progress()

    @precondition(lambda self: self.location is not None)
    @rule(start=st.integers(0, 3000), chunk=st.binary(min_size=1, max_size=9), method=st.sampled_from(["PATCH", "PUT"]))
    def out_of_order(self, start: int, chunk: bytes, method: str) -> None:
        if start == len(self.content):
            start += 1
        headers = {"content-range": f"{start}-{start + len(chunk) - 1}"}
        target = f"{self.address()}?digest={digest_of(self.content + chunk)}"
        answer = self.registry.request(method, target, chunk, headers).expect(416, "BLOB_UPLOAD_INVALID")
        assert answer["range"] == self.progress()

    @precondition(lambda self: self.location is not None)
    @rule(chunk=chunks, length=st.integers(1, 3000), method=st.sampled_from(["PATCH", "PUT"]))
    def wrong_length(self, chunk: bytes, length: int, method: str) -> None:
        if length == len(chunk):
            length += 1
        start = len(self.content)
        headers = {"content-range": f"{start}-{start + length - 1}"}
        target = f"{self.address()}?digest={digest_of(self.content + chunk)}"
        self.registry.request(method, target, [chunk], headers).expect(400, "SIZE_INVALID")

    @precondition(lambda self: self.location is not None)
    @rule(chunk=chunks)
    def vanish(self, chunk: bytes) -> None:
        assert self.registry.request("PATCH", self.address(), [chunk], vanish=True).status == 0
        self.content += chunk

    @precondition(lambda self: self.location is not None)
    @rule(chunk=chunks, algorithm=algorithms)
    def wrong_digest(self, chunk: bytes, algorithm: str) -> None:
        target = f"{self.address()}?digest={digest_of(self.content + chunk + b'!', algorithm)}"
        self.registry.put(target, chunk).expect(400, "DIGEST_INVALID")
        if self.memory and algorithm != self.algorithm:
            # What cannot be read before it is published was published to compare it: this upload is spent.
            self.cancel()

    @precondition(lambda self: self.location is not None)
    @rule(chunk=chunks, algorithm=algorithms)
    def close(self, chunk: bytes, algorithm: str) -> None:
        digest = digest_of(self.content + chunk, algorithm)
        answer = self.registry.put(f"{self.address()}?digest={digest}", chunk).expect(201)
        assert answer["docker-content-digest"] == digest
        self.blobs[digest] = self.content + chunk
        self.registry.get(self.address()).expect(404, "BLOB_UPLOAD_UNKNOWN")
        self.location = None

    @precondition(lambda self: self.location is not None)
    @rule()
    def cancel(self) -> None:
        self.registry.delete(self.address()).expect(204)
        self.registry.patch(self.address(), b"x").expect(404, "BLOB_UPLOAD_UNKNOWN")
        if self.driver is not None:
            assert f"blobs/{self.address()[-36:].replace('-', '')}" not in self.driver.objects
        self.location = None

    @rule()
    def restart(self) -> None:
        self.stack.close()
        self.registry = self.stack.enter_context(running(self.data / "data", driver=self.driver))

    @precondition(lambda self: self.blobs)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        digest = data.draw(st.sampled_from(sorted(self.blobs)))
        assert self.registry.get(f"/v2/{NAME}/blobs/{digest}").expect(200).body == self.blobs[digest]

    @precondition(lambda self: self.blobs)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        digest = data.draw(st.sampled_from(sorted(self.blobs)))
        self.registry.delete(f"/v2/{NAME}/blobs/{digest}").expect(202)
        del self.blobs[digest]
        self.registry.get(f"/v2/{NAME}/blobs/{digest}").expect(404, "BLOB_UNKNOWN")

    @invariant()
    def status_is_the_models(self) -> None:
        if self.location is not None:
            assert self.registry.get(self.location).expect(204)["range"] == self.progress()

    @precondition(lambda self: self.location is None)
    @invariant()
    def nothing_is_left_of_sessions(self) -> None:
        if self.driver is None:
            assert list((self.data / "data" / "uploads").iterdir()) == []
        else:
            assert (self.driver.parts, self.driver.tails) == ({}, {})

    def progress(self) -> str:
        return f"0-{max(len(self.content) - 1, 0)}"

    def address(self) -> str:
        assert self.location is not None
        return self.location


class UploadingToMemory(Uploading):
    """The same on a driver that behaves like S3."""

    memory = True


TestUploadingToFiles = pytest.mark.timeout(300)(Uploading.TestCase)
TestUploadingToFiles.settings = settings(max_examples=10, stateful_step_count=25)
TestUploadingToMemory = pytest.mark.timeout(300)(UploadingToMemory.TestCase)
TestUploadingToMemory.settings = settings(max_examples=10, stateful_step_count=25)
