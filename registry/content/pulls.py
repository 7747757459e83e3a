"""Counting pulls: one for each GET of a manifest, gathered in memory and written in batches, for a pull never waits."""

import threading
import time

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable

LIMIT = 100_000
"""Repositories that wait to be written; past that, pulls of others go uncounted."""


class Pulls:
    """The pulls since the last flush. Safe to use from any thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, repository: str) -> None:
        """Count one pull."""
        with self._lock:
            self._add(repository, 1)

    def flush(self) -> int:
        """Write what was counted, and tell how many repositories that were. Raises CatalogUnavailable, keeping it."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return 0
        now = time.time_ns() // 1000
        try:
            with self._catalog.begin(durable=False) as tx:
                tx.repositories.count_pulls([(name, pulls, now) for name, pulls in counts.items()])
        except CatalogUnavailable:
            with self._lock:
                for name, pulls in counts.items():
                    self._add(name, pulls)
            raise
        return len(counts)

    def _add(self, repository: str, pulls: int) -> None:
        if repository in self._counts:
            self._counts[repository] += pulls
        elif len(self._counts) < LIMIT:
            self._counts[repository] = pulls
