"""Media types that the registry must know, and how each kind of manifest is read.

Everything else is carried as it came: artifacts may have any media type (image-spec, "Media Types").
"""

from enum import Enum

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar"
OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"
DOCKER_SCHEMA1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)


class ManifestKind(Enum):
    """What a manifest's bytes are read as."""

    IMAGE = "image"
    INDEX = "index"
    OTHER = "other"


KINDS = {
    OCI_MANIFEST: ManifestKind.IMAGE,
    DOCKER_MANIFEST: ManifestKind.IMAGE,
    OCI_ARTIFACT: ManifestKind.IMAGE,
    OCI_INDEX: ManifestKind.INDEX,
    DOCKER_LIST: ManifestKind.INDEX,
}

MANIFEST_TYPES = frozenset(KINDS)


def is_foreign(media_type: str) -> bool:
    """Tell whether a layer lives elsewhere by design, so that its absence here is no fault (image-spec, "Layer")."""
    return media_type.startswith((DOCKER_FOREIGN_LAYER, OCI_NONDISTRIBUTABLE))
