"""One layer on its way from a registry: downloaded, hashed, kept and unpacked in one pass.

The compressed bytes are kept, so that what is pushed later is what was pulled. Neither the layer nor its bytes appear
before both digests were right. Lines are Docker's (moby, distribution/xfer and pull_v2).
"""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from registry.client.errors import Interrupted
from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName
from runtime.errors import EngineError
from runtime.images.content import Content, Ingest, WrongContent
from runtime.images.images import Images
from runtime.images.layer import Blob
from runtime.images.neighbour import Neighbour
from runtime.images.registries import RegistryFailed, failing
from runtime.images.transfers import Say
from storage.digest import Digest
from storage.hashing import Hasher, digest_of

INTERVAL = 0.1
"""Seconds between two lines of progress of one layer, as Docker has it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where layers come from. `neighbour`: that registry's files, where they are on this machine."""

    registry: Registry
    repository: RepositoryName
    neighbour: Neighbour | None = None


class Arrival:
    """The way of one layer. `diff_id`: what it must unpack to, by the image's configuration."""

    def __init__(self, images: Images, source: Source, descriptor: Descriptor, diff_id: Digest, say: Say) -> None:
        self._layers = images.layers
        self._content: Content = images.content
        self._source = source
        self._descriptor = descriptor
        self._diff_id = diff_id
        self._say = say
        self._id = descriptor.digest.encoded[:12]
        self._next = 0.0

    def run(self) -> None:
        """Bring the layer here. Raises: RegistryFailed, WrongContent, WrongLayer, BadLayer; what `say` raises."""
        if not self._layers.has(self._diff_id) and not self._linked():
            self._download()
        if self._content.has(self._descriptor.digest):
            self._layers.remember(self._diff_id, self._blob())
        self._tell("Pull complete")

    def _download(self) -> None:
        """Download and unpack; once more from the beginning where what an earlier attempt left was wrong.

        Only what a broken connection left is kept for the next attempt.
        """
        for fresh in (False, True):
            with self._content.ingest(self._descriptor.digest) as ingest:
                if fresh or ingest.offset > self._descriptor.size:
                    ingest.restart()
                resumed = ingest.offset > 0
                try:
                    self._unpack(self._downloaded(ingest))
                    return
                except EngineError as error:
                    if not isinstance(error.__cause__, Interrupted):
                        ingest.abort()
                    if not resumed or isinstance(error, RegistryFailed):
                        raise

    def _downloaded(self, ingest: Ingest) -> Generator[bytes, None, None]:
        """Give the bytes, the kept ones first, and publish them before the reader learns that they end."""
        yield from ingest.kept()
        descriptor = self._descriptor
        if ingest.offset < descriptor.size:
            blocks = self._source.registry.blob_from(self._source.repository, descriptor, ingest.offset)
            with failing():
                for block in blocks:
                    ingest.write(block)
                    self._progress("Downloading", ingest.offset)
                    yield block
        self._tell("Verifying Checksum")
        ingest.commit(size=descriptor.size)
        self._tell("Download complete")

    def _linked(self) -> bool:
        """Take the bytes from where they are on this machine: kept here, or the registry's own. False: download."""
        digest = self._descriptor.digest
        if not self._content.has(digest) and not self._link():
            return False
        try:
            self._unpack(self._checked())
        except EngineError as error:
            if isinstance(error, RegistryFailed) or digest_of(self._content.blocks(digest), digest.algorithm) == digest:
                raise
            self._content.remove(digest)  # damaged; bytes that are right stay, whatever this image says of them
            return False
        return True

    def _link(self) -> bool:
        """Link the registry's file, if this user may have it: the registry is asked. False: there is none."""
        source = self._source
        file = source.neighbour.open(self._descriptor) if source.neighbour else None
        if file is None:
            return False
        with file, failing():
            if not source.registry.has_blob(source.repository, self._descriptor):
                return False
            self._content.link(self._descriptor.digest, file)
        self._tell("Download complete")
        return True

    def _checked(self) -> Generator[bytes, None, None]:
        """Give the kept bytes. Raises WrongContent at their end where they are others."""
        hasher, digest, position = Hasher(self._descriptor.digest.algorithm), self._descriptor.digest, 0
        for block in self._content.blocks(digest):
            hasher.update(block)
            position += len(block)
            yield block
            self._progress("Extracting", position)
        if hasher.digest() != digest:
            raise WrongContent(f"the content is that of {hasher.digest()}, not of {digest}")

    def _unpack(self, blocks: Generator[bytes, None, None]) -> None:
        """Unpack, and read to the end what the unpacking had no need of."""
        with closing(blocks):  # a download that is not wanted any more ends here, not when its memory is collected
            self._layers.unpack(self._diff_id, blocks, kept=self._blob)
            for _ in blocks:
                pass
        self._say(self._line("Extracting", self._descriptor.size))

    def _blob(self) -> Blob:
        return Blob(self._descriptor.digest, self._descriptor.size, self._descriptor.media_type)

    def _progress(self, status: str, current: int) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + INTERVAL
            self._say(self._line(status, current))

    def _tell(self, status: str) -> None:
        self._say({"status": status, "progressDetail": {}, "id": self._id})

    def _line(self, status: str, current: int) -> dict[str, object]:
        total = self._descriptor.size
        return {"status": status, "progressDetail": {"current": current, "total": total}, "id": self._id}
