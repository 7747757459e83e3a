"""Moving every blob from the former store to the one for new blobs, beside servers that read both.

The catalog says what is left, so a move can be stopped, killed and started again at any time: nothing else remembers
how far it came. Several threads move a blob each; trouble that passes is waited out, damage is told and left alone.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from registry.audit import Audit, Origin
from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogError, CatalogFull
from registry.catalog.placement import Holding
from registry.content.copying import SUBJECT, Copier, Damaged
from registry.content.flow import Flow, Stopped
from registry.content.stores import FIRST_NAME
from registry.content.uploads import Uploads
from storage.digest import Digest
from storage.errors import Full, ReadOnly, StorageError

PAGE = 100
PASSES = 100
TOLD_EVERY = 1.0
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the tries of one blob: what is away for a minute is waited out."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How to move: blobs at a time; bytes a second that are read, in both stores together; whether copies are read."""

    parallel: int = 4
    rate: int | None = None
    read_back: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a move is: blobs and bytes that are done with, of how many; since how many seconds."""

    blobs: int
    bytes: int
    of: Holding
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A blob that was left where it is, and why."""

    digest: Digest
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a move did, and what the former store still has. `stopped`: why it ended early; None: it did not."""

    moved: int
    bytes: int
    failures: tuple[Failure, ...]
    left: Holding
    stopped: str | None


class Moving:
    """One move from the store `former` to the store `driver` of `uploads`."""

    def __init__(self, uploads: Uploads, audit: Audit, *, former: str, driver: str, manner: Manner) -> None:
        stores = uploads.stores
        self._uploads = uploads
        self._catalog = uploads.catalog
        self._audit = audit
        self._former = former
        self._driver = driver
        self._parallel = manner.parallel
        self._flow = Flow(manner.rate)
        self._copier = Copier(uploads, stores[former], stores[driver], flow=self._flow, read_back=manner.read_back)
        self._tally = _Tally()

    def survey(self) -> Holding:
        """Tell what there is to move, and change nothing."""
        with self._catalog.read() as tx:
            holding = tx.placement.holding(self._former, but_for=SUBJECT)
            unnamed = tx.placement.holding(FIRST_NAME)
        return Holding(
            holding.blobs + unnamed.blobs,
            holding.bytes + unnamed.bytes,
            holding.uploads + unnamed.uploads,
            holding.replaced + unnamed.replaced,
        )

    def run(self, origin: Origin, report: Callable[[Progress], None]) -> Result:
        """Move what is there, and what still comes, from uploads that were opened before; then sweep what is due.

        Never raises for trouble with a store: that stops the move, and the result says so.
        """
        begun, stopped = time.monotonic(), None
        of = self.survey()

        def tell() -> None:
            report(Progress(self._tally.done, self._flow.passed, of, time.monotonic() - begun))

        try:
            self._clear_away()
            for _ in range(PASSES):
                if not self._pass(tell):
                    break
        except (StorageError, CatalogError) as error:
            stopped = str(error)
        tell()
        self._sweep()
        self._record(origin)
        failures = tuple(self._tally.failures.values())
        return Result(self._tally.moved, self._tally.bytes, failures, self.survey(), stopped)

    def _clear_away(self) -> None:
        """Remove what an earlier move, killed, left under way; only one runs at a time."""
        removed = True
        while removed:
            with self._catalog.read() as tx:
                left = tx.uploads.oldest(SUBJECT, PAGE)
            removed = any([self._uploads.remove(session) for session in left])

    def _pass(self, tell: Callable[[], None]) -> bool:
        """Move what is there now; tells whether there was anything."""
        walk = _Walk(self._catalog, self._former, self._tally)
        with ThreadPoolExecutor(self._parallel, "moving") as pool:
            try:
                workers = [pool.submit(self._work, walk) for _ in range(self._parallel)]
                while wait(workers, TOLD_EVERY).not_done:
                    tell()
            except BaseException:  # somebody at the keyboard has enough
                self._flow.stop()
                raise
        failed = [error for worker in workers if (error := worker.exception()) is not None]
        for error in sorted(failed, key=lambda error: isinstance(error, Stopped)):
            raise error
        return walk.met > 0

    def _work(self, walk: "_Walk") -> None:
        try:
            for blob in walk:
                self._one(blob)
        except BaseException:
            self._flow.stop()  # the others too
            raise

    def _one(self, blob: Blob) -> None:
        try:
            moved = self._patiently(blob)
        except Damaged as error:
            self._tally.add_failure(blob, str(error))
            self._flow.count(blob.size)
        else:
            self._tally.add(blob, moved=moved)

    def _patiently(self, blob: Blob) -> bool:
        for pause in PAUSES:
            try:
                return self._copier.move(blob)
            except (Full, ReadOnly, CatalogFull):
                raise
            except (StorageError, CatalogError):
                self._flow.rest(pause)
        return self._copier.move(blob)

    def _sweep(self) -> None:
        """Delete what is due, for there may be no server that does; what cannot be deleted is told by what is left."""
        with suppress(StorageError, CatalogError):
            while self._uploads.sweep_keys():
                pass
            self._uploads.sweep_sessions()

    def _record(self, origin: Origin) -> None:
        if self._tally.moved:
            what = f"{self._tally.moved} blobs from {self._former} to {self._driver}"
            with suppress(CatalogError), self._audit.begin(origin) as change:
                change.record("storage.migrate", reason=what)


class _Tally:
    """What came of the blobs."""

    def __init__(self) -> None:
        self.moved = 0
        self.bytes = 0
        self.done = 0
        self.failures: dict[int, Failure] = {}
        self._lock = threading.Lock()

    def add(self, blob: Blob, *, moved: bool) -> None:
        """Count a blob that was moved, or had no need to be."""
        with self._lock:
            self.done += 1
            self.moved += moved
            self.bytes += blob.size * moved

    def add_failure(self, blob: Blob, reason: str) -> None:
        """Note a blob that stays."""
        with self._lock:
            self.done += 1
            self.failures[blob.id] = Failure(blob.digest, blob.key, reason)


class _Walk:
    """The blobs of a store by key, page by page, each given to one thread; without those that failed before."""

    def __init__(self, catalog: Catalog, store: str, tally: _Tally) -> None:
        self.met = 0
        self._catalog = catalog
        self._store = store
        self._failed = frozenset(tally.failures)
        self._page: deque[Blob] = deque()
        self._after: str | None = ""
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Blob]:
        while True:
            with self._lock:
                if not self._page:
                    self._turn()
                if not self._page:
                    return
                self.met += 1
                blob = self._page.popleft()
            yield blob

    def _turn(self) -> None:
        """Read the next page that has a blob to give."""
        while self._after is not None and not self._page:
            with self._catalog.read() as tx:
                found = tx.placement.page(self._store, self._after, PAGE)
            self._after = found[-1].key if found else None
            self._page.extend(blob for blob in found if blob.id not in self._failed)
