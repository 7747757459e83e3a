"""Pushes to a real Moorage with accounts: what goes out, what is said, and what is not sent again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.client.registry import Registry
from registry.oci.names import RepositoryName, Tag
from runtime.errors import BadParameter, NotFound
from runtime.images import search
from runtime.images.loading import load_file
from runtime.images.pull import Puller
from runtime.images.push import Pusher
from runtime.images.registries import Registries, RegistryFailed
from tests.parts.images import Layout, docker_archive, noise_tar, tar_of
from tests.parts.server import ADMIN_PASSWORD, RunningServer
from tests.runtime.images.conftest import REGISTRY, Store, open_store
from tests.runtime.images.stocking import ADMIN, Stock
from tests.runtime.images.told import Told

GIVEN = {"username": "admin", "password": ADMIN_PASSWORD}


@pytest.fixture
def pusher(store: Store) -> Iterator[Pusher]:
    """The engine's pusher."""
    made = Pusher(store.images, Registries(REGISTRY))
    yield made
    made.close()


def test_a_loaded_image_is_pushed_and_another_engine_pulls_it(
    server: RunningServer, store: Store, pusher: Pusher, tmp_path: Path
) -> None:
    name = f"{server.host}/push/loaded:1"
    docker_archive(tmp_path / "image.tar", name, [tar_of({"one": b"1"}), noise_tar("two", 200_000)])
    load_file(store.images, tmp_path / "image.tar", Told())
    image = store.images.resolve(name)
    told = Told()
    pusher.push(store.images.parse(name), credentials=GIVEN, feed=told)
    assert told.plain[0] == f"The push refers to repository [{server.host}/push/loaded]"
    assert told.of(image.diff_ids[0].encoded[:12])[-1] == "Pushed"
    extra = told.lines[-1]["aux"]
    assert told.plain[-1] == f"1: digest: {extra['Digest']} size: {extra['Size']}"
    assert store.images.resolve(f"{server.host}/push/loaded@{extra['Digest']}").id == image.id
    again = Told()
    pusher.push(store.images.parse(name), credentials=GIVEN, feed=again)
    assert again.of(image.diff_ids[0].encoded[:12])[-1] == "Layer already exists"
    assert again.lines[-1]["aux"] == extra
    other = open_store(tmp_path / "other")
    puller = Puller(other.images, Registries(REGISTRY))
    assert puller.pull(other.images.parse(name), credentials=GIVEN, feed=Told()).id == image.id
    puller.close()
    other.layers.close()


def test_a_pulled_image_goes_out_as_it_came_and_its_layers_are_mounted(
    server: RunningServer, store: Store, pusher: Pusher, puller: Puller, layout: Layout
) -> None:
    layer = layout.layer(noise_tar("some", 100_000), "zstd")
    digest = Stock(server.host).put(layout, layout.image([layer]), "push/source", "1")
    image = puller.pull(store.images.parse(f"{server.host}/push/source:1"), credentials=GIVEN, feed=Told())
    target = store.images.parse(f"{server.host}/push/target:new")
    store.images.tag(image.id, target)
    told = Told()
    pusher.push(target, credentials=GIVEN, feed=told)
    assert told.of(image.diff_ids[0].encoded[:12])[-1] == "Mounted from push/source"
    assert told.lines[-1]["aux"]["Digest"] == str(digest)


def test_every_tag_of_a_name_is_pushed(server: RunningServer, store: Store, pusher: Pusher, tmp_path: Path) -> None:
    name = f"{server.host}/push/tags"
    docker_archive(tmp_path / "image.tar", f"{name}:1", [tar_of({"a": b"a"})])
    image = load_file(store.images, tmp_path / "image.tar", Told())[0]
    store.images.tag(image.id, store.images.parse(f"{name}:2"))
    pusher.push(store.images.parse(name), credentials=GIVEN, feed=Told())
    with Registry(server.host, ADMIN) as registry:
        assert registry.tags(RepositoryName.parse("push/tags")) == [Tag("1"), Tag("2")]


def test_what_cannot_be_pushed(server: RunningServer, store: Store, pusher: Pusher, tmp_path: Path) -> None:
    name = f"{server.host}/push/denied:1"
    parse = store.images.parse
    with pytest.raises(NotFound, match=f"^tag does not exist: {name}$"):
        pusher.push(parse(name), feed=Told())
    with pytest.raises(NotFound, match=r"^An image does not exist locally with the tag: "):
        pusher.push(parse(f"{server.host}/push/denied"), feed=Told())
    with pytest.raises(BadParameter, match="cannot push a digest reference"):
        pusher.push(parse(f"a@sha256:{'0' * 64}"), feed=Told())
    docker_archive(tmp_path / "image.tar", name, [tar_of({"a": b"a"})])
    load_file(store.images, tmp_path / "image.tar", Told())
    with pytest.raises(RegistryFailed, match=r"^(denied|unauthorized): "):
        pusher.push(parse(name), feed=Told())


def test_search_and_distribution_ask_the_registry(server: RunningServer, store: Store, layout: Layout) -> None:
    digest = Stock(server.host).put(layout, layout.image([layout.layer(tar_of({"x": b""}))]), "find/needle", "1")
    registries = Registries(REGISTRY)
    found = search.search(registries, f"{server.host}/needle", limit=None, filters={}, given=GIVEN)
    assert [each.name for each in found] == ["find/needle"]
    assert not search.search(registries, f"{server.host}/needle", limit=5, filters={"stars": ["3"]}, given=GIVEN)
    with pytest.raises(BadParameter, match="outside the range"):
        search.search(registries, "x", limit=101, filters={}, given={})
    with pytest.raises(BadParameter, match="invalid filter 'colour'"):
        search.search(registries, "x", limit=1, filters={"colour": ["red"]}, given={})
    reference = store.images.parse(f"{server.host}/find/needle:1")
    seen = search.inspect(registries, reference, "needle", GIVEN)
    assert (seen.descriptor.digest, [str(each) for each in seen.platforms]) == (digest, ["linux/amd64"])
