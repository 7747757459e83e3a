"""Content for the tests: blobs, descriptors and manifests, made without the code under test."""

import hashlib
import json
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

EMPTY = b"{}"
Document = dict[str, Any]


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Name content by its hash."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(content: bytes, media_type: str = OCI_LAYER, algorithm: str = "sha256", **more: object) -> Document:
    """Describe content."""
    return {"mediaType": media_type, "digest": digest_of(content, algorithm), "size": len(content), **more}


def image(config: bytes = EMPTY, *layers: bytes, media_type: str = OCI_MANIFEST, **more: object) -> Document:
    """Write an image manifest."""
    docker = media_type == DOCKER_MANIFEST
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(config, DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": [descriptor(layer, DOCKER_LAYER if docker else OCI_LAYER) for layer in layers],
        **more,
    }


def index(*children: Document, media_type: str = OCI_INDEX, **more: object) -> Document:
    """Write an image index."""
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": list(children), **more}


def artifact(subject: bytes, artifact_type: str, **more: object) -> Document:
    """Write an artifact that refers to a manifest."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": descriptor(EMPTY, OCI_EMPTY),
        "layers": [descriptor(EMPTY, OCI_EMPTY)],
        "subject": descriptor(subject, OCI_MANIFEST),
        **more,
    }


def written(document: object) -> bytes:
    """Write a document as bytes."""
    return json.dumps(document).encode()
