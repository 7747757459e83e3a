"""Clients that push and pull through the proxy while replicas come and go; each operation is tried four times at most.

A push is what real clients do: each blob on its own session, resumed where the status says, then the manifest by a tag.
A pull is a manifest by its tag and every blob of it. Each tag has one writer, so that a reader knows what may be there.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from tests.faults.client import MANIFEST, OCTETS, closing, image
from tests.faults.oracle import ACCEPT, digest_of
from tests.faults.sessions import received
from tests.faults.wire import Lost, Reply, Wire

TRIES = 4
SIZES = (700, 5_000, 70_000, 200_000, 600_000, 1_500_000, 9_000_000)  # the last makes more than one part on S3
REST = 0.02  # seconds of a client between two operations


class Door(Protocol):
    """Where clients go in."""

    def wire(self, *, timeout: float) -> Wire:
        """Give a new connection."""


class Again(Exception):
    """The operation did not succeed this time; the message says why."""


@dataclass
class Tag:
    """What its one writer did, oldest first. `bodies` were sent, and the first `acknowledged` of them answered."""

    repository: str
    bodies: list[bytes] = field(default_factory=list)
    acknowledged: int = 0


class Load:
    """Threads that work from the beginning of the block to its end."""

    def __init__(self, front: Door, seed: int, *, pushers: int = 4, pullers: int = 4) -> None:
        self.done: Counter[str] = Counter()
        self.tries: Counter[int] = Counter()  # how many tries an operation took
        self.reasons: Counter[str] = Counter()  # of all that were not the last
        self.wrong: list[str] = []
        self.tags = [Tag(f"load/app{number}") for number in range(pushers)]
        self._front = front
        self._over = threading.Event()
        jobs = [(self._push, tag) for tag in self.tags] + [(self._pull, None) for _ in range(pullers)]
        self._threads = [
            threading.Thread(target=self._work, args=(job, tag, Random(f"{seed}/{number}")))
            for number, (job, tag) in enumerate(jobs)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, job: Callable[[Wire, Tag | None, Random], None], tag: Tag | None, random: Random) -> None:
        with self._front.wire(timeout=60) as wire:
            while not self._over.is_set() and not self.wrong:
                try:
                    job(wire, tag, random)
                except (Again, AssertionError) as error:
                    self.wrong.append(str(error))
                time.sleep(REST)

    def _push(self, wire: Wire, tag: Tag | None, random: Random) -> None:
        assert tag is not None
        contents = [random.randbytes(random.choice(SIZES)) for _ in range(random.randint(1, 3))]
        for content in contents:
            self._trying("blob push", BlobPush(wire, tag.repository, content))
        body = image({digest_of(content): len(content) for content in contents}, random.randbytes(8).hex()).body
        tag.bodies.append(body)
        path = f"/v2/{tag.repository}/manifests/latest"
        self._trying("manifest push", lambda: expect(wire.call("PUT", path, body, {"Content-Type": MANIFEST}), 201))
        tag.acknowledged = len(tag.bodies)

    def _pull(self, wire: Wire, _: Tag | None, random: Random) -> None:
        tag = random.choice(self.tags)
        known = tag.acknowledged
        if known:
            self.pull(wire, tag, known)
        else:
            time.sleep(0.05)

    def pull(self, wire: Wire, tag: Tag, known: int) -> None:
        """Pull a tag of which so many pushes are answered; it shows the last of them or a newer one."""
        body = b""

        def manifest() -> None:
            nonlocal body
            path = f"/v2/{tag.repository}/manifests/latest"
            body = expect(wire.call("GET", path, headers=ACCEPT), 200).body

        self._trying("manifest pull", manifest)
        assert body in tag.bodies[known - 1 :], f"{tag.repository}:latest is stale, or nobody pushed it: {body[:300]!r}"
        self.blobs(wire, tag, body)

    def blobs(self, wire: Wire, tag: Tag, body: bytes) -> None:
        """Pull every blob that a manifest names."""
        document = json.loads(body)
        for digest in {entry["digest"] for entry in (document["config"], *document["layers"])}:
            path = f"/v2/{tag.repository}/blobs/{digest}"

            def blob(path: str = path, digest: str = digest) -> None:
                reply = expect(wire.call("GET", path), 200)
                assert digest_of(reply.body) == digest, f"{path} is another blob"

            self._trying("blob pull", blob)

    def _trying(self, what: str, operation: Callable[[], object]) -> None:
        """Do one operation, with at most three retries. Raises Again when they were not enough."""
        reasons = []
        for number in range(1, TRIES + 1):
            try:
                operation()
            except (Again, Lost) as error:
                reasons.append(f"{what}: {error}")
                time.sleep(0.1 * 2**number)
                continue
            self.done[what] += 1
            self.tries[number] += 1
            self.reasons.update(reason[:120] for reason in reasons)
            return
        raise Again(f"{TRIES} tries were not enough: {reasons}")


class BlobPush:
    """The push of one blob; called again, it goes on where the server says it is."""

    def __init__(self, wire: Wire, repository: str, content: bytes) -> None:
        self._wire = wire
        self._repository = repository
        self._content = content
        self._digest = digest_of(content)
        self._location = ""

    def __call__(self) -> None:
        """Try once."""
        kept = self._kept() if self._location else 0
        if kept is None:
            return
        if not self._location:
            opened = expect(self._wire.call("POST", f"/v2/{self._repository}/blobs/uploads/"), 202)
            self._location = opened.header("location")
        if kept < len(self._content):
            rest = self._content[kept:]
            span = {"Content-Range": f"{kept}-{len(self._content) - 1}"}
            self._location = expect(self._wire.call("PATCH", self._location, rest, OCTETS | span), 202).header(
                "location"
            )
        expect(self._wire.call("PUT", closing(self._location, self._digest)), 201)

    def _kept(self) -> int | None:
        """Ask how many bytes are there; None: the blob is. Where the session is gone, a new one is begun."""
        status = self._wire.call("GET", self._location)
        if status.status == 204:
            return received(status)
        expect(status, 404)
        self._location = ""
        blob = self._wire.call("HEAD", f"/v2/{self._repository}/blobs/{self._digest}")
        return None if expect(blob, 200, 404).status == 200 else 0


def expect(reply: Reply, *wanted: int) -> Reply:
    """Give an answer that is as it should be and whole. Raises Again."""
    if reply.status not in wanted or not reply.whole:
        raise Again(f"{reply.status}{'' if reply.whole else ', cut'} {reply.body[:80]!r}")
    return reply
