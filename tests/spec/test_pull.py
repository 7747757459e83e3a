"""Pulling: the ping, manifests and blobs (end-1, end-2, end-3; "Pull")."""

import pytest

from tests.spec.contents import DOCKER_MANIFEST, EMPTY, OCI_INDEX, OCI_MANIFEST, digest_of, image, index, written
from tests.spec.registry import Registry

CONTENT = bytes(range(256)) * 8
ABSENT = digest_of(b"absent")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_end_1_ping_is_200(registry: Registry, method: str, path: str) -> None:
    assert registry.request(method, path).expect(200)["content-type"] == "application/json"


def test_end_2_get_gives_the_bytes_with_the_digest(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, CONTENT)
    answer = registry.get(f"/v2/{name}/blobs/{digest}").expect(200)
    assert answer.body == CONTENT
    assert answer["docker-content-digest"] == digest
    assert answer["content-length"] == str(len(CONTENT))
    assert answer["accept-ranges"] == "bytes"
    assert answer["etag"] == f'"{digest}"'
    assert answer["content-type"] == "application/octet-stream"
    assert "sandbox" in answer["content-security-policy"]


def test_end_2_head_gives_the_headers_of_get_and_no_body(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, CONTENT)
    get, head = (registry.request(method, f"/v2/{name}/blobs/{digest}").expect(200) for method in ("GET", "HEAD"))
    assert sorted(head.headers) == sorted(get.headers)
    assert head.body == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_end_2_absent_blob_is_404(registry: Registry, name: str, method: str) -> None:
    registry.push_blob(name, CONTENT)
    answer = registry.request(method, f"/v2/{name}/blobs/{ABSENT}").expect(404)
    if method == "GET":
        answer.expect(404, "BLOB_UNKNOWN")
        assert answer.errors[0]["detail"] == {"name": name, "digest": ABSENT}


def test_end_2_blob_of_another_repository_is_404(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, CONTENT)
    registry.push_blob(f"{name}/other", EMPTY)
    registry.get(f"/v2/{name}/other/blobs/{digest}").expect(404, "BLOB_UNKNOWN")
    registry.get(f"/v2/{name}/never/blobs/{digest}").expect(404, "BLOB_UNKNOWN")


def test_end_2_empty_blob(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, b"")
    assert registry.get(f"/v2/{name}/blobs/{digest}").expect(200).body == b""
    assert registry.head(f"/v2/{name}/blobs/{digest}").expect(200)["content-length"] == "0"


def test_end_2_large_blob_crosses_blocks(registry: Registry, name: str) -> None:
    content = CONTENT * 1537  # 3 MiB and some
    digest = registry.push_blob(name, content)
    assert registry.get(f"/v2/{name}/blobs/{digest}").expect(200).body == content


def test_end_2_sha512(registry: Registry, name: str) -> None:
    digest = registry.push_blob(name, CONTENT, "sha512")
    answer = registry.get(f"/v2/{name}/blobs/{digest}").expect(200)
    assert (answer.body, answer["docker-content-digest"]) == (CONTENT, digest)
    assert registry.head(f"/v2/{name}/blobs/{digest}").expect(200)["content-length"] == str(len(CONTENT))
    registry.get(f"/v2/{name}/blobs/{digest_of(CONTENT)}").expect(404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"{}"', 304),
        ('W/"{}"', 304),
        ("*", 304),
        ('"other", "{}"', 304),
        ('"other"', 200),
        ("{}", 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_if_none_match(registry: Registry, name: str, condition: str, status: int, kind: str) -> None:
    content = registry.push(name, "latest", image())
    digest = digest_of(EMPTY if kind == "blobs" else content)
    answer = registry.get(f"/v2/{name}/{kind}/{digest}", If_None_Match=condition.format(digest)).expect(status)
    assert answer["etag"] == f'"{digest}"'
    assert answer["docker-content-digest"] == digest
    assert bool(answer.body) == (status == 200)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_end_3_exact_bytes_type_and_digest(registry: Registry, name: str, algorithm: str, by: str) -> None:
    registry.push_blob(name, EMPTY)
    # Bytes that no JSON writer would give back: the registry must keep them as they came.
    content = b" \t" + written(image()).replace(b",", b" ,\r\n") + b"\n"
    digest = digest_of(content, algorithm)
    registry.put_manifest(name, digest, content, query="?tag=latest").expect(201)
    reference = "latest" if by == "tag" else digest
    answer = registry.get(f"/v2/{name}/manifests/{reference}").expect(200)
    assert answer.body == content
    assert answer["docker-content-digest"] == digest
    assert answer["content-type"] == OCI_MANIFEST
    assert "sandbox" in answer["content-security-policy"]


def test_end_3_head_gives_the_headers_of_get_and_no_body(registry: Registry, name: str) -> None:
    content = registry.push(name, "latest", image())
    get = registry.get(f"/v2/{name}/manifests/latest").expect(200)
    head = registry.head(f"/v2/{name}/manifests/latest").expect(200)
    assert sorted(head.headers) == sorted(get.headers)
    assert head["content-length"] == str(len(content))
    assert head.body == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["absent", ABSENT, "-not-a-tag", "x" * 129, ".hidden"])
def test_end_3_absent_manifest_is_404(registry: Registry, name: str, method: str, reference: str) -> None:
    """What can be no tag was never pushed, so asking for it is 404 as well; clients probe with such names."""
    answer = registry.request(method, f"/v2/{name}/manifests/{reference}").expect(404)
    if method == "GET":
        answer.expect(404, "MANIFEST_UNKNOWN")


def test_end_3_manifest_of_another_repository_is_404(registry: Registry, name: str) -> None:
    digest = digest_of(registry.push(name, "latest", image()))
    registry.push(f"{name}/other", "other", image(EMPTY, annotations={"a": "b"}))
    for reference in ("latest", digest):
        registry.get(f"/v2/{name}/other/manifests/{reference}").expect(404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    "accept", ["", "*/*", OCI_INDEX, DOCKER_MANIFEST, "text/html", "application/vnd.oci.image.manifest.v1+json;q=0"]
)
def test_end_3_accept_never_converts_and_never_refuses(registry: Registry, name: str, accept: str) -> None:
    content = registry.push(name, "latest", image())
    answer = registry.get(f"/v2/{name}/manifests/latest", Accept=accept).expect(200)
    assert (answer.body, answer["content-type"]) == (content, OCI_MANIFEST)


def test_end_3_a_moved_tag_is_never_stale(registry: Registry, name: str) -> None:
    for number in range(5):
        content = registry.push(name, "latest", image(annotations={"number": str(number)}))
        assert registry.get(f"/v2/{name}/manifests/latest").body == content
        assert registry.head(f"/v2/{name}/manifests/latest")["docker-content-digest"] == digest_of(content)


def test_end_3_index(registry: Registry, name: str) -> None:
    registry.push(name, "child", image())
    content = registry.push(name, "multi", index())
    answer = registry.get(f"/v2/{name}/manifests/multi").expect(200)
    assert (answer.body, answer["content-type"]) == (content, OCI_INDEX)
