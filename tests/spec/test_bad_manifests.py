"""Manifests that could be read in two ways, or not at all: 400 MANIFEST_INVALID, and the sentence says where.

Two readers that understand the same bytes differently are how a checked image becomes another one (CVE-2021-41190).
"""

import json

import pytest

from tests.spec.contents import EMPTY, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, image, index, written
from tests.spec.registry import Registry

# One driver is enough: this is about the catalog and the words alone.
pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")

CONFIG = json.dumps(descriptor(EMPTY, OCI_EMPTY))
HEAD = f'"schemaVersion": 2, "mediaType": "{OCI_MANIFEST}"'
WHOLE = f'{{{HEAD}, "config": {CONFIG}, "layers": []}}'


def with_config(**changes: object) -> bytes:
    """Write an image whose config descriptor is changed; None removes a field."""
    config = {**descriptor(EMPTY, OCI_EMPTY), **changes}
    return written(image() | {"config": {key: value for key, value in config.items() if value is not None}})


def with_member(member: str) -> bytes:
    """Write an image with one more member, as text."""
    return f'{{{HEAD}, "config": {CONFIG}, "layers": [], {member}}}'.encode()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "no JSON": (b"manifest", "not JSON"),
    "cut short": (WHOLE.encode()[:-1], "not JSON"),
    "something behind": (WHOLE.encode() + b"{}", "not JSON"),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE.encode(), "not JSON"),
    "UTF-16": (WHOLE.encode("utf-16"), "not UTF-8"),
    "bad UTF-8": (with_member('"annotations": {"a": "X"}').replace(b"X", b"\xff"), "not UTF-8"),
    "overlong UTF-8": (with_member('"annotations": {"a": "X"}').replace(b"X", b"\xc0\xaf"), "not UTF-8"),
    "surrogates in UTF-8": (with_member('"annotations": {"a": "X"}').replace(b"X", b"\xed\xa0\x80"), "not UTF-8"),
    "half a surrogate pair": (with_member(r'"annotations": {"a": "\ud800"}'), "surrogate"),
    "half a surrogate pair in a key": (with_member(r'"annotations": {"\udfff": "b"}'), "surrogate"),
    "control character": (with_member('"annotations": {"a": "\n"}'), "not JSON"),
    "comment": (b"/* */" + WHOLE.encode(), "not JSON"),
    "single quotes": (WHOLE.replace('"', "'").encode(), "not JSON"),
    "trailing comma": (WHOLE[:-1].encode() + b",}", "not JSON"),
    "NaN": (with_member('"x": NaN'), "NaN"),
    "Infinity": (with_member('"x": [Infinity]'), "Infinity"),
    "-Infinity": (with_member('"x": {"y": -Infinity}'), "-Infinity"),
    "a list": (b"[]", "not a JSON object"),
    "a text": (b'"x"', "not a JSON object"),
    "a number": (b"2", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "too many digits": (with_member(f'"x": {"9" * 5000}'), "too many digits"),
    "duplicate key": (with_member('"layers": []'), "'layers' stands twice"),
    "duplicate unknown key": (with_member('"x": 1, "x": 1'), "'x' stands twice"),
    "duplicate key below": (with_member('"x": {"y": [{"z": 1, "z": 2}]}'), "'z' stands twice"),
    "duplicate escaped key": (with_member(r'"\u006cayers": []'), "'layers' stands twice"),
    "duplicate annotation": (with_member('"annotations": {"a": "1", "a": "2"}'), "'a' stands twice"),
    "case variant": (with_member('"Layers": []'), "'Layers' differs from 'layers' only by case"),
    "case variant of config": (with_member('"CONFIG": {}'), "only by case"),
    "case variant below": (with_config(Digest="sha256:x"), "'Digest' differs from 'digest' only by case"),
    "case variant deep below": (with_member('"x": [{"y": {"MEDIATYPE": ""}}]'), "only by case"),
    "case variant of a folded letter": (with_member('"ſubject": {}'), "only by case"),
    "case variant of annotations": (with_member('"Annotations": {}'), "only by case"),
    "both layers and manifests": (with_member('"manifests": []'), "both 'manifests' and 'layers'"),
    "deep nesting": (with_member(f'"x": {nested(32)}'), "nested deeper than 32"),
    "deep objects": (with_member('"x": ' + '{"y":' * 40 + "1" + "}" * 40), "nested deeper than 32"),
    "very deep nesting": (with_member(f'"x": {nested(100_000)}'), "nested deeper than 32"),
    "deep annotations": (with_member(f'"annotations": {{"a": {nested(40)}}}'), "nested deeper than 32"),
    "schemaVersion 3": (written(image() | {"schemaVersion": 3}), "schemaVersion is not 2"),
    "schemaVersion as text": (written(image() | {"schemaVersion": "2"}), "schemaVersion is not a whole number"),
    "schemaVersion as float": (written(image() | {"schemaVersion": 2.0}), "schemaVersion is not a whole number"),
    "no schemaVersion": (f'{{"mediaType": "{OCI_MANIFEST}", "config": {CONFIG}}}'.encode(), "schemaVersion is not 2"),
    "no config": (f'{{{HEAD}, "layers": []}}'.encode(), "config is missing"),
    "config is null": (f'{{{HEAD}, "config": null, "layers": []}}'.encode(), "config is missing"),
    "config is a list": (f'{{{HEAD}, "config": [], "layers": []}}'.encode(), "config is not an object"),
    "layers is an object": (f'{{{HEAD}, "config": {CONFIG}, "layers": {{}}}}'.encode(), "layers is not a list"),
    "a layer is a text": (f'{{{HEAD}, "config": {CONFIG}, "layers": ["x"]}}'.encode(), "layers[0] is not an object"),
    "subject is a text": (with_member('"subject": "sha256:x"'), "subject is not an object"),
    "subject without digest": (with_member('"subject": {"mediaType": "a/b", "size": 1}'), "subject.digest is missing"),
    "annotations is a list": (with_member('"annotations": []'), "annotations is not an object"),
    "annotation is a number": (with_member('"annotations": {"a": 1}'), "annotations['a'] is not a string"),
    "annotation is null": (with_member('"annotations": {"a": null}'), "annotations['a'] is not a string"),
    "artifactType is no media type": (written(image(artifactType="thing")), "artifactType is no media type"),
    "artifactType is a number": (written(image(artifactType=5)), "artifactType is not a string"),
    "mediaType is a list": (written(image() | {"mediaType": []}), "mediaType is not a string"),
    "other mediaType": (written(index()), "but the Content-Type of the request is"),
    "negative size": (with_config(size=-1), "config.size is missing, negative or too large"),
    "huge size": (with_config(size=2**63), "config.size is missing, negative or too large"),
    "astronomic size": (with_config(size=10**400), "config.size is missing, negative or too large"),
    "size as float": (with_config(size=2.0), "config.size is not a whole number"),
    "size as exponent": (
        written(image()).replace(b'"size": 2', b'"size": 2e0', 1),
        "config.size is not a whole number",
    ),
    "size as text": (with_config(size="2"), "config.size is not a whole number"),
    "size is true": (with_config(size=True), "config.size is not a whole number"),
    "no size": (with_config(size=None), "config.size is missing"),
    "no digest": (with_config(digest=None), "config.digest is missing"),
    "digest is a number": (with_config(digest=5), "config.digest is not a string"),
    "bad digest": (with_config(digest="sha256:abc"), "config.digest: a sha256 digest has exactly 64"),
    "upper-case digest": (with_config(digest="sha256:" + "A" * 64), "config.digest: a sha256 digest"),
    "unknown algorithm": (with_config(digest="md5:" + "a" * 32), "config.digest: unknown digest algorithm"),
    "digest with a path": (with_config(digest="sha256:../../etc/passwd"), "config.digest: a digest is written"),
    "no mediaType": (with_config(mediaType=None), "config.mediaType is missing or is no media type"),
    "bad mediaType": (with_config(mediaType="text"), "config.mediaType is missing or is no media type"),
    "mediaType with parameters": (with_config(mediaType="a/b; c=d"), "config.mediaType is missing or is no"),
    "header in mediaType": (with_config(mediaType="a/b\r\nx: y"), "config.mediaType is missing or is no"),
}


@pytest.mark.parametrize("case", BAD)
def test_end_7a_bad_manifest_is_400(registry: Registry, name: str, case: str) -> None:
    content, why = BAD[case]
    registry.push_blob(name, EMPTY)
    answer = registry.put_manifest(name, "bad", content).expect(400, "MANIFEST_INVALID")
    assert why in answer.message
    assert answer.message.isascii()
    assert len(answer.message) < 400
    registry.get(f"/v2/{name}/manifests/bad").expect(404, "MANIFEST_UNKNOWN")
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == []


def test_the_whole_one_is_good(registry: Registry, name: str) -> None:
    """Else every case above might fail for another reason than its own."""
    registry.push_blob(name, EMPTY)
    for content in (WHOLE.encode(), with_config(), with_member('"x": 1')):
        registry.put_manifest(name, "good", content).expect(201)


@pytest.mark.parametrize(
    "annotations",
    [
        {"Config": "x", "LAYERS": "y", "MediaType": "z", "mediatype": "both"},
        {"a": "\u0000 \u2028 \U0001f433", "": "empty key", "b": ""},
        {"org.opencontainers.image.title": "x" * 100_000},
    ],
)
def test_annotations_may_hold_any_case_and_any_text(registry: Registry, name: str, annotations: dict[str, str]) -> None:
    document = image(annotations=annotations)
    document["layers"] = [descriptor(EMPTY, OCI_EMPTY, annotations=annotations)]
    content = registry.push(name, "latest", document)
    assert registry.get(f"/v2/{name}/manifests/latest").body == content


def test_depth_32_is_taken(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    registry.put_manifest(name, "deep", with_member(f'"x": {nested(31)}')).expect(201)


def test_whole_pair_of_surrogates_is_a_character(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    registry.put_manifest(name, "whale", with_member(r'"annotations": {"a": "\ud83d\udc33"}')).expect(201)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (index() | {"layers": []}, "both 'manifests' and 'layers'"),
        (index() | {"config": descriptor(EMPTY)}, "both 'manifests' and 'layers' or 'config'"),
        ({"schemaVersion": 2, "mediaType": OCI_INDEX, "layers": []}, "neither 'layers' nor 'config'"),
        (index() | {"manifests": {}}, "manifests is not a list"),
        (index() | {"manifests": [descriptor(EMPTY), {}]}, "manifests[1].mediaType is missing"),
        (index() | {"schemaVersion": 1}, "schema 1"),
    ],
)
def test_end_7a_bad_index_is_400(registry: Registry, name: str, document: dict[str, object], why: str) -> None:
    assert why in registry.put_manifest(name, "bad", document, OCI_INDEX).expect(400, "MANIFEST_INVALID").message


@pytest.mark.parametrize("content_type", ["text/plain", "image/png", "application", "application/", "x", "a" * 9000])
def test_end_7a_a_type_that_is_no_manifests_is_400(registry: Registry, name: str, content_type: str) -> None:
    registry.put_manifest(name, "bad", {"x": 1}, content_type).expect(400, "MANIFEST_INVALID")


def test_end_7a_neither_type_nor_shape_is_400(registry: Registry, name: str) -> None:
    answer = registry.put_manifest(name, "bad", {"schemaVersion": 2}, None).expect(400, "MANIFEST_INVALID")
    assert "no Content-Type" in answer.message


def test_end_7a_an_image_with_manifests_alone_is_400(registry: Registry, name: str) -> None:
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "manifests": []}
    registry.put_manifest(name, "bad", document).expect(400, "MANIFEST_INVALID")


@pytest.mark.parametrize("length", [-1, 1])
def test_end_7a_wrong_length_is_400(registry: Registry, name: str, length: int) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    headers = {"content-type": OCI_MANIFEST, "content-length": str(len(content) + length)}
    registry.request("PUT", f"/v2/{name}/manifests/bad", [content], headers).expect(400, "SIZE_INVALID")
    registry.get(f"/v2/{name}/manifests/bad").expect(404)
