"""Deleting (end-9, end-10; "Content Management")."""

import pytest

from tests.spec.contents import EMPTY, OCI_MANIFEST, artifact, descriptor, digest_of, image, index
from tests.spec.registry import Registry

LAYER = b"deleted layer"


def test_end_9_a_tag_goes_alone(registry: Registry, name: str) -> None:
    content = registry.push(name, "one", image())
    registry.push(name, "two", image())
    registry.delete(f"/v2/{name}/manifests/one").expect(202)
    registry.head(f"/v2/{name}/manifests/one").expect(404)
    for reference in ("two", digest_of(content)):
        assert registry.get(f"/v2/{name}/manifests/{reference}").expect(200).body == content
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == ["two"]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_9_a_manifest_goes_with_its_tags(registry: Registry, name: str, algorithm: str) -> None:
    registry.push(name, "other", image(annotations={"other": "yes"}))
    registry.push_blob(name, EMPTY)
    content = registry.push(name, "sha256-only", image()) if algorithm == "sha256" else image.__name__.encode()
    if algorithm == "sha512":
        content = b'{"schemaVersion":2,"config":' + descriptor_text() + b',"layers":[]}'
        registry.put_manifest(name, digest_of(content, algorithm), content, query="?tag=a&tag=b").expect(201)
    digest = digest_of(content, algorithm)
    registry.delete(f"/v2/{name}/manifests/{digest}").expect(202)
    registry.head(f"/v2/{name}/manifests/{digest}").expect(404)
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == ["other"]


def descriptor_text() -> bytes:
    return b'{"mediaType":"application/x","digest":"%s","size":2}' % digest_of(EMPTY).encode()


@pytest.mark.parametrize("reference", ["absent", digest_of(b"absent"), digest_of(b"absent", "sha512"), "-no-tag"])
def test_end_9_what_is_not_there_is_404(registry: Registry, name: str, reference: str) -> None:
    registry.delete(f"/v2/{name}/manifests/{reference}").expect(404, "MANIFEST_UNKNOWN")
    registry.push(name, "latest", image())
    registry.delete(f"/v2/{name}/manifests/{reference}").expect(404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_end_9_twice_is_404(registry: Registry, name: str, by: str) -> None:
    content = registry.push(name, "latest", image())
    reference = "latest" if by == "tag" else digest_of(content)
    registry.delete(f"/v2/{name}/manifests/{reference}").expect(202)
    registry.delete(f"/v2/{name}/manifests/{reference}").expect(404, "MANIFEST_UNKNOWN")


def test_end_9_bad_digest_is_400(registry: Registry, name: str) -> None:
    registry.delete(f"/v2/{name}/manifests/sha256:bad").expect(400, "DIGEST_INVALID")


def test_end_9_other_repositories_keep_theirs(registry: Registry, name: str) -> None:
    content = registry.push(name, "latest", image())
    registry.push(f"{name}/other", "latest", image())
    registry.delete(f"/v2/{name}/manifests/{digest_of(content)}").expect(202)
    assert registry.get(f"/v2/{name}/other/manifests/latest").expect(200).body == content


def test_end_9_and_again_a_push_brings_it_back(registry: Registry, name: str) -> None:
    content = registry.push(name, "latest", image())
    registry.delete(f"/v2/{name}/manifests/{digest_of(content)}").expect(202)
    assert registry.push(name, "latest", image()) == content
    assert registry.get(f"/v2/{name}/manifests/latest").expect(200).body == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_10_a_blob_that_no_manifest_names(registry: Registry, name: str, algorithm: str) -> None:
    digest = registry.push_blob(name, name.encode(), algorithm)
    registry.delete(f"/v2/{name}/blobs/{digest}").expect(202)
    for method in ("GET", "HEAD", "DELETE"):
        registry.request(method, f"/v2/{name}/blobs/{digest}").expect(404)


def test_end_10_what_is_not_there_is_404(registry: Registry, name: str) -> None:
    digest = digest_of(name.encode())
    registry.delete(f"/v2/{name}/blobs/{digest}").expect(404, "BLOB_UNKNOWN")
    registry.push_blob(f"{name}/other", name.encode())
    registry.push_blob(name, EMPTY)
    registry.delete(f"/v2/{name}/blobs/{digest}").expect(404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("digest", ["x", "sha256:bad", ""])
def test_end_10_bad_digest_is_400(registry: Registry, name: str, digest: str) -> None:
    registry.delete(f"/v2/{name}/blobs/{digest}").expect(400, "DIGEST_INVALID")


def test_end_10_a_blob_that_a_manifest_names_is_405_and_the_answer_names_it(registry: Registry, name: str) -> None:
    content = registry.push(name, "latest", image(EMPTY, LAYER), LAYER)
    for blob in (EMPTY, LAYER):
        answer = registry.delete(f"/v2/{name}/blobs/{digest_of(blob)}").expect(405, "UNSUPPORTED")
        assert digest_of(content) in answer.message
        assert answer.errors[0]["detail"] == {"digest": digest_of(blob), "manifest": digest_of(content)}
        registry.head(f"/v2/{name}/blobs/{digest_of(blob)}").expect(200)
    registry.delete(f"/v2/{name}/manifests/{digest_of(content)}").expect(202)
    for blob in (EMPTY, LAYER):
        registry.delete(f"/v2/{name}/blobs/{digest_of(blob)}").expect(202)


def test_end_10_a_manifest_of_another_repository_does_not_hold_it_here(registry: Registry, name: str) -> None:
    registry.push(f"{name}/other", "latest", image(EMPTY, LAYER), LAYER)
    registry.push_blob(name, LAYER)
    registry.delete(f"/v2/{name}/blobs/{digest_of(LAYER)}").expect(202)
    assert registry.get(f"/v2/{name}/other/blobs/{digest_of(LAYER)}").expect(200).body == LAYER


def test_end_10_a_subject_holds_nothing(registry: Registry, name: str) -> None:
    registry.push_blob(name, LAYER)
    registry.push(name, "attached", artifact(LAYER, "application/x"))
    registry.delete(f"/v2/{name}/blobs/{digest_of(LAYER)}").expect(202)


def test_end_10_a_deleted_blob_can_be_pushed_again(registry: Registry, name: str) -> None:
    for _ in range(2):
        digest = registry.push_blob(name, name.encode())
        assert registry.get(f"/v2/{name}/blobs/{digest}").expect(200).body == name.encode()
        registry.delete(f"/v2/{name}/blobs/{digest}").expect(202)


def test_a_manifest_that_names_a_deleted_blob_is_refused(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    registry.delete(f"/v2/{name}/blobs/{digest_of(EMPTY)}").expect(202)
    registry.put_manifest(name, "latest", image()).expect(404, "MANIFEST_BLOB_UNKNOWN")


def test_deleting_a_child_leaves_its_index(registry: Registry, name: str) -> None:
    child = registry.push(name, "child", image())
    content = registry.push(name, "multi", index(descriptor(child, OCI_MANIFEST)))
    registry.delete(f"/v2/{name}/manifests/{digest_of(child)}").expect(202)
    assert registry.get(f"/v2/{name}/manifests/multi").expect(200).body == content


def test_a_push_and_a_delete_at_once_never_leave_a_manifest_without_its_blob(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    headers = {"content-type": OCI_MANIFEST}
    body = b'{"schemaVersion":2,"config":' + descriptor_text() + b',"layers":[]}'
    pushed, deleted = registry.together(
        registry.send("PUT", f"/v2/{name}/manifests/latest", body, headers),
        registry.send("DELETE", f"/v2/{name}/blobs/{digest_of(EMPTY)}"),
    )
    assert (pushed.status, deleted.status) in {(201, 405), (404, 202)}
