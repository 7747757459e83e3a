"""Blobs from registries that break, stall, or send something else than they announced."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from registry.client import downloads
from registry.client.credentials import ANONYMOUS
from registry.client.errors import Answered, ClientError, Interrupted, Untrusted
from registry.client.limits import Limits
from registry.client.registry import Registry
from registry.client.session import Session
from registry.oci.descriptors import Descriptor
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.runtime.images.hostile_registry import (
    PLACE,
    TAG,
    HostileRegistry,
    Request,
    answer,
    endless,
    hostile_registry,
)

HERE = RepositoryName("team/app")
CONTENT = bytes(range(256)) * 1000
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
LIMITS = Limits(connect=2, head=2, document=0.5, window=0.3, floor=1000, attempts=3, progress=1000, pause=1)


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    """A registry that holds the blob."""
    with hostile_registry() as running:
        running.blob(str(BLOB.digest), answer(200, CONTENT))
        yield running


@pytest.fixture
def session(server: HostileRegistry) -> Iterator[Session]:
    """A conversation with it."""
    made = Session(server.host, ANONYMOUS, insecure=False, certificates=None, limits=LIMITS)
    yield made
    made.transport.close()


def read(session: Session, slept: list[float], offset: int = 0) -> bytes:
    """Read the blob."""
    return b"".join(downloads.read(session, HERE, BLOB, offset, slept.append))


def test_a_download_that_breaks_after_progress_goes_on(server: HostileRegistry, session: Session) -> None:
    def part(connection: socket.socket, request: Request) -> None:
        start = int(request.headers.get("range", "bytes=0-")[6:-1])
        whole = answer(206 if start else 200, CONTENT[start:], content_range=f"bytes {start}-{len(CONTENT) - 1}/*")
        connection.sendall(whole[: whole.index(b"\r\n\r\n") + 4 + 60_000])

    server.blob(str(BLOB.digest), part)
    slept: list[float] = []
    assert read(session, slept) == CONTENT
    assert slept == [1.0] * 4


def test_a_download_without_progress_is_given_up(server: HostileRegistry, session: Session) -> None:
    server.blob(str(BLOB.digest), answer(503, b"busy"))
    slept: list[float] = []
    with pytest.raises(Interrupted, match="503"):
        read(session, slept)
    assert slept == [1.0, 2.0]


def test_what_is_here_is_skipped_where_all_is_served(session: Session) -> None:
    assert read(session, [], 300) == CONTENT[300:]
    assert read(session, [], len(CONTENT)) == b""


@pytest.mark.parametrize(
    "given",
    [
        answer(206, CONTENT[10:], content_range="nonsense"),
        answer(206, CONTENT[10:], content_range=f"bytes 10-{len(CONTENT) - 1}/*"),
        answer(206, CONTENT),
        answer(200, CONTENT[:-1]),
        answer(200, CONTENT + b"x"),
        answer(200, CONTENT, content_encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CONTENT + b"x",
    ],
)
def test_another_part_or_length_is_refused(given: bytes, server: HostileRegistry, session: Session) -> None:
    server.blob(str(BLOB.digest), given)
    with pytest.raises(Untrusted):
        read(session, [], 5)


def test_too_few_bytes_without_a_length_are_refused(server: HostileRegistry, session: Session) -> None:
    def short(connection: socket.socket, _: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CONTENT[:5])

    server.blob(str(BLOB.digest), short)
    with pytest.raises(Untrusted, match="fewer than"):
        read(session, [])


def test_bytes_that_only_drip_are_given_up(server: HostileRegistry, session: Session) -> None:
    head = answer(200, CONTENT).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    server.blob(str(BLOB.digest), endless(b"x", head, 0.02))
    with pytest.raises(Interrupted, match="sends too slowly"):
        read(session, [])


def test_bytes_of_another_digest_are_refused(server: HostileRegistry) -> None:
    server.blob(str(BLOB.digest), answer(200, bytes(len(CONTENT))))
    with Registry(server.host, certificates=None, limits=LIMITS) as registry:
        with pytest.raises(Untrusted, match="verification failed"):
            list(registry.blob(HERE, BLOB))
        with pytest.raises(Untrusted, match="verification failed"):
            registry.small_blob(HERE, BLOB)


@pytest.mark.parametrize(
    "given",
    [
        answer(200, b" " * 5_000_000),
        endless(b" ", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 0.1),
        answer(200, b"{}", docker_content_digest="sha256:../../etc/passwd"),
        answer(200, b"{}", docker_content_digest=str(Digest.of(b"other"))),
    ],
)
def test_manifests_that_are_refused(given: bytes, server: HostileRegistry) -> None:
    server.table["GET", f"{PLACE}/manifests/{TAG}"] = given
    with Registry(server.host, certificates=None, limits=LIMITS) as registry, pytest.raises(ClientError):
        registry.manifest(HERE, Tag(TAG))


def test_endless_redirects_are_refused(server: HostileRegistry, session: Session) -> None:
    server.blob(str(BLOB.digest), answer(302, location=f"{PLACE}/blobs/{BLOB.digest}"))
    with pytest.raises(Untrusted, match="redirects more than"):
        read(session, [])


def test_a_refusal_is_told_whatever_its_form(server: HostileRegistry, session: Session) -> None:
    for body in (b"", b"<html>", b"[]", b'{"errors":[]}', b'{"errors":5}', b'{"errors":[5]}', b'{"errors":[{}]}'):
        server.blob(str(BLOB.digest), answer(403, body))
        with pytest.raises(Answered, match="denied: requested access to the resource is denied"):
            read(session, [])
