"""One layer on its way to a registry: found there already, mounted from a neighbour, or sent.

It goes in the form in which it came, where those bytes are kept; otherwise it is packed again and kept from then on, so
that the next push is the same. Lines are Docker's (moby, distribution/push_v2.go).
"""

import time
from collections.abc import Iterator, Sequence

from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName
from runtime.images.compression import Packer
from runtime.images.images import Images
from runtime.images.layer import Blob
from runtime.images.registries import failing
from runtime.images.transfers import Say
from storage.digest import Digest

INTERVAL = 0.1
BLOCK = 2**18
LAYER = "application/vnd.oci.image.layer.v1.tar"
BOTH = "pull,push"


class Departure:
    """The way of one layer. `neighbours`: repositories of that registry that may have it."""

    def __init__(
        self,
        images: Images,
        registry: Registry,
        repository: RepositoryName,
        diff_id: Digest,
        neighbours: Sequence[RepositoryName],
        say: Say,
    ) -> None:
        self._images = images
        self._registry = registry
        self._repository = repository
        self._diff_id = diff_id
        self._neighbours = neighbours
        self._say = say
        self._next = 0.0

    def run(self) -> None:
        """Bring the layer there. Raises: RegistryFailed, WrongLayer, NotFound; what `say` raises."""
        self._tell("Preparing")
        blob = self._images.layers.blob(self._diff_id) or self._packed()
        descriptor = Descriptor(blob.media_type, blob.digest, blob.size)
        with failing():
            self._tell(self._brought(descriptor))

    def _brought(self, descriptor: Descriptor) -> str:
        """Do what is needed, and return what it is called."""
        if self._registry.has_blob(self._repository, descriptor, BOTH):
            return "Layer already exists"
        place = None
        for source in self._neighbours:
            place = self._registry.mount(self._repository, descriptor, source)
            if place is None:
                return f"Mounted from {source}"
        self._registry.push_blob(self._repository, descriptor, lambda start: self._read(descriptor, start), place)
        return "Pushed"

    def _read(self, descriptor: Descriptor, position: int) -> Iterator[bytes]:
        with self._images.content.open(descriptor.digest) as file:
            file.seek(position)
            while block := file.read(BLOCK):
                yield block
                position += len(block)
                self._progress(position, descriptor.size)

    def _packed(self) -> Blob:
        """Pack the layer with gzip, and keep that."""
        packer = Packer()
        with self._images.content.ingest() as ingest:
            for block in self._images.layers.archive(self._diff_id):
                ingest.write(packer.add(block))
            ingest.write(packer.end())
            size = ingest.offset
            blob = Blob(ingest.commit(), size, f"{LAYER}+gzip")
        self._images.layers.remember(self._diff_id, blob)
        return blob

    def _progress(self, current: int, total: int) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + INTERVAL
            detail = {"current": current, "total": total}
            self._say({"status": "Pushing", "progressDetail": detail, "id": self._diff_id.encoded[:12]})

    def _tell(self, status: str) -> None:
        self._say({"status": status, "progressDetail": {}, "id": self._diff_id.encoded[:12]})
