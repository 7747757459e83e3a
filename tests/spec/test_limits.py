"""Every limit of manifests at L and at L + 1, with its own clear error ("Pushing Manifests": there SHOULD be limits).

Limits of uploads are in test_upload_limits, of names and tags in test_addresses, of pages in test_tags, of `?tag=` in
test_push_manifest.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.spec.asgi import Answer
from tests.spec.contents import EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, image, index, written
from tests.spec.registry import Registry

pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")

MANIFEST_LIMIT = 4 * 2**20


@pytest.mark.parametrize("chunked", [False, True])
def test_manifest_of_4_mib_is_taken_and_one_byte_more_is_413(registry: Registry, name: str, chunked: bool) -> None:
    registry.push_blob(name, EMPTY)
    whole = written(image()).ljust(MANIFEST_LIMIT)
    headers = {"content-type": OCI_MANIFEST}

    def put(content: bytes) -> Answer:
        body = [content[:100_000], content[100_000:]] if chunked else content
        return registry.request("PUT", f"/v2/{name}/manifests/latest", body, headers)

    answer = put(whole + b" ").expect(413, "MANIFEST_INVALID")
    assert str(MANIFEST_LIMIT) in answer.message
    registry.get(f"/v2/{name}/manifests/latest").expect(404)
    put(whole).expect(201)
    assert registry.get(f"/v2/{name}/manifests/latest").body == whole


def test_a_manifest_that_announces_too_much_is_413_before_a_byte_is_read(registry: Registry, name: str) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.sleep(3600)
        yield b""

    headers = {"content-length": str(MANIFEST_LIMIT + 1)}
    registry.request("PUT", f"/v2/{name}/manifests/latest", never(), headers).expect(413, "MANIFEST_INVALID")


def test_conformance_size_manifest(registry: Registry, name: str) -> None:
    """The official tool pushes 390 annotations of 10,000 bytes."""
    registry.push(name, "latest", image(annotations={f"a{number}": "x" * 10_000 for number in range(390)}))


def test_1000_layers_are_taken_and_1001_are_400(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    answer = registry.put_manifest(name, "deep", image(EMPTY, *[EMPTY] * 1001)).expect(400, "MANIFEST_INVALID")
    assert "1001 layers; the limit is 1000" in answer.message
    registry.put_manifest(name, "deep", image(EMPTY, *[EMPTY] * 1000)).expect(201)


def test_10000_descriptors_are_taken_and_10001_are_400(registry: Registry, name: str) -> None:
    child = descriptor(registry.push(name, "child", image()), OCI_MANIFEST)
    answer = registry.put_manifest(name, "wide", index(*[child] * 10_001), OCI_INDEX).expect(400, "MANIFEST_INVALID")
    assert "10001 things; the limit is 10000" in answer.message
    registry.put_manifest(name, "wide", index(*[child] * 10_000), OCI_INDEX).expect(201)


def test_many_different_children_are_looked_up(registry: Registry, name: str) -> None:
    """More of them than one statement of SQL asks for."""
    contents = [str(number).encode() for number in range(1200)]
    registry.push_blob(name, EMPTY)
    children = [descriptor(content, OCI_MANIFEST) for content in contents]
    answer = registry.put_manifest(name, "wide", index(*children), OCI_INDEX).expect(404, "MANIFEST_BLOB_UNKNOWN")
    assert len(answer.errors) == 1200


@pytest.mark.parametrize(("length", "warned"), [(100, False), (240, True)])
def test_a_name_that_clients_may_not_take_behind_this_host_is_warned_of(
    registry: Registry, length: int, warned: bool
) -> None:
    """Clients keep host and name together within 255 characters."""
    name = "n" * length
    registry.push_blob(name, EMPTY)
    headers = {"content-type": OCI_MANIFEST, "host": "registry.example.com:5000"}
    answer = registry.request("PUT", f"/v2/{name}/manifests/latest", written(image(EMPTY, EMPTY)), headers).expect(201)
    assert bool(answer.all("warning")) == warned
