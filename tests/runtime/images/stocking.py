"""Images put into a registry by the engine's own client, from a layout that a test makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from registry.client.credentials import Credentials
from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.parts import images
from tests.parts.images import Layout
from tests.parts.server import ADMIN_PASSWORD

ADMIN = Credentials("admin", ADMIN_PASSWORD)


@dataclass(frozen=True, slots=True)
class Stock:
    """A registry that a test fills. `host`: where it is."""

    host: str
    credentials: Credentials = ADMIN

    def put(self, layout: Layout, top: images.Descriptor, repository: str, tag: str) -> Digest:
        """Push what a descriptor of a layout names, and all below it."""
        with Registry(self.host, self.credentials) as registry:
            self._push(registry, layout, top, RepositoryName.parse(repository), Tag.parse(tag))
        return Digest.parse(top.digest)

    def _push(
        self,
        registry: Registry,
        layout: Layout,
        top: images.Descriptor,
        repository: RepositoryName,
        reference: Tag | Digest,
    ) -> None:
        content = path_of(layout, top.digest).read_bytes()
        document = json.loads(content)
        for child in document.get("manifests", ()):
            below = images.Descriptor(child["mediaType"], child["digest"], child["size"])
            self._push(registry, layout, below, repository, Digest.parse(child["digest"]))
        for blob in (*document.get("layers", ()), *([document["config"]] if "config" in document else [])):
            path = path_of(layout, blob["digest"])
            descriptor = Descriptor(blob["mediaType"], Digest.parse(blob["digest"]), blob["size"])
            if not registry.has_blob(repository, descriptor):
                registry.push_blob(repository, descriptor, partial(reading, path))
        registry.put_manifest(repository, reference, content, top.media_type)


def path_of(layout: Layout, digest: str) -> Path:
    """Where a layout keeps content."""
    return layout.path / "blobs" / digest.replace(":", "/")


def reading(path: Path, offset: int = 0) -> Iterator[bytes]:
    """A file's bytes from an offset on."""
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(2**18):
            yield block
