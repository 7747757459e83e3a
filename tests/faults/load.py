"""A bounded mixed load: pusher and puller threads that can be paused, so that an oracle finds everything quiet.

It chooses what to send, from a seed, and leaves sending to client.py. Repositories change with every era, so that one
era's histories stay small however long a check runs.
"""

from __future__ import annotations

import threading
import time
from random import Random

from tests.faults.client import Client, image
from tests.faults.ledger import HERE, Content, Key, Ledger
from tests.faults.oracle import digest_of
from tests.faults.target import Server
from tests.faults.wire import Lost

TAGS = ("latest", "stable", "edge", "v1", "v2", "v3")
REPOSITORIES = 4
LARGEST = 48 * 1024
BACK_OFF = 0.02


class Load:
    """Threads that push to and pull from one server; resume() and pause() open and close the gate."""

    def __init__(self, server: Server, ledger: Ledger, seed: int, *, pushers: int = 8, pullers: int = 8) -> None:
        self.server = server
        self.ledger = ledger
        self.seed = seed
        self.era = 0
        self._gate = threading.Event()
        self._over = threading.Event()
        self._idle = threading.Semaphore(0)
        self.blobs: dict[str, dict[str, int]] = {}  # repository -> acknowledged blobs with their sizes
        self._lock = threading.Lock()
        jobs = [self._push] * pushers + [self._pull] * pullers
        self._threads = [threading.Thread(target=self._run, args=(job, n), daemon=True) for n, job in enumerate(jobs)]
        self._started = False

    def resume(self) -> None:
        """Let the threads work."""
        self._gate.set()
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()

    def pause(self) -> None:
        """Stop the threads and wait until none has a request in flight."""
        self._gate.clear()
        for _ in self._threads:
            self._idle.acquire()

    def finish(self) -> None:
        """End the threads; only after pause()."""
        self._over.set()
        self._gate.set()
        for thread in self._threads:
            thread.join(10)

    def forget(self) -> None:
        """Begin a new era: other repositories, and no blobs known in them."""
        self.era += 1
        self.blobs = {}

    def _run(self, job: object, number: int) -> None:
        random = Random(f"{self.seed}/{number}")
        client = Client(self.server.wire(), self.ledger, TAGS)
        while True:
            if not self._gate.is_set():
                client.wire.close()
                self._idle.release()
                self._gate.wait()
            if self._over.is_set():
                return
            try:
                self._push(client, random) if job == self._push else self._pull(client, random)
            except Lost:
                self.ledger.count("lost")
                time.sleep(BACK_OFF)

    def _push(self, client: Client, random: Random) -> None:
        repository = self._repository(random)
        choice = random.random()
        features = self.server.features
        if choice < 0.62:
            self._push_image(client, random, repository)
        elif choice < 0.72:
            self._retag(client, random, repository)
        elif choice < 0.84 and features.referrers:
            self._attach(client, random, repository)
        elif choice < 0.93 and features.tag_delete:
            client.delete_tag(repository, random.choice(TAGS))
        elif known := self._manifests(repository):
            client.delete_manifest(repository, random.choice(known))

    def _push_image(self, client: Client, random: Random, repository: str) -> None:
        blobs: dict[str, int] = {}
        for _ in range(random.randint(1, 3)):
            digest, size = self._blob(client, random, repository)
            if not digest:
                return
            blobs[digest] = size
        self._manifest(client, random, repository, image(blobs, random.randbytes(8).hex()))

    def _attach(self, client: Client, random: Random, repository: str) -> None:
        known = self._manifests(repository)
        digest, size = self._blob(client, random, repository)
        if known and digest:
            subject = random.choice(known[-4:])
            target = (subject, len(self.ledger.manifests[subject].body))
            content = image({digest: size}, random.randbytes(8).hex(), target)
            self._expect(client.push_manifest(repository, content, (), by_digest=True), "attach")

    def _retag(self, client: Client, random: Random, repository: str) -> None:
        if known := self._manifests(repository):
            content = self.ledger.manifests[random.choice(known)]
            self._expect(client.push_manifest(repository, content, (random.choice(TAGS),)), "retag")

    def _manifest(self, client: Client, random: Random, repository: str, content: Content) -> None:
        if self.server.features.tag_parameter and random.random() < 0.3:
            tags = tuple(random.sample(TAGS, random.randint(0, 2)))
            self._expect(client.push_manifest(repository, content, tags, by_digest=True), "manifest by digest")
        else:
            self._expect(client.push_manifest(repository, content, (random.choice(TAGS),)), "manifest by tag")

    def _blob(self, client: Client, random: Random, repository: str) -> tuple[str, int]:
        """Push, mount or take again a blob; returns its digest and size, or empty when it was not acknowledged."""
        choice = random.random()
        with self._lock:
            own = list(self.blobs.get(repository, {}).items())
            other = [(name, item) for name, blobs in self.blobs.items() if name != repository for item in blobs.items()]
        if choice < 0.15 and own:
            return random.choice(own)
        if choice < 0.30 and other:
            source, (digest, size) = random.choice(other)
            return self._kept(repository, digest, size, client.mount_blob(repository, source, digest))
        content = random.randbytes(random.choice((0, 1, 700, 5_000, random.randint(1, LARGEST))))
        ways = ("put", "patch", "single") if self.server.features.single_post else ("put", "patch")
        status = client.push_blob(repository, content, random.choice(ways))
        self._expect(status, "blob")
        return self._kept(repository, digest_of(content), len(content), status)

    def _kept(self, repository: str, digest: str, size: int, status: int) -> tuple[str, int]:
        if status != 201:
            return "", 0
        with self._lock:
            self.blobs.setdefault(repository, {})[digest] = size
        return digest, size

    def _pull(self, client: Client, random: Random) -> None:
        repository = self._repository(random)
        choice = random.random()
        if choice < 0.5:
            client.read(Key("tag", repository, random.choice(TAGS)))
        elif choice < 0.75:
            if known := self._manifests(repository):
                client.read(Key("manifest", repository, random.choice(known)))
        else:
            with self._lock:
                known = list(self.blobs.get(repository, {}))
            if known:
                client.read(Key("blob", repository, random.choice(known)))
        time.sleep(0.001)

    def _repository(self, random: Random) -> str:
        return f"faults/e{self.era}/app{random.randrange(REPOSITORIES)}"

    def _manifests(self, repository: str) -> list[str]:
        """Return digests of this repository that some client has had acknowledged and that may be there still."""
        with self.ledger.lock:
            registers = self.ledger.registers.items()
            return [
                key.name
                for key, register in registers
                if key.kind == "manifest"
                and key.repository == repository
                and (register.value == HERE or any(op.acked for op in register.history))
            ]

    def _expect(self, status: int, what: str) -> None:
        """A push of what is all there must not be refused, though it may fail (5xx) or be told to wait (429)."""
        if 400 <= status < 500 and status != 429:
            self.ledger.violation("I2", f"{what}: refused with {status} although everything it names was acknowledged")
