"""A hostile registry is refused: nothing of what it gave is kept, and nobody else is shown a credential."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.client.limits import Limits
from runtime.errors import EngineError
from runtime.images.finding import BadImage
from runtime.images.layers import WrongLayer
from runtime.images.loading import load_file
from runtime.images.pull import Puller
from runtime.images.push import Pusher
from runtime.images.registries import Registries, RegistryFailed
from tests.parts.images import digest_of, docker_archive, tar_of
from tests.runtime.images.conftest import REGISTRY, Store
from tests.runtime.images.hostile_registry import PLACE, HostileRegistry, answer, document, hostile_registry
from tests.runtime.images.lies import LIES
from tests.runtime.images.told import Told

SECRET = "the-password"
GIVEN = {"username": "somebody", "password": SECRET}
LIMITS = Limits(connect=2, head=0.7, commit=0.7, document=0.7, window=0.4, floor=1000, attempts=2, pause=0, pages=20)
RESUMED = frozenset({"a layer that is always cut off", "a layer byte by byte", "a chunk's size that never ends"})
"""Lies that a bad line tells as well: what came of the layer is kept for the next attempt."""


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    """The registry that a test spoils."""
    with hostile_registry() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[HostileRegistry]:
    """A server of somebody else's, which gives wrong bytes to whoever comes."""
    with hostile_registry() as server:
        server.table["GET", "*"] = answer(200, b"wrong")
        yield server


@pytest.fixture
def registries() -> Registries:
    """How the engine speaks to them: impatiently."""
    return Registries(REGISTRY, limits=LIMITS)


@pytest.fixture
def hasty(store: Store, registries: Registries) -> Iterator[Puller]:
    """A puller that waits for nobody."""
    made = Puller(store.images, registries)
    yield made
    made.close()


def test_the_good_image_is_pulled(registry: HostileRegistry, store: Store, hasty: Puller) -> None:
    image = hasty.pull(store.images.parse(f"{registry.host}/team/app:1"), credentials=GIVEN, feed=Told())
    assert store.layers.has(image.diff_ids[0])


@pytest.mark.parametrize("name", LIES)
def test_it_is_refused(
    name: str, registry: HostileRegistry, elsewhere: HostileRegistry, store: Store, hasty: Puller, victim: Path
) -> None:
    LIES[name](registry, elsewhere)
    with pytest.raises(EngineError) as refusal:
        hasty.pull(store.images.parse(f"{registry.host}/team/app:1"), credentials=GIVEN, feed=Told())
    assert str(refusal.value).isprintable()
    assert SECRET not in str(refusal.value)
    assert store.images.all() == ()
    assert store.layers.all() == ()
    kept = [] if name not in RESUMED else [digest_of(registry.contents.layer).replace(":", "-")]
    assert [remains for remains in store.remains() if remains not in kept] == []
    assert elsewhere.shown == []
    assert (victim / "file").read_bytes() == b"untouched"
    assert not [thread for thread in threading.enumerate() if thread.name == "registry-guard"]


def test_a_lie_about_bytes_that_are_kept_takes_nobody_elses_away(
    registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    reference = store.images.parse(f"{registry.host}/team/app:1")
    good = hasty.pull(reference, credentials=GIVEN, feed=Told())
    LIES["a configuration with another layer's diff ID"](registry, registry)
    with pytest.raises(WrongLayer):
        hasty.pull(reference, credentials=GIVEN, feed=Told())
    assert store.images.resolve(str(reference)).id == good.id
    assert store.layers.blob(good.diff_ids[0]) is not None


def test_what_no_disk_can_hold_is_not_asked_for(registry: HostileRegistry, store: Store, hasty: Puller) -> None:
    LIES["a layer that no disk can hold"](registry, registry)
    with pytest.raises(BadImage, match="no space left on device"):
        hasty.pull(store.images.parse(f"{registry.host}/team/app:1"), credentials=GIVEN, feed=Told())
    assert f"{PLACE}/blobs/{digest_of(registry.contents.layer)}" not in [request.path for request in registry.requests]


def test_an_upload_elsewhere_is_refused(
    registry: HostileRegistry, elsewhere: HostileRegistry, store: Store, registries: Registries, tmp_path: Path
) -> None:
    name = f"{registry.host}/team/app:1"
    docker_archive(tmp_path / "image.tar", name, [tar_of({"file": b"content"})])
    load_file(store.images, tmp_path / "image.tar", Told())
    registry.table["POST", f"{PLACE}/blobs/uploads/"] = answer(202, location=f"{elsewhere.url}/take")
    pusher = Pusher(store.images, registries)
    with pytest.raises(RegistryFailed, match="which is not itself"):
        pusher.push(store.images.parse(name), credentials=GIVEN, feed=Told())
    pusher.close()
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "page",
    [
        document({"tags": ["1"]}, link=f"<{PLACE}/tags/list>; rel=next"),
        document({"tags": ["../../../etc/passwd"]}),
        document({"tags": "1"}),
        answer(200, b"<html>"),
    ],
)
def test_a_list_of_tags_that_is_none_is_refused(
    page: bytes, registry: HostileRegistry, store: Store, hasty: Puller
) -> None:
    registry.table["GET", f"{PLACE}/tags/list"] = page
    with pytest.raises(RegistryFailed):
        hasty.pull_all(store.images.parse(f"{registry.host}/team/app"), credentials=GIVEN, feed=Told())
    assert store.images.all() == ()
