"""The client at a real Moorage with accounts: every call that it has."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from registry.client.credentials import Credentials
from registry.client.errors import Answered, Unreachable, Untrusted
from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor
from registry.oci.mediatypes import OCI_MANIFEST
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.parts.server import ADMIN_PASSWORD, RunningServer, free_port, start_moorage

ADMIN = Credentials("admin", ADMIN_PASSWORD)
HERE, THERE = RepositoryName("client/here"), RepositoryName("client/there")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A registry with accounts."""
    with start_moorage(tmp_path_factory.mktemp("moorage") / "data", accounts=True) as running:
        yield running


@pytest.fixture
def registry(server: RunningServer) -> Iterator[Registry]:
    """Its client."""
    with Registry(server.host, ADMIN) as client:
        yield client


def described(content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
    """The descriptor of bytes."""
    return Descriptor(media_type, Digest.of(content), len(content))


def push(registry: Registry, repository: RepositoryName, content: bytes) -> Descriptor:
    """Push a blob."""
    descriptor = described(content)
    registry.push_blob(repository, descriptor, lambda start: iter([content[start:]]))
    return descriptor


def test_blobs_go_up_and_come_down(registry: Registry) -> None:
    content = bytes(range(256)) * 5000
    descriptor = described(content)
    assert not registry.has_blob(HERE, descriptor)
    push(registry, HERE, content)
    assert registry.has_blob(HERE, descriptor)
    assert b"".join(registry.blob(HERE, descriptor)) == content
    assert b"".join(registry.blob_from(HERE, descriptor, 1000)) == content[1000:]
    assert registry.small_blob(HERE, descriptor) == content
    assert registry.mount(THERE, descriptor, HERE) is None
    assert registry.has_blob(THERE, descriptor)


def test_a_mount_that_cannot_be_is_an_upload(registry: Registry) -> None:
    content = b"not there yet"
    place = registry.mount(THERE, described(content), HERE)
    assert place is not None
    registry.push_blob(THERE, described(content), lambda start: iter([content[start:]]), place)
    assert registry.has_blob(THERE, described(content))


def test_an_empty_blob(registry: Registry) -> None:
    empty = push(registry, HERE, b"")
    assert b"".join(registry.blob(HERE, empty)) == b""


def test_manifests_and_tags(registry: Registry) -> None:
    config = push(registry, HERE, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(config.digest), "size": 2},
        "layers": [],
    }
    content = json.dumps(document).encode()
    digest = registry.put_manifest(HERE, Tag("1"), content, OCI_MANIFEST)
    registry.put_manifest(HERE, Tag("2"), content, OCI_MANIFEST)
    for reference in (Tag("1"), digest):
        fetched = registry.manifest(HERE, reference)
        assert (fetched.content, fetched.media_type, fetched.digest) == (content, OCI_MANIFEST, digest)
        assert registry.head_manifest(HERE, reference) == Descriptor(OCI_MANIFEST, digest, len(content))
    assert registry.head_manifest(HERE, Tag("absent")) is None
    assert registry.tags(HERE) == [Tag("1"), Tag("2")]
    assert [found.name for found in registry.search("client", 5)] == ["client/here"]


def test_what_is_not_there_is_said_by_its_code(registry: Registry) -> None:
    for reference in (Tag("absent"), Digest.of(b"absent")):
        with pytest.raises(Answered) as refusal:
            registry.manifest(HERE, reference)
        assert (refusal.value.status, refusal.value.code) == (404, "MANIFEST_UNKNOWN")
    with pytest.raises(Answered) as refusal:
        list(registry.blob(HERE, described(b"absent")))
    assert refusal.value.code == "BLOB_UNKNOWN"
    with pytest.raises(Answered):
        registry.tags(RepositoryName("client/nowhere"))
    with pytest.raises(Untrusted, match="more than such a document"):
        registry.small_blob(HERE, Descriptor("x/y", Digest.of(b""), 10**9))
    with pytest.raises(Answered, match=r"(?i)digest"):
        registry.push_blob(HERE, Descriptor("x/y", Digest.of(b"another"), 3), lambda start: iter([b"abc"[start:]]))


def test_signing_in(server: RunningServer) -> None:
    with Registry(server.host, ADMIN) as right:
        assert isinstance(right.sign_in(), str)
    with Registry(server.host, Credentials("admin", "wrong")) as wrong, pytest.raises(Answered) as refusal:
        wrong.sign_in()
    assert refusal.value.status == 401
    with Registry(server.host, Credentials(registry_token="nonsense")) as wrong, pytest.raises(Answered) as refusal:
        wrong.sign_in()
    assert refusal.value.status == 401
    with Registry(server.host) as nobody, pytest.raises(Answered) as refusal:
        push(nobody, HERE, b"mine")
    assert refusal.value.code in {"UNAUTHORIZED", "DENIED"}


def test_nobody_is_there() -> None:
    host = f"127.0.0.1:{free_port()}"
    with Registry(host) as registry, pytest.raises(Unreachable) as refusal:
        registry.sign_in()
    assert str(refusal.value) == f'Get "http://{host}/v2/": dial tcp {host}: connect: connection refused'
    with Registry("registry.invalid") as registry, pytest.raises(Unreachable, match="no such host"):
        registry.sign_in()
