"""Manifests of every kind: Docker's, OCI's, caches, artifacts of any type; what is retired is refused with advice."""

import pytest

from tests.spec.contents import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    descriptor,
    digest_of,
    image,
    index,
    written,
)
from tests.spec.registry import Registry

LAYER = b"a layer"


def test_buildkit_cache_index_has_blobs_as_children(registry: Registry, name: str) -> None:
    """BuildKit exports its cache as an index whose children are layers and a config of its own media type."""
    config = b'{"layers":[]}'
    for blob in (LAYER, config):
        registry.push_blob(name, blob)
    document = index(
        descriptor(LAYER), descriptor(config, "application/vnd.buildkit.cacheconfig.v0"), annotations={"a": "b"}
    )
    content = registry.push(name, "cache", document)
    assert registry.get(f"/v2/{name}/manifests/cache").body == content
    registry.delete(f"/v2/{name}/blobs/{digest_of(LAYER)}").expect(405, "UNSUPPORTED")
    registry.put_manifest(name, "cache2", index(descriptor(b"absent")), OCI_INDEX).expect(404, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
def test_nondistributable_layers_may_be_absent(registry: Registry, name: str, media_type: str) -> None:
    document = image() | {"layers": [descriptor(b"elsewhere", media_type, urls=["https://example.org/layer"])]}
    registry.push(name, "windows", document)


def test_docker_schema_2_and_list(registry: Registry, name: str) -> None:
    child = registry.push(name, "child", image(EMPTY, LAYER, media_type=DOCKER_MANIFEST), LAYER)
    assert registry.get(f"/v2/{name}/manifests/child")["content-type"] == DOCKER_MANIFEST
    document = index(descriptor(child, DOCKER_MANIFEST, platform={"os": "linux"}), media_type=DOCKER_LIST)
    content = registry.push(name, "multi", document)
    answer = registry.get(f"/v2/{name}/manifests/multi").expect(200)
    assert (answer["content-type"], answer.body) == (DOCKER_LIST, content)
    assert DOCKER_CONFIG.encode() in child
    assert DOCKER_LAYER.encode() in child


@pytest.mark.parametrize(
    ("content_type", "document"),
    [
        ("application/vnd.docker.distribution.manifest.v1+json", {"schemaVersion": 1}),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", {"schemaVersion": 1, "signatures": []}),
        (None, {"schemaVersion": 1, "name": "app", "fsLayers": []}),
        ("application/json", {"schemaVersion": 1, "name": "app", "fsLayers": []}),
    ],
)
def test_docker_schema_1_is_refused_with_advice(
    registry: Registry, name: str, content_type: str | None, document: object
) -> None:
    answer = registry.put_manifest(name, "old", document, content_type).expect(400, "MANIFEST_INVALID")
    assert "schema 1" in answer.message
    assert "skopeo copy" in answer.message


@pytest.mark.parametrize(
    "media_type",
    ["application/vnd.example.thing.v1+json", "application/vnd.cncf.helm.manifest", "application/json"],
)
def test_artifacts_of_any_media_type(registry: Registry, name: str, media_type: str) -> None:
    registry.push_blob(name, LAYER)
    document = {"mediaType": media_type, "blobs": [descriptor(LAYER)], "unknown": {"kept": [1, 2.5, None]}}
    content = written(document)
    registry.put_manifest(name, "thing", content, media_type).expect(201)
    answer = registry.get(f"/v2/{name}/manifests/thing").expect(200)
    assert (answer["content-type"], answer.body) == (media_type, content)
    registry.put_manifest(name, "thing", {"blobs": [descriptor(b"absent")]}, media_type).expect(
        404, "MANIFEST_BLOB_UNKNOWN"
    )


def test_the_retired_artifact_manifest_needs_no_config(registry: Registry, name: str) -> None:
    media_type = "application/vnd.oci.artifact.manifest.v1+json"
    registry.push_blob(name, LAYER)
    document = {"mediaType": media_type, "artifactType": "application/x", "blobs": [descriptor(LAYER)]}
    registry.put_manifest(name, "thing", document, media_type).expect(201)


def test_the_content_types_parameters_are_ignored(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    registry.put_manifest(name, "latest", image(), f"{OCI_MANIFEST}; charset=utf-8").expect(201)
    assert registry.get(f"/v2/{name}/manifests/latest")["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize("own", [True, False])
def test_without_content_type_the_document_says_what_it_is(registry: Registry, name: str, own: bool) -> None:
    registry.push_blob(name, EMPTY)
    for document, media_type in ((image(), OCI_MANIFEST), (index(), OCI_INDEX)):
        if not own:
            del document["mediaType"]
        registry.put_manifest(name, "guess", document, None).expect(201)
        assert registry.get(f"/v2/{name}/manifests/guess")["content-type"] == media_type


def test_unknown_fields_and_data_are_kept(registry: Registry, name: str) -> None:
    document = image(future={"deep": [{"x": 1}]}) | {
        "config": descriptor(EMPTY, OCI_EMPTY, data="e30=", urls=["https://example.org"])
    }
    content = registry.push(name, "latest", document)
    assert registry.get(f"/v2/{name}/manifests/latest").body == content
