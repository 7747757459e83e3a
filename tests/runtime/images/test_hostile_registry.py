"""A hostile registry is refused: nothing of what it gave is kept, and nobody else is shown a credential."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.client.limits import Limits
from runtime.errors import EngineError
from runtime.images.pull import Puller
from runtime.images.registries import Registries
from tests.runtime.images.conftest import REGISTRY, Store
from tests.runtime.images.hostile_registry import HostileRegistry, answer, hostile_registry
from tests.runtime.images.lies import LIES
from tests.runtime.images.told import Told

SECRET = "the-password"
GIVEN = {"username": "somebody", "password": SECRET}
LIMITS = Limits(connect=2, head=0.7, commit=0.7, document=0.7, window=0.4, floor=1000, attempts=2, pause=0, pages=20)


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
    threads = threading.active_count()
    LIES[name](registry, elsewhere)
    with pytest.raises(EngineError) as refusal:
        hasty.pull(store.images.parse(f"{registry.host}/team/app:1"), credentials=GIVEN, feed=Told())
    assert str(refusal.value).isprintable()
    assert SECRET not in str(refusal.value)
    assert store.images.all() == ()
    assert store.layers.all() == ()
    assert not any(name for name in store.remains() if "-" not in name)  # what may be resumed keeps its digest's name
    assert elsewhere.shown == []
    assert (victim / "file").read_bytes() == b"untouched"
    assert threading.active_count() <= threads + 3 + len(registry.requests) + len(elsewhere.requests)
