"""What the busiest requests read, remembered for exactly as long as nothing was committed.

Tags are never stale: on SQLite every look first asks whether anybody has committed (no system call, no wait), and a
commit by any process empties what is remembered of names. Bytes are remembered by manifest id, for they never change.
On other databases names are not remembered, every look is a query, and so nothing for the event loop to wait for.
"""

import threading

from registry.catalog.blobs import Blob
from registry.catalog.catalog import Catalog
from registry.catalog.manifests import ManifestEntry
from registry.catalog.version import DataVersion
from registry.oci.names import Reference, RepositoryName
from storage.digest import Digest

NAME_LIMIT = 20_000
CONTENT_LIMIT = 16 * 2**20


class HotReads:
    """Manifests and blobs by name, from memory while the catalog stands still."""

    def __init__(self, catalog: Catalog, version: DataVersion | None) -> None:
        self._catalog = catalog
        self._version = version
        self._seen = b""
        self._entries: dict[tuple[str, Reference], ManifestEntry] = {}
        self._blobs: dict[tuple[str, Digest], Blob] = {}
        self._contents: dict[int, bytes] = {}
        self._content_bytes = 0
        self._lock = threading.Lock()

    @property
    def inline(self) -> bool:
        """Tell whether a look is quick enough for the event loop, and for it alone; else for threads alone."""
        return self._version is not None

    def manifest(self, name: RepositoryName, reference: Reference) -> tuple[ManifestEntry, bytes]:
        """Resolve a reference and give the manifest's bytes. Raises NotFound."""
        self._refresh()
        key = (name.value, reference)
        entry = self._entries.get(key)
        content = self._contents.get(entry.id) if entry else None
        if entry is None or content is None:
            with self._catalog.read() as tx:
                entry = tx.manifests.get(name, reference)
                content = self._contents.get(entry.id) or tx.manifests.content(entry.id)
            self._remember(key, entry, content)
        return entry, content

    def blob(self, name: RepositoryName, digest: Digest) -> Blob:
        """Find a blob through a repository's link. Raises NotFound."""
        self._refresh()
        key = (name.value, digest)
        found = self._blobs.get(key)
        if found is None:
            with self._catalog.read() as tx:
                found = tx.blobs.linked_by_name(name.value, digest)
            if self._version is not None and len(self._blobs) < NAME_LIMIT:
                self._blobs[key] = found
        return found

    def close(self) -> None:
        """Close the connection that watches for commits."""
        if self._version is not None:
            self._version.close()

    def _refresh(self) -> None:
        if self._version is None:
            return
        value = self._version.value()
        if value != self._seen:
            self._seen = value
            self._entries.clear()
            self._blobs.clear()

    def _remember(self, key: tuple[str, Reference], entry: ManifestEntry, content: bytes) -> None:
        if self._version is not None and len(self._entries) < NAME_LIMIT:
            self._entries[key] = entry
        with self._lock:
            self._remember_content(entry, content)

    def _remember_content(self, entry: ManifestEntry, content: bytes) -> None:
        if entry.id in self._contents or len(content) > CONTENT_LIMIT // 16:
            return
        if self._content_bytes + len(content) > CONTENT_LIMIT:
            self._contents.clear()
            self._content_bytes = 0
        self._contents[entry.id] = content
        self._content_bytes += len(content)
