"""The ways of a layer: resumed, redirected, mirrored, linked from the registry's own files, shared, given up."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from registry.client.limits import Limits
from registry.oci.descriptors import Descriptor
from runtime.images.neighbour import Neighbour
from runtime.images.pull import Puller
from runtime.images.registries import Registries, RegistryFailed
from storage.digest import Digest
from tests.parts.images import Layout, digest_of, noise_tar, tar_of
from tests.parts.server import ADMIN_PASSWORD, RunningServer, start_moorage
from tests.runtime.images.conftest import REGISTRY, Store
from tests.runtime.images.hostile_registry import (
    TAG,
    Contents,
    HostileRegistry,
    Request,
    answer,
    hostile_registry,
)
from tests.runtime.images.lies import repacked
from tests.runtime.images.stocking import Stock, path_of
from tests.runtime.images.told import Told

GIVEN = {"username": "admin", "password": ADMIN_PASSWORD}
LIMITS = Limits(pause=0, attempts=3)
SIZE = 400_000


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    """A registry of one large layer that does not compress."""
    with hostile_registry() as server:
        server.serve(Contents(layer=noise_layer()))
        yield server


@pytest.fixture
def hasty(store: Store) -> Iterator[Puller]:
    """A puller that tries again at once."""
    made = Puller(store.images, Registries(REGISTRY, limits=LIMITS))
    yield made
    made.close()


def noise_layer() -> bytes:
    """A layer as it travels."""
    return gzip.compress(noise_tar("noise", SIZE), 1, mtime=0)


def pull(puller: Puller, store: Store, host: str, given: Mapping[str, Any] = GIVEN) -> Told:
    """Pull the image, and return what was said."""
    told = Told()
    puller.pull(store.images.parse(f"{host}/team/app:1"), credentials=given, feed=told)
    return told


def cut(whole: bytes, after: int) -> Any:
    """Send the beginning of an answer and break off."""

    def act(connection: socket.socket, _: Request) -> None:
        connection.sendall(whole[:after])

    return act


def ranged(layer: bytes, seen: list[str]) -> Any:
    """Serve ranges, but break off after 100 kB each time."""

    def act(connection: socket.socket, request: Request) -> None:
        seen.append(request.headers.get("range", ""))
        start = int(seen[-1].removeprefix("bytes=").removesuffix("-") or 0)
        part = f"bytes {start}-{len(layer) - 1}/{len(layer)}"
        whole = answer(206 if start else 200, layer[start:], content_range=part)
        connection.sendall(whole[: 100_000 + len(whole) - len(layer[start:])])

    return act


def test_a_broken_download_goes_on_where_it_broke(registry: HostileRegistry, store: Store) -> None:
    seen: list[str] = []
    layer = registry.contents.layer
    registry.blob(digest_of(layer), ranged(layer, seen))
    puller = Puller(store.images, Registries(REGISTRY, limits=Limits(pause=0, attempts=3, progress=50_000)))
    pull(puller, store, registry.host)
    puller.close()
    assert seen == ["", "bytes=100000-", "bytes=200000-", "bytes=300000-", "bytes=400000-"]
    assert store.remains() == []


def test_the_next_pull_goes_on_where_the_last_was_given_up(
    registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    layer = registry.contents.layer
    digest = digest_of(layer)
    registry.blob(digest, cut(answer(200, layer), 200_000))
    with pytest.raises(RegistryFailed, match="unexpected EOF"):
        pull(hasty, store, registry.host)
    assert store.remains() == [digest.replace(":", "-")]
    registry.requests.clear()
    registry.blob(digest, answer(200, layer))  # a registry that cannot serve a part serves all
    pull(hasty, store, registry.host)
    assert any("range" in request.headers for request in registry.requests)
    assert store.remains() == []
    assert store.content.has(Digest.parse(digest))


def test_a_wrong_beginning_is_dropped_and_downloaded_again(
    registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    digest = Digest.parse(digest_of(registry.contents.layer))
    with store.content.ingest(digest) as ingest:
        ingest.write(registry.contents.layer[:50_000] + b"wrong")
    pull(hasty, store, registry.host)
    assert store.content.has(digest)


def test_another_part_than_asked_for_is_refused(registry: HostileRegistry, store: Store, hasty: Puller) -> None:
    layer = registry.contents.layer
    digest = digest_of(layer)
    with store.content.ingest(Digest.parse(digest)) as ingest:
        ingest.write(layer[:1000])
    registry.blob(digest, answer(206, layer[:-1000], content_range=f"bytes 0-{len(layer) - 1001}/{len(layer)}"))
    with pytest.raises(RegistryFailed, match="another part"):
        pull(hasty, store, registry.host)


def test_a_blob_elsewhere_is_fetched_without_the_credentials(
    registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    layer = registry.contents.layer
    with hostile_registry() as elsewhere:
        elsewhere.table["GET", "/there"] = answer(200, layer)
        registry.lock(f"{registry.url}/token")
        registry.table["GET", "/token"] = answer(200, b'{"token":"abc"}')
        path = f"/v2/team/app/blobs/{digest_of(layer)}"
        registry.table["GET", path] = answer(307, location=f"{elsewhere.url}/there?signed=1")
        pull(hasty, store, registry.host)
        assert [request.target for request in elsewhere.requests] == ["/there?signed=1"]
        assert elsewhere.shown == []
    assert any(shown.startswith("Basic ") for shown in registry.shown)


def test_mirrors_are_asked_first_and_shown_no_credential(store: Store) -> None:
    with hostile_registry() as mirror, hostile_registry() as broken, hostile_registry() as origin:
        broken.manifest(b"nonsense")
        for server in (broken, mirror):
            server.table["GET", "/v2/"] = answer(401, www_authenticate='Basic realm="x"')
        registries = Registries(REGISTRY, mirrors=(broken.url, mirror.url), limits=LIMITS)
        puller = Puller(store.images, registries)
        image = puller.pull(store.images.parse("team/app:1"), credentials=GIVEN, feed=Told())
        assert [store.images.familiar(tag) for tag in image.tags] == ["team/app:1"]
        assert broken.requests and mirror.requests and not origin.requests
        assert broken.shown == mirror.shown == []
        pull(puller, store, origin.host)  # another registry's images are not asked of the default one's mirrors
        assert origin.requests
        puller.close()


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("", True),
        ("{host}", True),
        ("http://{host}", True),
        ("https://index.docker.io/v1/", False),
        ("registry.example.org", False),
    ],
)
def test_credentials_for_another_registry_are_not_sent(
    address: str, sent: bool, registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    registry.table["GET", "/v2/"] = answer(401, www_authenticate='Basic realm="x"')
    pull(hasty, store, registry.host, GIVEN | {"serveraddress": address.format(host=registry.host)})
    assert any(shown.startswith("Basic ") for shown in registry.shown) is sent


def test_pulls_of_one_image_download_its_layers_once(registry: HostileRegistry, store: Store, hasty: Puller) -> None:
    layer = registry.contents.layer
    go, path = threading.Event(), f"/v2/team/app/blobs/{digest_of(layer)}"

    def wait(connection: socket.socket, _: Request) -> None:
        assert go.wait(30)
        connection.sendall(answer(200, layer))

    registry.table["GET", path] = wait
    tolds: list[Told] = []
    threads = [threading.Thread(target=lambda: tolds.append(pull(hasty, store, registry.host))) for _ in range(4)]
    for thread in threads:
        thread.start()
    manifests = [f"/v2/team/app/blobs/{digest_of(registry.contents.config)}"] * 4
    until(lambda: [r.path for r in registry.requests if r.path in manifests] == manifests)
    until(lambda: any(request.path == path for request in registry.requests))
    go.set()
    for thread in threads:
        thread.join(60)
    assert len([request for request in registry.requests if request.path == path]) == 1
    assert [told.of(digest_of(layer)[7:19])[-1] for told in tolds] == ["Pull complete"] * 4


class Gone(Exception):
    """What a feed raises whose client has left."""


def test_a_download_that_nobody_waits_for_stops_and_is_kept(
    registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    layer = registry.contents.layer
    digest = digest_of(layer)
    over = threading.Event()

    def slowly(connection: socket.socket, _: Request) -> None:
        whole = answer(200, layer)
        for start in range(0, len(whole), 4096):
            connection.sendall(whole[start : start + 4096])
            if over.wait(0.02):
                return

    registry.blob(digest, slowly)

    def feed(line: Mapping[str, Any]) -> None:
        if line["status"] == "Downloading":
            raise Gone

    with pytest.raises(Gone):
        hasty.pull(store.images.parse(f"{registry.host}/team/app:1"), credentials=GIVEN, feed=feed)
    hasty.close()  # ends once the layer's thread has
    over.set()
    assert store.remains() == [digest.replace(":", "-")]
    assert store.images.all() == ()


def test_who_joined_a_download_has_it_when_the_first_one_leaves(
    registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    layer = registry.contents.layer
    digest = digest_of(layer)
    go = threading.Event()

    def broken(connection: socket.socket, _: Request) -> None:
        connection.sendall(answer(200, layer)[:200_000])
        assert go.wait(30)
        registry.blob(digest, answer(200, layer))

    registry.blob(digest, broken)
    joined: list[Told] = []
    other = threading.Thread(target=lambda: joined.append(pull(hasty, store, registry.host)))

    def feed(line: Mapping[str, Any]) -> None:
        if line["status"] == "Downloading":
            other.start()
            until(lambda: [r.path.rpartition("/")[2] for r in registry.requests].count(TAG) == 2)
            until(lambda: len(hasty._transfers._running) == 1 and followers(hasty) == 2)
            raise Gone

    with pytest.raises(Gone):
        hasty.pull(store.images.parse(f"{registry.host}/team/app:1"), credentials=GIVEN, feed=feed)
    go.set()
    other.join(60)
    assert joined[0].of(digest[7:19])[-1] == "Pull complete"


def followers(puller: Puller) -> int:
    """How many wait for the transfer under way."""
    return sum(len(transfer._followers) for transfer in puller._transfers._running.values())


def until(condition: Any, within: float = 30.0) -> None:
    """Wait for a condition. Fails when it does not come."""
    tick = threading.Event()
    for _ in range(int(within / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError("it did not come to that")


def test_layers_are_linked_from_the_registry_beside(tmp_path: Path, store: Store, layout: Layout) -> None:
    with start_moorage(tmp_path / "beside", accounts=True) as server:
        layers = [layout.layer(noise_tar("a", 100_000)), layout.layer(tar_of({"b": b"b"}), "zstd")]
        Stock(server.host).put(layout, layout.image(layers), "team/app", "1")
        before = states(server)
        neighbour = Neighbour(server.data, server.host)
        puller = Puller(store.images, Registries(REGISTRY), neighbour=neighbour)
        pull(puller, store, server.host)
        assert downloads(server, layers[0].descriptor.digest) == 0
        for layer in layers:
            digest = Digest.parse(layer.descriptor.digest)
            file = neighbour.open(Descriptor("", digest, layer.descriptor.size))
            assert file is not None
            with file:
                assert os.path.samestat(os.fstat(file.fileno()), store.content.path(digest).stat())
        assert states(server) == before
        puller.close()


@pytest.mark.parametrize("damaged", [lambda content: bytes(len(content)), repacked])
def test_damaged_files_of_the_registry_beside_are_not_believed(
    damaged: Callable[[bytes], bytes], tmp_path: Path, store: Store, layout: Layout
) -> None:
    with start_moorage(tmp_path / "beside", accounts=True) as server:
        layer = layout.layer(noise_tar("a", 100_000))
        Stock(server.host).put(layout, layout.image([layer]), "team/app", "1")
        copy = tmp_path / "copy"
        digest = Digest.parse(layer.descriptor.digest)
        shard = copy / "blobs" / "sha256" / digest.encoded[:2]
        shard.mkdir(parents=True)
        (shard / f"{digest.encoded}.1").symlink_to("/etc/passwd")
        (shard / f"{digest.encoded}.2").write_bytes(b"short")
        (shard / f"{digest.encoded}.3").write_bytes(damaged(path_of(layout, layer.descriptor.digest).read_bytes()))
        puller = Puller(store.images, Registries(REGISTRY), neighbour=Neighbour(copy, server.host))
        pull(puller, store, server.host)
        assert downloads(server, layer.descriptor.digest) == 1
        assert Digest.of(store.content.path(digest).read_bytes()) == digest
        puller.close()


def test_files_of_the_registry_beside_are_for_whom_it_lets(tmp_path: Path, store: Store, hasty: Puller) -> None:
    with hostile_registry() as registry:
        layer = registry.contents.layer
        digest = Digest.parse(digest_of(layer))
        shard = tmp_path / "beside" / "blobs" / "sha256" / digest.encoded[:2]
        shard.mkdir(parents=True)
        (shard / f"{digest.encoded}.1").write_bytes(layer)
        registry.table["HEAD", f"/v2/team/app/blobs/{digest}"] = answer(404)
        registry.blob(str(digest), answer(404))
        neighbour = Neighbour(tmp_path / "beside", registry.host)
        puller = Puller(store.images, Registries(REGISTRY, limits=LIMITS), neighbour=neighbour)
        with pytest.raises(RegistryFailed, match="404"):
            pull(puller, store, registry.host)
        assert not store.content.has(digest)
        puller.close()


def states(server: RunningServer) -> dict[str, tuple[int, int, int, int, str]]:
    """What could change in the registry's blobs, but for their count of links."""
    found = {}
    for path in sorted((server.data / "blobs").rglob("*.*")):
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
    return found


def downloads(server: RunningServer, digest: str) -> int:
    """How often a blob's bytes were asked for, by the registry's log."""
    lines = [line for line in server.log.read_text().splitlines() if f"/blobs/{digest}" in line]
    assert lines  # the log is what is believed here
    return sum("GET" in line for line in lines)
