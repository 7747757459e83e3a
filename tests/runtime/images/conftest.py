"""A store of images of each test's own, and a directory of the host that no layer may reach."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.events import Event, Events
from runtime.images.content import Content
from runtime.images.images import Images
from runtime.images.layers import Layers
from runtime.images.pull import Puller
from runtime.images.registries import Registries
from runtime.images.trees import remove_tree
from tests.parts.images import Layout
from tests.parts.server import RunningServer, start_moorage
from tests.parts.tools import require_root

REGISTRY = "localhost:5000"


@dataclass
class Store:
    """Images below a directory; `reopened` is what the next start of the engine finds."""

    data: Path
    content: Content
    layers: Layers
    images: Images
    events: Events

    def reopened(self) -> "Store":
        """Close, and start anew."""
        self.layers.close()
        return open_store(self.data)

    def heard(self) -> list[Event]:
        """What was published so far."""
        with self.events.listening(lambda _: None) as past:
            return past

    def remains(self) -> list[str]:
        """What is half-done: names in the staging and ingest directories."""
        return [path.name for part in ("layers/staging", "content/ingest") for path in (self.data / part).iterdir()]


def open_store(data: Path, *, userxattr: bool = False) -> Store:
    """Start the store of a data directory."""
    data.mkdir(mode=0o700, exist_ok=True)
    content = Content(data / "content")
    layers = Layers(data, content, userxattr=userxattr)
    events = Events()
    images = Images(data, content, layers, events, REGISTRY)
    return Store(data, content, layers, images, events)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store; root makes it, for only root may chroot."""
    require_root()
    opened = open_store(tmp_path / "data")
    yield opened
    opened.layers.close()
    remove_tree(opened.data)  # pytest would recurse into what is too deep for it


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory beside the store with one file."""
    directory = tmp_path / "victim"
    directory.mkdir()
    (directory / "file").write_bytes(b"untouched")
    (directory / "file").chmod(0o640)
    return directory


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A registry with accounts."""
    with start_moorage(tmp_path_factory.mktemp("moorage") / "data", accounts=True) as running:
        yield running


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Where a test makes its images."""
    return Layout(tmp_path / "layout")


@pytest.fixture
def puller(store: Store) -> Iterator[Puller]:
    """The engine's puller."""
    made = Puller(store.images, Registries(REGISTRY))
    yield made
    made.close()
