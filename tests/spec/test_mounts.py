"""Mounting a blob from another repository (end-11, "Mounting a blob from another repository")."""

import pytest

from tests.spec.contents import digest_of
from tests.spec.registry import Registry

CONTENT = b"mounted"
DIGEST = digest_of(CONTENT)


def mount(name: str, digest: str, query: str = "") -> str:
    return f"/v2/{name}/blobs/uploads/?mount={digest}{query}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("origin", ["", "&origin=registry.test"])
def test_end_11_mount_from_a_repository_that_has_it_is_201(
    registry: Registry, name: str, algorithm: str, origin: str
) -> None:
    digest = registry.push_blob(f"{name}/source", name.encode(), algorithm)
    answer = registry.post(mount(name, digest, f"&from={name}/source{origin}")).expect(201)
    assert answer["location"] == f"/v2/{name}/blobs/{digest}"
    assert answer["docker-content-digest"] == digest
    assert registry.get(answer["location"]).expect(200).body == name.encode()


def test_end_11_without_from_takes_it_from_anywhere(registry: Registry, name: str) -> None:
    digest = registry.push_blob(f"{name}/source", name.encode())
    registry.post(mount(name, digest)).expect(201)
    assert registry.get(f"/v2/{name}/blobs/{digest}").expect(200).body == name.encode()


def test_end_11_mount_onto_itself_and_twice(registry: Registry, name: str) -> None:
    registry.push_blob(name, CONTENT)
    for _ in range(2):
        registry.post(mount(name, DIGEST, f"&from={name}")).expect(201)


@pytest.mark.parametrize("query", ["", "&from=never/pushed", "&from={name}/other"])
def test_end_11_what_is_not_there_is_202_and_an_open_session(registry: Registry, name: str, query: str) -> None:
    registry.push_blob(f"{name}/other", b"something else")
    content = f"{name} {query}".encode()
    answer = registry.post(mount(name, digest_of(content), query.format(name=name))).expect(202)
    assert answer["range"] == "0-0"
    registry.put(f"{answer['location']}?digest={digest_of(content)}", content).expect(201)


def test_end_11_a_source_that_lacks_it_is_not_passed_over_for_one_that_has_it(registry: Registry, name: str) -> None:
    digest = registry.push_blob(f"{name}/has", name.encode())
    registry.push_blob(f"{name}/lacks", CONTENT)
    registry.post(mount(name, digest, f"&from={name}/lacks")).expect(202)
    registry.head(f"/v2/{name}/blobs/{digest}").expect(404)


def test_end_11_202_can_be_cancelled_as_podman_does(registry: Registry, name: str) -> None:
    location = registry.post(mount(name, digest_of(name.encode()))).expect(202)["location"]
    registry.delete(location).expect(204)


def test_end_11_the_copy_outlives_its_source(registry: Registry, name: str) -> None:
    digest = registry.push_blob(f"{name}/source", name.encode())
    registry.post(mount(name, digest, f"&from={name}/source")).expect(201)
    registry.delete(f"/v2/{name}/source/blobs/{digest}").expect(202)
    assert registry.get(f"/v2/{name}/blobs/{digest}").expect(200).body == name.encode()


@pytest.mark.parametrize(
    "digest", ["", "x", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + "A" * 64]
)
def test_end_11_bad_digest_is_400(registry: Registry, name: str, digest: str) -> None:
    registry.post(mount(name, digest)).expect(400, "DIGEST_INVALID")


@pytest.mark.parametrize("source", ["UPPER", "a//b", "%00", "-", "a" * 256])
def test_end_11_bad_source_is_400(registry: Registry, name: str, source: str) -> None:
    registry.post(mount(name, DIGEST, f"&from={source}")).expect(400, "NAME_INVALID")


@pytest.mark.parametrize("query", [f"&mount={DIGEST}", "&from=a&from=b"])
def test_end_11_a_parameter_that_stands_there_twice_is_400(registry: Registry, name: str, query: str) -> None:
    answer = registry.post(mount(name, DIGEST, query)).expect(400, "UNSUPPORTED")
    assert "once" in answer.message


def test_end_11_leaves_no_repository_behind_where_nothing_was_mounted(registry: Registry, name: str) -> None:
    registry.post(mount(f"{name}/fresh", DIGEST, "&from=UPPER")).expect(400)
    registry.get(f"/v2/{name}/fresh/tags/list").expect(404, "NAME_UNKNOWN")
