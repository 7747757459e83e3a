"""From a name in a registry to the image that it means: indexes, the manifest and the configuration, each checked.

Documents are read strictly, so that no two readers understand them differently (CVE-2021-41190); what is fetched by a
digest is what has it. Sources: image-spec, "Image Index" and "Image Manifest"; moby, distribution/pull_v2.go.
"""

from collections.abc import Callable
from dataclasses import dataclass

from registry.client.registry import Registry
from registry.oci import mediatypes
from registry.oci.descriptors import Descriptor, Role
from registry.oci.manifests import InvalidManifest, Manifest, parse_manifest
from registry.oci.mediatypes import ManifestKind
from registry.oci.names import Reference, RepositoryName
from runtime.errors import EngineError
from runtime.images import choice, configuration
from runtime.images.choice import Platform
from runtime.images.configuration import Configuration
from storage.digest import Digest

MANIFEST_LIMIT = 4 * 2**20
DEPTH = 3
"""Indexes within indexes."""
CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})
_UNSAID = frozenset({"", "application/json", "text/plain", "application/octet-stream"})
"""Media types that say nothing, as servers of files give them."""


class BadImage(EngineError):
    """What the registry calls an image is none; nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image in a registry: `digest` is what its name means there, perhaps an index's."""

    digest: Digest
    manifest: Manifest
    config: bytes
    read: Configuration
    layers: tuple[Descriptor, ...]


class Finding:
    """From a name in a registry to the image that it means, by way of indexes."""

    def __init__(self, registry: Registry, repository: RepositoryName, wanted: Platform) -> None:
        self._registry = registry
        self._repository = repository
        self._wanted = wanted

    def find(self, reference: Reference, begun: Callable[[], None]) -> Found:
        """Read manifests, and the configuration. `begun` is called once the name is known to mean something."""
        digest, manifest = self._manifest(reference, None)
        begun()
        first = digest
        for _ in range(DEPTH):
            if manifest.kind is not ManifestKind.INDEX:
                return self._image(first, manifest)
            child = choice.choose(manifest, self._wanted)
            digest, manifest = self._manifest(child.digest, child)
        raise BadImage(f"{first} leads from index to index")

    def _manifest(self, reference: Reference, expected: Descriptor | None) -> tuple[Digest, Manifest]:
        fetched = self._registry.manifest(self._repository, reference)
        media_type = None if fetched.media_type in _UNSAID else fetched.media_type
        try:
            manifest = parse_manifest(fetched.content, media_type)
        except InvalidManifest as error:
            raise BadImage(str(error)) from error
        if expected is not None and (expected.media_type, expected.size) != (manifest.media_type, len(fetched.content)):
            raise BadImage(f"{expected.digest} is not what its index says that it is")
        return fetched.digest, manifest

    def _image(self, digest: Digest, manifest: Manifest) -> Found:
        config = next((a.descriptor for a in manifest.references if a.role is Role.CONFIG), None)
        if manifest.kind is not ManifestKind.IMAGE or config is None or config.media_type not in CONFIGS:
            kind = manifest.artifact_type or manifest.media_type
            raise BadImage(f'encountered remote "{kind}" when fetching: it is an artifact, and no image that runs')
        if config.size > configuration.LIMIT:
            raise BadImage(f"the image's configuration has more than {configuration.LIMIT} bytes")
        content = self._registry.small_blob(self._repository, config)
        read = configuration.read(content)
        layers = tuple(arrow.descriptor for arrow in manifest.references if arrow.role is Role.LAYER)
        if len(layers) != len(read.diff_ids):
            raise BadImage("layers from manifest don't match image configuration")
        if any(mediatypes.is_foreign(layer.media_type) for layer in layers):
            raise BadImage("the image has layers that its registry does not hold (foreign layers)")
        return Found(digest, manifest, content, read, layers)
