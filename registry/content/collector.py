"""Collecting garbage beside pushes: rows first, in small transactions that look once more; the bytes afterwards.

What a transaction takes out of the catalog it notes as discarded keys, whose bytes go when nobody can still be reading
them; so a collector that is killed anywhere leaves nothing that the next one, or any server's own sweep, does not
finish. It never lists a store. Source: reliability.md, hazards 1 and 2.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from registry.audit import Audit, Origin
from registry.catalog.catalog import Catalog
from registry.catalog.garbage import Candidate, Collected, Place
from registry.content.uploads import MICROSECOND, Uploads, key_lifetime
from storage.digest import Digest

BATCH = 100
"""Blobs in one transaction: a few milliseconds, for which a push to SQLite waits."""

COLLECTOR = Origin("moorage gc", "operator")


@dataclass(slots=True)
class Freed:
    """What a collection took out of the catalog. Sizes are in bytes.

    Args: by_repository: for each repository that had a link to a blob, the bytes of those blobs; one that several had
          counts for each of them.
    """

    blobs: int = 0
    size: int = 0
    by_repository: Counter[str] = field(default_factory=Counter)

    def add(self, blobs: list[Collected]) -> None:
        """Count some more."""
        for blob in blobs:
            self.blobs += 1
            self.size += blob.size
            self.by_repository.update(dict.fromkeys(blob.repositories, blob.size))


class Collector:
    """Takes out what no manifest names and whose grace is over. Safe in any number of processes at a time."""

    def __init__(self, catalog: Catalog, audit: Audit, uploads: Uploads, grace: timedelta) -> None:
        self._catalog = catalog
        self._audit = audit
        self._uploads = uploads
        self._grace = grace

    def garbage(self) -> Iterator[Candidate]:
        """Walk over what a collection would take out now, the longest unreferenced first; changes nothing."""
        place = Place()
        while True:
            with self._catalog.read() as tx:
                some = tx.garbage.candidates(self._before(tx.now), place, BATCH)
            yield from some
            if len(some) < BATCH:
                return
            place = some[-1].place

    def collect(self, origin: Origin, rest: Callable[[Freed], None]) -> Freed:
        """Take all garbage out; `rest` is called after each transaction and may wait, or raise to stop.

        Raises: CatalogUnavailable; whatever `rest` raises. What was taken out until then stays so.
        """
        freed, place = Freed(), Place()
        while True:
            with self._catalog.read() as tx:
                some = tx.garbage.candidates(self._before(tx.now), place, BATCH)
            if some:
                freed.add(self._take([candidate.digest for candidate in some], origin))
                place = some[-1].place
            rest(freed)
            if len(some) < BATCH:
                return freed

    def remove_bytes(self, rest: Callable[[], None]) -> int:
        """Delete the bytes of discarded keys whose time has come; give how many."""
        removed = 0
        while some := self._uploads.sweep_keys():
            removed += some
            rest()
        return removed

    def _take(self, digests: list[Digest], origin: Origin) -> list[Collected]:
        with self._audit.begin(origin) as change:
            tx = change.tx
            taken = tx.garbage.collect(digests, self._before(tx.now))
            for blob in taken:
                lifetime = key_lifetime(self._uploads.stores[blob.store], blob.key)
                tx.blobs.discard(blob.store, blob.key, tx.now + lifetime // MICROSECOND)
                for repository in blob.repositories or (None,):
                    change.record("blob.collect", repository=repository, old=str(blob.digest))
        return taken

    def _before(self, now: int) -> int:
        return now - self._grace // MICROSECOND
