"""Uploads at registries that break, and at registries that lie about where to send them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from registry.client.credentials import Credentials
from registry.client.errors import Answered, Interrupted, Untrusted
from registry.client.limits import Limits
from registry.client.registry import Registry
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.runtime.images.hostile_registry import HostileRegistry, Request, answer, hostile_registry

HERE, THERE = RepositoryName("team/app"), RepositoryName("team/other")
UPLOADS = "/v2/team/app/blobs/uploads/"
CONTENT = bytes(range(256)) * 400
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
LIMITS = Limits(connect=2, head=2, commit=2, document=2, attempts=3, pause=0)


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    """A registry that takes an upload in one piece."""
    with hostile_registry() as running:
        running.table |= {
            ("POST", UPLOADS): answer(202, location=f"{UPLOADS}one?state=1"),
            ("PATCH", f"{UPLOADS}one"): answer(202, location=f"{UPLOADS}two"),
            ("PUT", f"{UPLOADS}two"): answer(201),
        }
        yield running


@pytest.fixture
def registry(server: HostileRegistry) -> Iterator[Registry]:
    """Its client."""
    with Registry(server.host, Credentials("somebody", "secret"), certificates=None, limits=LIMITS) as client:
        yield client


def send(registry: Registry) -> None:
    """Push the blob."""
    registry.push_blob(HERE, BLOB, lambda start: iter([CONTENT[start : start + 1000], CONTENT[start + 1000 :]]))


def test_an_upload_in_one_piece(server: HostileRegistry, registry: Registry) -> None:
    send(registry)
    patch, put = server.requests[-2:]
    assert (patch.target, patch.body) == (f"{UPLOADS}one?state=1", CONTENT)
    assert put.target == f"{UPLOADS}two?digest=sha256%3A{BLOB.digest.encoded}"


def test_a_broken_upload_goes_on_where_it_broke(server: HostileRegistry, registry: Registry) -> None:
    def broken(connection: socket.socket, _: Request) -> None:
        server.table["PATCH", f"{UPLOADS}one"] = answer(202, location=f"{UPLOADS}two")
        connection.close()

    server.table["PATCH", f"{UPLOADS}one"] = broken
    server.table["GET", f"{UPLOADS}one"] = answer(204, range="0-4999", location=f"{UPLOADS}one")
    send(registry)
    patch = server.requests[-2]
    assert patch.headers["content-range"] == f"5000-{len(CONTENT) - 1}"
    assert patch.body == CONTENT[5000:]


def test_an_upload_that_always_breaks_is_given_up(server: HostileRegistry, registry: Registry) -> None:
    server.table["PATCH", f"{UPLOADS}one"] = lambda connection, _: connection.close()
    server.table["GET", f"{UPLOADS}one"] = answer(204, location=f"{UPLOADS}one")
    with pytest.raises(Interrupted):
        send(registry)
    assert len([request for request in server.requests if request.method == "PATCH"]) == LIMITS.attempts


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("form", ["http://{}/x", "https://{}/x", "//{}/x", "http://registry@{}/x", "file:///{}", ""])
def test_an_upload_is_sent_nowhere_else(method: str, form: str, server: HostileRegistry, registry: Registry) -> None:
    with hostile_registry() as elsewhere:
        path = UPLOADS if method == "POST" else f"{UPLOADS}one"
        server.table[method, path] = answer(202, location=form.format(elsewhere.host))
        with pytest.raises(Untrusted):
            send(registry)
        assert elsewhere.requests == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_what_is_sent_is_not_redirected(method: str, server: HostileRegistry, registry: Registry) -> None:
    with hostile_registry() as elsewhere:
        path = {"POST": UPLOADS, "PATCH": f"{UPLOADS}one", "PUT": f"{UPLOADS}two"}[method]
        server.table[method, path] = answer(307, location=f"{elsewhere.url}/x")
        with pytest.raises(Answered, match="unexpected status"):
            send(registry)
        assert elsewhere.requests == []


def test_a_registry_that_does_not_know_how_far_it_is(server: HostileRegistry, registry: Registry) -> None:
    server.table["PATCH", f"{UPLOADS}one"] = lambda connection, _: connection.close()
    server.table["GET", f"{UPLOADS}one"] = answer(204, range="far", location=f"{UPLOADS}one")
    with pytest.raises(Untrusted, match="how much of the upload"):
        send(registry)
    server.table["GET", f"{UPLOADS}one"] = answer(500)
    with pytest.raises(Answered, match="500"):
        send(registry)


def test_a_registry_that_has_everything_before_it_came(server: HostileRegistry, registry: Registry) -> None:
    server.table["POST", UPLOADS] = answer(201)
    assert registry.mount(HERE, BLOB, THERE) is None
    with pytest.raises(Untrusted, match="before it was sent"):
        send(registry)


def test_manifests_that_are_not_taken(server: HostileRegistry, registry: Registry) -> None:
    server.table["PUT", "/v2/team/app/manifests/1"] = answer(413)
    with pytest.raises(Answered, match="413"):
        registry.put_manifest(HERE, Tag("1"), b"{}", "application/json")
    server.table["HEAD", "/v2/team/app/manifests/1"] = answer(200)
    with pytest.raises(Untrusted, match="which manifest"):
        registry.head_manifest(HERE, Tag("1"))
    server.table["HEAD", "/v2/team/app/manifests/1"] = answer(500)
    with pytest.raises(Answered):
        registry.head_manifest(HERE, Tag("1"))
    server.table["HEAD", f"/v2/team/app/blobs/{BLOB.digest}"] = answer(500)
    with pytest.raises(Answered):
        registry.has_blob(HERE, BLOB)
