"""One run's servers: each peer once with everything seeded, once more with a million rows, and fresh ones on demand.

Rows of reads share the standing server, seeded when a row first needs it; rows of writes get a fresh one a sample.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from benchmarks import seed
from benchmarks.contents import Body
from benchmarks.peers import Peer
from benchmarks.running import Running, fresh, start
from benchmarks.wire import Client

T = TypeVar("T")


class Skipped(RuntimeError):
    """A row does not apply to a peer; the reason goes into the report."""


@dataclass
class Bench:
    """Everything a row may use."""

    scratch: Path  # on the disk that is measured
    body: Body
    workers: int
    quick: bool = False
    _standing: dict[str, Running] = field(default_factory=dict)
    _million: dict[str, Running] = field(default_factory=dict)
    _shared: dict[str, object] = field(default_factory=dict)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _seeded: set[tuple[str, str]] = field(default_factory=set)

    @property
    def seconds(self) -> float:
        """How long a load of small requests lasts."""
        return 1.0 if self.quick else 5.0

    def standing(self, peer: Peer) -> Running:
        """The peer's server that stays up for the whole run."""
        if peer.name not in self._standing:
            self._standing[peer.name] = start(peer, self.scratch / peer.name, self.workers)
        return self._standing[peer.name]

    def seeded(self, peer: Peer, what: str, seeding: Callable[[Running], None]) -> Running:
        """The standing server, after `seeding` was done on it once."""
        running = self.standing(peer)
        if (peer.name, what) not in self._seeded:
            seeding(running)
            self._seeded.add((peer.name, what))
        return running

    def million(self, peer: Peer) -> Running:
        """A Moorage whose catalog holds a million tags and repositories. Raises Skipped for other peers."""
        if not peer.is_moorage:
            raise Skipped("its million rows could only be made by a million pushes")
        if peer.name not in self._million:
            directory = self.scratch / f"{peer.name}-million"
            running = start(peer, directory, self.workers)
            client = Client(running.port)
            client.push_small(seed.TAGS, seed.CONFIG)
            client.put_manifest(seed.TAGS, seed.tag_name(0), seed.EMPTY)
            client.close()
            running.stop()
            seed.seed_million(running.place.data / "moorage.db")
            self._million[peer.name] = start(peer, directory, self.workers)
        return self._million[peer.name]

    def shared(self, name: str, start: Callable[[Path, contextlib.ExitStack], T]) -> T:
        """Something costly that one row keeps from sample to sample; made on a directory of its own, once."""
        if name not in self._shared:
            with contextlib.ExitStack() as stack:
                self._shared[name] = start(self.scratch / name, stack)
                self._stack.push(stack.pop_all())
        return cast(T, self._shared[name])

    @contextlib.contextmanager
    def fresh(self, peer: Peer) -> Iterator[Running]:
        """A server on empty data, gone afterwards."""
        with fresh(peer, self.scratch / f"{peer.name}-fresh", self.workers) as running:
            yield running

    def close(self) -> None:
        """Stop every server and remove what they kept."""
        for running in (*self._standing.values(), *self._million.values()):
            running.stop()
        self._stack.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
