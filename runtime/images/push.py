"""Push: an image's layers, configuration and manifest, to the registry that its name says.

An image that came from a registry goes out with the manifest that it came with, and so with the same digest, as long as
its bytes are kept. Lines and sentences are Docker's (moby, distribution/push_v2.go).
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor, Role
from registry.oci.manifests import parse_manifest
from registry.oci.mediatypes import OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from runtime.errors import BadParameter, NotFound
from runtime.images import configuration
from runtime.images.departing_layer import BLOCK, BOTH, LAYER, Departure
from runtime.images.finding import MANIFEST_LIMIT
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.layer import Blob
from runtime.images.reference import ImageReference
from runtime.images.registries import Registries, failing
from runtime.images.transfers import Inbox, Say, Transfers, follow
from storage.digest import Digest

Feed = Callable[[Mapping[str, Any]], None]
CONFIG = "application/vnd.oci.image.config.v1+json"
PARALLEL = 5
"""Layers under way at a time, as in Docker."""
NEIGHBOURS = 3
"""Repositories that are asked for a layer before it is sent."""


class Pusher:
    """Pushes images. Safe from any thread."""

    def __init__(self, images: Images, registries: Registries) -> None:
        self._images = images
        self._registries = registries
        self._transfers = Transfers(PARALLEL)

    def close(self) -> None:
        """Wait for layers under way; nothing may be pushed afterwards."""
        self._transfers.close()

    def push(self, reference: ImageReference, *, credentials: Mapping[str, Any] | None = None, feed: Feed) -> None:
        """Push a tag, or every tag of the name where the reference has none.

        Raises: NotFound and RegistryFailed in Docker's words; BadParameter for a digest.
        """
        tagged = self._meant(reference)
        with failing():
            registry = self._registries.open(reference.registry, credentials or {})
        name = replace(reference, tag=None)
        feed({"status": f"The push refers to repository [{name}]"})
        with registry:
            for image, each in tagged:
                self._push(registry, image, each, feed)

    def _meant(self, reference: ImageReference) -> list[tuple[Image, ImageReference]]:
        if reference.digest is not None:
            raise BadParameter("cannot push a digest reference")
        found = [
            (image, tag)
            for image in self._images.all()
            for tag in image.tags
            if replace(tag, tag=None) == replace(reference, tag=None) and reference.tag in (None, tag.tag)
        ]
        shown = self._images.familiar(reference)
        if not found and reference.tag is not None:
            raise NotFound(f"tag does not exist: {shown}")
        if not found:
            raise NotFound(f"An image does not exist locally with the tag: {shown}")
        return found

    def _push(self, registry: Registry, image: Image, reference: ImageReference, feed: Feed) -> None:
        repository = RepositoryName.parse(reference.repository)
        owner = f"push-{secrets.token_hex(8)}"
        self._images.layers.hold(owner, image.diff_ids)
        try:
            self._send_layers(registry, repository, image, reference, feed)
            config = self._images.content.read(image.id, configuration.LIMIT)
            content, media_type = self._manifest(image, config)
            with failing():
                self._send_config(registry, repository, image, content, config)
                registry.put_manifest(repository, Tag.parse(reference.tag or "latest"), content, media_type)
        finally:
            self._images.layers.release(owner)
        digest = Digest.of(content)
        self._images.register(config, references=[replace(reference, tag=None, digest=digest)], manifest=content)
        self._images.tell("push", image.id, self._images.familiar(reference))
        feed({"status": f"{reference.tag}: digest: {digest} size: {len(content)}"})
        feed({"progressDetail": {}, "aux": {"Tag": reference.tag, "Digest": str(digest), "Size": len(content)}})

    def _send_layers(
        self, registry: Registry, repository: RepositoryName, image: Image, reference: ImageReference, feed: Feed
    ) -> None:
        inbox, transfers = Inbox(), []
        for diff_id in dict.fromkeys(reversed(image.diff_ids)):
            neighbours = self._neighbours(diff_id, reference)

            def work(say: Say, diff_id: Digest = diff_id, neighbours: list[RepositoryName] = neighbours) -> None:
                Departure(self._images, registry, repository, diff_id, neighbours, say).run()

            key = (secrets.token_hex(8), diff_id)  # never joined: the registry's client is this push's own
            transfers.append(self._transfers.join(key, work, inbox, diff_id.encoded[:12]))
        follow(transfers, inbox, feed)

    def _neighbours(self, diff_id: Digest, reference: ImageReference) -> list[RepositoryName]:
        """Name repositories of the same registry that had a layer when it was pulled from, or pushed to, them."""
        names = {
            name.repository
            for image in self._images.all()
            if diff_id in image.diff_ids
            for name in image.digests
            if name.registry == reference.registry and name.repository != reference.repository
        }
        return [RepositoryName.parse(name) for name in sorted(names)[:NEIGHBOURS]]

    def _manifest(self, image: Image, config: bytes) -> tuple[bytes, str]:
        """Give the manifest: the one that the image came with, where it still names what is sent; else a new one."""
        blobs = [self._blob(diff_id) for diff_id in image.diff_ids]
        if image.manifest is not None:
            content = self._images.content.read(image.manifest, MANIFEST_LIMIT)
            manifest = parse_manifest(content, None)
            layers = [arrow.descriptor.digest for arrow in manifest.references if arrow.role is Role.LAYER]
            if layers == [blob.digest for blob in blobs]:
                return content, manifest.media_type
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": CONFIG, "digest": str(image.id), "size": len(config)},
            "layers": [
                {"mediaType": _media_type(blob), "digest": str(blob.digest), "size": blob.size} for blob in blobs
            ],
        }
        return json.dumps(document, separators=(",", ":")).encode(), OCI_MANIFEST

    def _blob(self, diff_id: Digest) -> Blob:
        blob = self._images.layers.blob(diff_id)
        if blob is None:
            raise NotFound(f"layer {diff_id} has been removed meanwhile")
        return blob

    def _send_config(
        self, registry: Registry, repository: RepositoryName, image: Image, manifest: bytes, config: bytes
    ) -> None:
        parsed = parse_manifest(manifest, None)
        descriptor = next(arrow.descriptor for arrow in parsed.references if arrow.role is Role.CONFIG)
        descriptor = Descriptor(descriptor.media_type, image.id, len(config))
        if not registry.has_blob(repository, descriptor, BOTH):
            pieces = range(0, len(config), BLOCK)
            registry.push_blob(
                repository, descriptor, lambda start: iter([config[start + at : start + at + BLOCK] for at in pieces])
            )


def _media_type(blob: Blob) -> str:
    """Call a layer by the image-spec's names, whatever it was called where it came from."""
    if blob.media_type.endswith("zstd"):
        return f"{LAYER}+zstd"
    return f"{LAYER}+gzip" if blob.media_type.endswith("gzip") else LAYER
