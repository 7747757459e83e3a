"""Pushes beside collections: layers that many images share come, are named, are given up, and come again.

Clients do what docker does: HEAD each layer and upload only what is missing, then push the manifest. Every few turns a
tag or a manifest is deleted, so that layers lose their last reference while somebody else was just told that they are
there. No client may ever be told that a blob is unknown which it was told is there, and no pull of a tag may fail.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.faults.client import MANIFEST, OCTETS, closing, image
from tests.faults.oracle import ACCEPT, digest_of
from tests.faults.wire import Reply, Wire
from tests.parts.server import RunningServer

REPOSITORIES = 4
LAYERS = 60
"""How many different layers most pushes choose from at a time."""
NEW = 8.0
"""So many of them a second are replaced."""
OLDER = 0.05
"""How often an older one is taken, which may just be going: seldom enough for most of them to rest out their grace."""
SLOW = 0.05
"""How many pushes take a second between their layers and their manifest."""
SIZE = 20_000
TAGS = 6


@dataclass
class Soak:
    """The clients of one server, what they did, and what they were told that must never be told."""

    server: RunningServer
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, seconds: float, clients: int, collect: Sequence[str], every: float) -> None:
        """Load the server for so long while `collect`, a command, runs again and again; both end with it."""
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(clients)]
        threads.append(threading.Thread(target=self._collect, args=(collect, every)))
        for thread in threads:
            thread.start()
        self._over.wait(seconds)
        self._over.set()
        for thread in threads:
            thread.join()

    def _collect(self, command: Sequence[str], every: float) -> None:
        while not self._over.wait(every):
            ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            if ended.returncode != 0:
                self._say(f"a collection failed: {ended.stderr[-500:]}")
                return
            freed = json.loads(ended.stdout)
            self._count("collections", 1)
            self._count("blobs collected", freed["blobs"])

    def _client(self, number: int) -> None:
        random = Random(f"{self.seed}/{number}")
        with Wire("127.0.0.1", self.server.port, timeout=60) as wire:
            while not self._over.is_set():
                turn = random.random()
                repository = f"soak/app{random.randrange(REPOSITORIES)}"
                tag = f"c{number}-{random.randrange(TAGS)}"
                if turn < 0.7:
                    self._delete(wire, repository, tag)  # else the old manifest would stay, without a tag
                    self._push(wire, random, repository, tag)
                elif turn < 0.85:
                    self._delete(wire, repository, tag)
                else:
                    self._pull(wire, repository, tag)

    def _push(self, wire: Wire, random: Random, repository: str, tag: str) -> None:
        contents = [layer(self._number(random)) for _ in range(random.randint(1, 4))]
        for content in contents:
            self._blob(wire, random, repository, content)
        body = image({digest_of(content): len(content) for content in contents}, f"{tag}{random.random()}").body
        if random.random() < SLOW:
            self._over.wait(random.uniform(0, 1))  # as docker's, whose other layers are still on their way
        path = f"/v2/{repository}/manifests/{tag}"
        reply = wire.call("PUT", path, body, {"Content-Type": MANIFEST})
        self._expect(reply, (201,), f"PUT {path}")
        self._count("pushes", 1)

    def _number(self, random: Random) -> int:
        oldest = int((time.monotonic() - self.began) * NEW)
        return random.randrange(oldest + 1) if random.random() < OLDER else oldest + random.randrange(LAYERS)

    def _blob(self, wire: Wire, random: Random, repository: str, content: bytes) -> None:
        digest = digest_of(content)
        asked = wire.call("HEAD", f"/v2/{repository}/blobs/{digest}")
        self._expect(asked, (200, 404), f"HEAD {digest}")
        if asked.status == 200:
            self._count("told that it is there", 1)
            return
        source = f"soak/app{random.randrange(REPOSITORIES)}"
        mounted = wire.call("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}")
        self._expect(mounted, (201, 202), f"mount {digest}")
        if mounted.status == 201:
            self._count("mounts", 1)
            return
        put = wire.call("PUT", closing(mounted.header("location"), digest), content, OCTETS)
        self._expect(put, (201,), f"PUT {digest}")
        self._count("uploads", 1)

    def _delete(self, wire: Wire, repository: str, tag: str) -> None:
        path = f"/v2/{repository}/manifests/{tag}"
        found = wire.call("HEAD", path, headers=ACCEPT)
        self._expect(found, (200, 404), f"HEAD {path}")
        if found.status == 200:
            digest = found.header("docker-content-digest")
            gone = wire.call("DELETE", f"/v2/{repository}/manifests/{digest}")
            self._expect(gone, (202, 404), f"DELETE {digest}")
            self._count("deletes", 1)

    def _pull(self, wire: Wire, repository: str, tag: str) -> None:
        """Only this client writes the tag, so what it names cannot go while it is pulled."""
        path = f"/v2/{repository}/manifests/{tag}"
        found = wire.call("GET", path, headers=ACCEPT)
        self._expect(found, (200, 404), f"GET {path}")
        if found.status == 200:
            for digest in _named(found.body):
                blob = wire.call("GET", f"/v2/{repository}/blobs/{digest}")
                self._expect(blob, (200,), f"GET {digest} of {path}")
            self._count("pulls", 1)

    def _expect(self, reply: Reply, wanted: tuple[int, ...], what: str) -> None:
        if reply.status not in wanted or not reply.whole:
            self._say(f"{what}: {reply.status} {reply.body[:200]!r}")

    def _count(self, what: str, number: int) -> None:
        with self._lock:
            self.done[what] += number

    def _say(self, what: str) -> None:
        with self._lock:
            self.wrong.append(what)
        self._over.set()


def layer(number: int) -> bytes:
    """One of the shared layers."""
    return Random(number).randbytes(SIZE)


def collecting(server: RunningServer, grace: str) -> list[str]:
    """The command that collects once on a server's data."""
    moorage = [sys.executable, "-m", "registry", "gc", "--once", "--grace", grace, "--i-know", "--json"]
    return [*moorage, "--data", str(server.data)]


def reachable(server: RunningServer) -> dict[str, int]:
    """The blobs that manifests name, with their sizes, as a client finds them."""
    found: dict[str, int] = {}
    with Wire("127.0.0.1", server.port, timeout=60) as wire:
        for number in range(REPOSITORIES):
            listed = wire.call("GET", f"/v2/soak/app{number}/tags/list")
            for tag in json.loads(listed.body).get("tags") or ():
                body = wire.call("GET", f"/v2/soak/app{number}/manifests/{tag}", headers=ACCEPT).body
                found |= _named(body)
    return found


def _named(body: bytes) -> dict[str, int]:
    document = json.loads(body)
    return {entry["digest"]: entry["size"] for entry in (document["config"], *document["layers"])}
