"""When and from where each secret was last used: gathered in memory, written in batches.

A pull never waits for this, and nothing is lost but a time when the process dies.
"""

import threading
import time

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable

LIMIT = 10_000


class LastUsed:
    """The uses since the last `flush`. Safe to use from any thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, str]] = {}

    def note(self, credential: str, address: str) -> None:
        """Note a use; past the limit it is forgotten."""
        with self._lock:
            if len(self._seen) < LIMIT or credential in self._seen:
                self._seen[credential] = (time.time_ns() // 1000, address)

    def flush(self) -> int:
        """Write what was noted, and tell how much. Raises CatalogUnavailable, and keeps it for the next time."""
        with self._lock:
            seen, self._seen = self._seen, {}
        if not seen:
            return 0
        try:
            with self._catalog.begin(durable=False) as tx:
                tx.credentials.note_used([(credential, at, address) for credential, (at, address) in seen.items()])
        except CatalogUnavailable:
            with self._lock:
                self._seen = seen | self._seen
            raise
        return len(seen)
