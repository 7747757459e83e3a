"""Manifests: their kinds, references and limits; and that no document, however odd, is more than invalid."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.oci import mediatypes
from registry.oci.descriptors import SIZE_LIMIT, Descriptor, Role, is_media_type
from registry.oci.manifests import DESCRIPTOR_LIMIT, LAYER_LIMIT, InvalidManifest, parse_manifest
from registry.oci.mediatypes import ManifestKind, is_foreign
from storage.digest import Digest
from tests.oci.strategies import json_values
from tests.spec.contents import EMPTY, OCI_CONFIG, OCI_EMPTY, artifact, descriptor, image, index, written


def parsed(document: object, content_type: str | None = None) -> Any:
    return parse_manifest(written(document), content_type)


def test_an_image_names_its_config_and_layers_in_order() -> None:
    manifest = parsed(image(EMPTY, b"one", b"two", annotations={"a": "b"}))
    assert manifest.kind is ManifestKind.IMAGE
    assert [(arrow.role, arrow.place) for arrow in manifest.references] == [
        (Role.CONFIG, "config"),
        (Role.LAYER, "layers[0]"),
        (Role.LAYER, "layers[1]"),
    ]
    assert manifest.references[1].descriptor == Descriptor(
        "application/vnd.oci.image.layer.v1.tar+gzip", Digest.of(b"one"), 3
    )
    assert manifest.layers == 2
    assert manifest.subject is None
    assert manifest.artifact_type == OCI_CONFIG
    assert manifest.annotations == {"a": "b"}


def test_an_index_names_its_children() -> None:
    manifest = parsed(index(descriptor(b"one", mediatypes.OCI_MANIFEST)))
    assert manifest.kind is ManifestKind.INDEX
    assert [arrow.role for arrow in manifest.references] == [Role.CHILD]
    assert (manifest.layers, manifest.artifact_type) == (0, None)


def test_an_artifact_names_its_subject() -> None:
    manifest = parsed(artifact(b"base", "application/x"))
    assert manifest.subject == Descriptor(mediatypes.OCI_MANIFEST, Digest.of(b"base"), 4)
    assert manifest.artifact_type == "application/x"


def test_another_kind_is_read_by_its_shape() -> None:
    document = {"blobs": [descriptor(b"x")], "manifests": [descriptor(b"y", OCI_EMPTY)]}
    manifest = parsed(document, "application/vnd.example")
    assert manifest.kind is ManifestKind.OTHER
    assert [arrow.role for arrow in manifest.references] == [Role.LAYER, Role.CHILD]


@pytest.mark.parametrize("media_type", [mediatypes.OCI_MANIFEST, mediatypes.DOCKER_MANIFEST, mediatypes.OCI_INDEX])
def test_the_content_type_alone_says_what_it_is(media_type: str) -> None:
    document = image() if media_type != mediatypes.OCI_INDEX else index()
    del document["mediaType"]
    assert parsed(document, media_type).media_type == media_type


@pytest.mark.parametrize(("count", "taken"), [(LAYER_LIMIT, True), (LAYER_LIMIT + 1, False)])
def test_layers(count: int, taken: bool) -> None:
    document = image(EMPTY, *[b"x"] * count)
    if taken:
        assert parsed(document).layers == count
        return
    with pytest.raises(InvalidManifest, match="1001 layers"):
        parsed(document)


@pytest.mark.parametrize(("count", "taken"), [(DESCRIPTOR_LIMIT, True), (DESCRIPTOR_LIMIT + 1, False)])
def test_descriptors(count: int, taken: bool) -> None:
    document = index(*[descriptor(b"x", OCI_EMPTY)] * count)
    if taken:
        assert len(parsed(document).references) == count
        return
    with pytest.raises(InvalidManifest, match="10001 things"):
        parsed(document)


@pytest.mark.parametrize(("size", "taken"), [(0, True), (SIZE_LIMIT, True), (SIZE_LIMIT + 1, False), (-1, False)])
def test_sizes(size: int, taken: bool) -> None:
    document = image() | {"config": descriptor(EMPTY, OCI_EMPTY) | {"size": size}}
    if taken:
        assert parsed(document).references[0].descriptor.size == size
        return
    with pytest.raises(InvalidManifest, match=r"config\.size"):
        parsed(document)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a/b", True),
        ("application/vnd.oci.image.manifest.v1+json", True),
        ("a" * 127 + "/" + "b" * 127, True),
        ("a" * 128 + "/b", False),
        ("a/" + "b" * 128, False),
        ("a", False),
        ("a/", False),
        ("/b", False),
        ("a/b/c", False),
        ("a/b;c", False),
        ("a /b", False),
        ("a/b\n", False),
        ("+/b", False),
        ("é/b", False),
        ("", False),
    ],
)
def test_media_types(text: str, is_one: bool) -> None:
    assert is_media_type(text) == is_one


def test_foreign_layers_are_known_by_their_types() -> None:
    assert is_foreign(mediatypes.OCI_NONDISTRIBUTABLE + "+zstd")
    assert is_foreign(mediatypes.DOCKER_FOREIGN_LAYER + ".gzip")
    assert not is_foreign("application/vnd.oci.image.layer.v1.tar")


START = [
    image(EMPTY, b"x", annotations={"a": "b"}),
    index(descriptor(b"x", OCI_EMPTY)),
    artifact(b"base", "application/x"),
]
KEYS = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "subject",
    "blobs",
    "artifactType",
    "annotations",
]
INNER = ["mediaType", "digest", "size", "annotations", "Digest", "x"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a manifest in which a few members were removed or became anything, and maybe a few bytes too."""
    document = json.loads(json.dumps(draw(st.sampled_from(START))))
    for _ in range(draw(st.integers(0, 3))):
        target = document
        if draw(st.booleans()):
            inner: list[Any] = [value for value in document.values() if isinstance(value, dict)]
            inner += [item for value in document.values() if isinstance(value, list) for item in value]
            inner = [value for value in inner if isinstance(value, dict)]
            target = draw(st.sampled_from(inner)) if inner else document
        key = draw(st.sampled_from(KEYS if target is document else INNER))
        if draw(st.booleans()):
            target.pop(key, None)
        else:
            target[key] = draw(st.one_of(json_values, st.just([target.copy()]), st.just(target.copy())))
    content = bytearray(json.dumps(document).encode())
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(content) - 1))
        content[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(content)


@given(mutated(), st.sampled_from([None, mediatypes.OCI_MANIFEST, mediatypes.OCI_INDEX, "application/x", "text/plain"]))
def test_a_mutated_manifest_is_one_or_invalid(content: bytes, content_type: str | None) -> None:
    try:
        manifest = parse_manifest(content, content_type)
    except InvalidManifest as error:
        assert str(error).isascii()
        return
    assert manifest.content == content
    assert manifest.media_type.startswith("application/")
    again = json.loads(content)
    for arrow in manifest.references:
        assert 0 <= arrow.descriptor.size <= SIZE_LIMIT
        assert arrow.descriptor.digest == Digest.parse(str(arrow.descriptor.digest))
        assert arrow.place.partition("[")[0] in again
