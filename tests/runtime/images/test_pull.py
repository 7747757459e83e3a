"""Pulls from a real Moorage with accounts: what arrives, what is said, and what is asked of whom."""

from __future__ import annotations

import pytest

from runtime.errors import NotFound
from runtime.images.pull import Puller
from tests.parts.images import Layout, many_layers_image, multi_arch_image, noise_tar, tar_of
from tests.parts.server import ADMIN_PASSWORD, RunningServer
from tests.runtime.images.conftest import Store
from tests.runtime.images.stocking import Stock
from tests.runtime.images.told import Told

GIVEN = {"username": "admin", "password": ADMIN_PASSWORD}


def test_an_image_arrives_whole_and_is_told_as_docker_tells_it(
    server: RunningServer, store: Store, puller: Puller, layout: Layout
) -> None:
    layers = [layout.layer(tar_of({"one": b"1"})), layout.layer(noise_tar("two", 300_000), "zstd")]
    digest = Stock(server.host).put(layout, layout.image(layers), "team/app", "1")
    name = f"{server.host}/team/app:1"
    told = Told()
    image = puller.pull(store.images.parse(name), credentials=GIVEN, feed=told)
    assert store.images.resolve(name).id == image.id
    assert store.images.resolve(f"{server.host}/team/app@{digest}").id == image.id
    assert (store.layers.path(image.diff_ids[0]) / "one").read_bytes() == b"1"
    assert (store.layers.path(image.diff_ids[1]) / "two").stat().st_size == 300_000
    assert told.lines[0] == {"status": "Pulling from team/app", "id": "1"}
    assert told.of(layers[1].descriptor.digest[7:19])[-4:] == [
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
    ]
    assert told.plain == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}"]
    assert store.remains() == []
    again = Told()
    puller.pull(store.images.parse(name), credentials=GIVEN, feed=again)
    assert again.of(layers[0].descriptor.digest[7:19]) == ["Already exists"]
    assert again.plain[-1] == f"Status: Image is up to date for {name}"


def test_a_platform_is_chosen_and_one_that_is_not_there_is_named(
    server: RunningServer, store: Store, puller: Puller, layout: Layout
) -> None:
    Stock(server.host).put(layout, multi_arch_image(layout, "/bin/true", "1"), "team/many", "1")
    reference = store.images.parse(f"{server.host}/team/many:1")
    arm = puller.pull(reference, platform="linux/arm64", credentials=GIVEN, feed=Told())
    assert arm.config["architecture"] == "arm64"
    with pytest.raises(NotFound, match="no matching manifest for linux/s390x in the manifest list entries"):
        puller.pull(reference, platform="linux/s390x", credentials=GIVEN, feed=Told())


def test_every_tag_is_pulled(server: RunningServer, store: Store, puller: Puller, layout: Layout) -> None:
    for tag in ("a", "b", "c"):
        Stock(server.host).put(layout, many_layers_image(layout, tag, 2), "team/tags", tag)
    told = Told()
    puller.pull_all(store.images.parse(f"{server.host}/team/tags"), credentials=GIVEN, feed=told)
    assert {str(tag) for image in store.images.all() for tag in image.tags} == {
        f"{server.host}/team/tags:{tag}" for tag in "abc"
    }
    assert told.plain[-1] == f"Status: Downloaded newer image for {server.host}/team/tags"


def test_what_is_not_there_and_what_is_not_allowed(server: RunningServer, store: Store, puller: Puller) -> None:
    reference = store.images.parse(f"{server.host}/team/nothing:1")
    with pytest.raises(NotFound, match=r"^(manifest for|repository) .*team/nothing.* not found: "):
        puller.pull(reference, credentials=GIVEN, feed=Told())
    with pytest.raises(NotFound, match=r"^pull access denied for .*/team/nothing, repository does not exist or may"):
        puller.pull(reference, feed=Told())
    with pytest.raises(NotFound, match=r"pull access denied .*: unauthorized: "):
        puller.pull(reference, credentials=GIVEN | {"password": "wrong"}, feed=Told())
