"""What loads push: large blobs that share their bytes but not their digests, and images of a few small blobs.

Every digest is worked out before a clock runs. It knows no server and no connection.
"""

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _hashlib import HASH

BLOCK = 2**20
TRAILER = 32  # bytes that make one push's content its own
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
ACCEPTED = (  # as docker asks; without it some peers hide OCI manifests
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
    MANIFEST_TYPE,
)
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes to push: the start of a shared file, `times` over, and a trailer that makes them unique."""

    file: Path
    size: int
    trailer: bytes
    digest: str
    times: int = 1

    @property
    def shared(self) -> int:
        """How many bytes of the file are sent each time."""
        return (self.size - len(self.trailer)) // self.times


@dataclass(frozen=True, slots=True)
class Small:
    """Bytes small enough to hold, with their digest."""

    content: bytes

    @property
    def digest(self) -> str:
        """The sha256 digest."""
        return f"sha256:{sha256(self.content).hexdigest()}"

    def descriptor(self, media_type: str) -> dict[str, object]:
        """How a manifest names it."""
        return {"mediaType": media_type, "digest": self.digest, "size": len(self.content)}


def image(config: Small, *layers: Small) -> Small:
    """An OCI image manifest."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor(CONFIG_TYPE),
        "layers": [layer.descriptor(LAYER_TYPE) for layer in layers],
    }
    return Small(json.dumps(document).encode())


class Body:
    """The shared bytes of all large blobs: a file in memory, and the hash of each prefix that is in use."""

    def __init__(self, directory: Path, size: int) -> None:
        self._file = directory / "body"
        with self._file.open("wb") as file:
            for start in range(0, size, BLOCK):
                file.write(os.urandom(min(BLOCK, size - start)))
        self._prefixes: dict[int, HASH] = {}

    def unique(self, size: int) -> Content:
        """Content of that size that nobody has pushed yet; costs one short hash, not one of the whole."""
        return self._content(size, os.urandom(TRAILER))

    def fixed(self, size: int) -> Content:
        """The same content at every call."""
        return self._content(size, b"m" * TRAILER)

    def repeated(self, times: int) -> Content:
        """The whole body `times` over, and a trailer; each call hashes all of it."""
        trailer = os.urandom(TRAILER)
        whole = sha256()
        for _ in range(times):
            with self._file.open("rb") as file:
                while block := file.read(BLOCK):
                    whole.update(block)
        whole.update(trailer)
        size = times * self._file.stat().st_size + len(trailer)
        return Content(self._file, size, trailer, f"sha256:{whole.hexdigest()}", times)

    def write(self, content: Content, target: Path) -> None:
        """Write content to a file."""
        with content.file.open("rb") as source, target.open("wb") as file:
            left = content.size - len(content.trailer)
            while left:
                left -= file.write(source.read(min(BLOCK, left)))
            file.write(content.trailer)

    def _content(self, size: int, trailer: bytes) -> Content:
        whole = self._prefix(size - len(trailer))
        whole.update(trailer)
        return Content(self._file, size, trailer, f"sha256:{whole.hexdigest()}")

    def _prefix(self, size: int) -> "HASH":
        """The hash of the first bytes of the file, ready to go on with."""
        if size not in self._prefixes:
            known = max((length for length in self._prefixes if length < size), default=0)
            whole = self._prefixes[known].copy() if known else sha256()
            with self._file.open("rb") as file:
                file.seek(known)
                left = size - known
                while left:
                    block = file.read(min(BLOCK, left))
                    whole.update(block)
                    left -= len(block)
            self._prefixes[size] = whole
        return self._prefixes[size].copy()
