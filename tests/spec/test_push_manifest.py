"""Pushing manifests (end-7a, end-7b; "Pushing Manifests", "Pushing Manifests with Subject")."""

import pytest

from tests.spec.conftest import Start
from tests.spec.contents import (
    EMPTY,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    artifact,
    descriptor,
    digest_of,
    image,
    index,
    written,
)
from tests.spec.registry import Registry

LAYER = b"a layer"


def test_end_7a_by_tag(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    answer = registry.put_manifest(name, "1.2", content).expect(201)
    digest = digest_of(content)
    assert answer["location"] == f"/v2/{name}/manifests/{digest}"
    assert answer["docker-content-digest"] == digest
    assert answer.all("oci-tag") == []
    assert answer.get("oci-subject") is None
    assert answer.get("warning") is None
    assert registry.get(answer["location"]).expect(200).body == content
    assert registry.get(f"/v2/{name}/manifests/1.2").expect(200).body == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_7a_by_digest_keeps_the_clients_digest(registry: Registry, name: str, algorithm: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    digest = digest_of(content, algorithm)
    assert registry.put_manifest(name, digest, content).expect(201)["docker-content-digest"] == digest
    assert registry.get(f"/v2/{name}/manifests/{digest}").expect(200).body == content
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_7a_wrong_digest_is_400(registry: Registry, name: str, algorithm: str) -> None:
    registry.push_blob(name, EMPTY)
    wrong = digest_of(b"else", algorithm)
    answer = registry.put_manifest(name, wrong, image()).expect(400, "DIGEST_INVALID")
    assert answer.errors[0]["detail"]["actual"] == digest_of(written(image()), algorithm)
    registry.get(f"/v2/{name}/manifests/{wrong}").expect(404, "MANIFEST_UNKNOWN")


def test_end_7a_twice_is_the_same(registry: Registry, name: str) -> None:
    first, second = (registry.push(name, "latest", image()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_end_7b_tags_beside_a_digest(registry: Registry, name: str, algorithm: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    digest = digest_of(content, algorithm)
    tags = [f"v{number}" for number in range(20)]
    answer = registry.put_manifest(name, digest, content, query="?" + "&".join(f"tag={t}" for t in tags)).expect(201)
    assert answer.all("oci-tag") == tags
    for tag in tags:
        assert registry.head(f"/v2/{name}/manifests/{tag}").expect(200)["docker-content-digest"] == digest


def test_end_7b_a_tag_named_twice_is_one(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    answer = registry.put_manifest(name, digest_of(content), content, query="?tag=a&tag=b&tag=a").expect(201)
    assert answer.all("oci-tag") == ["a", "b"]


def test_end_7b_more_than_20_tags_are_414_and_none_is_set(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    query = "?" + "&".join(f"tag=v{number}" for number in range(21))
    answer = registry.put_manifest(name, digest_of(content), content, query=query).expect(414, "MANIFEST_INVALID")
    assert "20" in answer.message
    registry.get(f"/v2/{name}/manifests/{digest_of(content)}").expect(404)


@pytest.mark.parametrize("bad", ["", "-x", "a/b", "x" * 129, "a%00", "a%0A", "%C3%A9", "a:b"])
def test_end_7b_one_bad_tag_is_400_and_nothing_is_written(registry: Registry, name: str, bad: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    registry.put_manifest(name, digest_of(content), content, query=f"?tag=good&tag={bad}").expect(
        400, "MANIFEST_INVALID"
    )
    registry.get(f"/v2/{name}/manifests/{digest_of(content)}").expect(404)
    registry.get(f"/v2/{name}/manifests/good").expect(404)


def test_end_7b_tags_beside_a_tag_are_400(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    registry.put_manifest(name, "latest", image(), query="?tag=other").expect(400, "MANIFEST_INVALID")


def test_missing_children_are_one_error_each_and_nothing_is_written(registry: Registry, name: str) -> None:
    registry.push_blob(name, b"there")
    document = image(b"no config", b"there", b"no layer", b"nor this")
    answer = registry.put_manifest(name, "latest", document).expect(404, "MANIFEST_BLOB_UNKNOWN")
    assert [error["detail"] for error in answer.errors] == [
        {"digest": digest_of(b"no config"), "place": "config"},
        {"digest": digest_of(b"no layer"), "place": "layers[1]"},
        {"digest": digest_of(b"nor this"), "place": "layers[2]"},
    ]
    registry.get(f"/v2/{name}/manifests/latest").expect(404)
    assert registry.get(f"/v2/{name}/tags/list").json()["tags"] == []


def test_a_failed_first_push_leaves_no_repository(registry: Registry, name: str) -> None:
    registry.put_manifest(name, "latest", image()).expect(404, "MANIFEST_BLOB_UNKNOWN")
    registry.get(f"/v2/{name}/tags/list").expect(404, "NAME_UNKNOWN")


def test_a_blob_of_another_repository_is_missing_here(registry: Registry, name: str) -> None:
    registry.push_blob(f"{name}/other", EMPTY)
    registry.put_manifest(name, "latest", image()).expect(404, "MANIFEST_BLOB_UNKNOWN")


def test_missing_child_manifests_are_refused(registry: Registry, name: str) -> None:
    here = registry.push(name, "here", image())
    there = registry.push(f"{name}/other", "there", image(annotations={"a": "b"}))
    document = index(descriptor(here, OCI_MANIFEST), descriptor(there, OCI_MANIFEST))
    answer = registry.put_manifest(name, "multi", document, OCI_INDEX).expect(404, "MANIFEST_BLOB_UNKNOWN")
    assert [error["detail"]["place"] for error in answer.errors] == ["manifests[1]"]


def test_a_manifest_that_was_only_pushed_as_a_blob_is_no_child(registry: Registry, name: str) -> None:
    content = written(image())
    registry.push_blob(name, content)
    document = index(descriptor(content, OCI_MANIFEST))
    registry.put_manifest(name, "multi", document, OCI_INDEX).expect(404, "MANIFEST_BLOB_UNKNOWN")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_children_by_either_algorithm(registry: Registry, name: str, algorithm: str) -> None:
    for blob in (EMPTY, LAYER):
        registry.push_blob(name, blob, algorithm)
    document = image() | {
        "config": descriptor(EMPTY, OCI_EMPTY, algorithm),
        "layers": [descriptor(LAYER, algorithm=algorithm)],
    }
    registry.put_manifest(name, digest_of(written(document), algorithm), document).expect(201)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_oci_subject_is_answered_whether_or_not_the_subject_is_here(
    registry: Registry, name: str, algorithm: str
) -> None:
    registry.push_blob(name, EMPTY)
    for subject in (b"never pushed", registry.push(name, "base", image())):
        document = artifact(subject, "application/x") | {"subject": descriptor(subject, OCI_MANIFEST, algorithm)}
        answer = registry.put_manifest(name, "attached", document).expect(201)
        assert answer["oci-subject"] == digest_of(subject, algorithm)


def test_an_index_may_have_a_subject(registry: Registry, name: str) -> None:
    document = index(subject=descriptor(b"base", OCI_MANIFEST))
    answer = registry.put_manifest(name, "attached", document, OCI_INDEX).expect(201)
    assert answer["oci-subject"] == digest_of(b"base")


def test_a_size_that_differs_from_the_blobs_is_400(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    document = image() | {"config": descriptor(EMPTY, OCI_EMPTY) | {"size": 3}}
    answer = registry.put_manifest(name, "latest", document).expect(400, "MANIFEST_INVALID")
    assert answer.message == "config.size is 3, but the blob has 2 bytes"
    registry.get(f"/v2/{name}/manifests/latest").expect(404)


def test_more_layers_than_docker_runs_are_accepted_with_a_warning(registry: Registry, name: str) -> None:
    registry.push(name, "base", image(EMPTY, LAYER), LAYER)
    for layers, warned in ((127, False), (128, True)):
        answer = registry.put_manifest(name, "deep", image(EMPTY, *[LAYER] * layers)).expect(201)
        assert bool(answer.all("warning")) == warned
    warning = answer["warning"]
    assert warning.startswith('299 - "')
    assert warning.endswith('"')
    assert "128 layers" in warning
    assert len(warning) <= 4096


def test_allow_missing_takes_sparse_indexes_and_absent_blobs(start: Start, name: str) -> None:
    registry = start(manifests={"allow_missing": True})
    registry.put_manifest(name, "sparse", index(descriptor(b"absent", OCI_MANIFEST)), OCI_INDEX).expect(201)
    registry.put_manifest(name, "image", image(b"absent", b"too")).expect(201)
    registry.push_blob(name, EMPTY)
    wrong = image() | {"config": descriptor(EMPTY, OCI_EMPTY) | {"size": 3}}
    registry.put_manifest(name, "image", wrong).expect(400, "MANIFEST_INVALID")


def test_pushes_of_one_tag_at_once_leave_one_of_them(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    contents = [written(image(annotations={"n": str(number)})) for number in range(12)]
    headers = {"content-type": OCI_MANIFEST}
    answers = registry.together(
        *(registry.send("PUT", f"/v2/{name}/manifests/latest", content, headers) for content in contents)
    )
    assert {answer.status for answer in answers} == {201}
    assert registry.get(f"/v2/{name}/manifests/latest").body in contents
    for content in contents:
        assert registry.get(f"/v2/{name}/manifests/{digest_of(content)}").expect(200).body == content


def test_a_client_that_vanishes_publishes_nothing(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    path = f"/v2/{name}/manifests/latest"
    assert registry.request("PUT", path, [content[:50]], vanish=True).status == 0
    assert registry.request("PUT", path, [content], vanish=True).status == 0
    registry.get(path).expect(404, "MANIFEST_UNKNOWN")
