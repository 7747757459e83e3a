"""What earlier builds made of the same instruction on the same state: layers, kept until they are pruned.

A key says everything that a step depends on; its entry, what came out and when, so that a build that finds every step
here gives the very image that it gave before. At most `LIMIT` entries: the oldest go first.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime import records
from runtime.images.images import Images
from storage.digest import Digest

LIMIT = 2000
HOLDER = "build-cache"


@dataclass(frozen=True, slots=True)
class Entry:
    """One result. `layer`: None where no file changed; `created`: nanoseconds since 1970."""

    layer: Digest | None
    created: int


def key(state: str, instruction: str, extras: Mapping[str, Any]) -> str:
    """Make a key. `state`: the identity of what the step begins with; `extras`: contents, arguments."""
    text = json.dumps([state, instruction, extras], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class Cache:
    """The entries below one data root. Safe from any thread."""

    def __init__(self, path: Path, images: Images) -> None:
        self._path = path
        self._images = images
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._load()

    def find(self, name: str) -> Entry | None:
        """Find an entry whose layer is here."""
        with self._lock:
            entry = self._entries.get(name)
        if entry is None or (entry.layer is not None and not self._images.layers.has(entry.layer)):
            return None
        return entry

    def add(self, name: str, entry: Entry) -> None:
        """Keep a result, and its layer."""
        with self._lock:
            self._entries.pop(name, None)
            self._entries[name] = entry
            while len(self._entries) > LIMIT:
                del self._entries[next(iter(self._entries))]
            self._hold()

    def save(self) -> None:
        """Write the entries; once a build is enough: what is lost is made again."""
        with self._lock:
            records.save(
                self._path,
                {
                    "entries": [
                        [name, str(entry.layer) if entry.layer else None, entry.created]
                        for name, entry in self._entries.items()
                    ]
                },
            )

    def prune(self) -> tuple[list[str], int]:
        """Forget everything, and remove the layers that no image has; returns their digests and the bytes."""
        with self._lock:
            layers = {entry.layer for entry in self._entries.values() if entry.layer}
            self._entries.clear()
            self._hold()
        self.save()
        return self.sweep(layers)

    def sweep(self, layers: set[Digest]) -> tuple[list[str], int]:
        """Remove those of these layers that no image has and nobody holds."""
        gone, size = [], 0
        with self._images.lock:
            used = {diff_id for image in self._images.all() for diff_id in image.diff_ids}
            for diff_id in sorted(layers - used, key=str):
                layer = self._images.layers.remove(diff_id) if self._images.layers.has(diff_id) else None
                if layer is not None:
                    gone.append(str(diff_id))
                    size += layer.size
        return gone, size

    def _hold(self) -> None:
        layers = self._images.layers
        with self._images.lock:  # who removes layers has it: nothing goes between the two
            layers.release(HOLDER)
            layers.hold(
                HOLDER, {entry.layer for entry in self._entries.values() if entry.layer and layers.has(entry.layer)}
            )

    def _load(self) -> None:
        try:
            written = records.load(self._path)["entries"]
            entries = {str(n): Entry(Digest.parse(d) if d else None, int(c)) for n, d, c in written}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return  # what is not known is made again
        layers = self._images.layers
        self._entries = {name: entry for name, entry in entries.items() if not entry.layer or layers.has(entry.layer)}
        self._hold()
