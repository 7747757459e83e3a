"""Containers on real runc, conmon and overlay, without a daemon or networks: `place`, with an image of busybox."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runtime.config import Settings
from runtime.containers.containers import Containers
from runtime.containers.model import Container
from runtime.containers.neighbours import NoNetworks
from runtime.containers.streams.attach import Attachments
from runtime.events import Event, Events
from runtime.images.content import Content
from runtime.images.images import Images
from runtime.images.layers import Layers
from runtime.images.loading import load_file
from tests.parts.images import busybox_tar, docker_archive, tar_of
from tests.parts.mounts import unmount_below
from tests.parts.tools import require, require_root
from tests.runtime.containers.stores import DirectoryStores

IMAGE = "team/busybox:1"
COMMANDS = (
    "sh",
    "cat",
    "echo",
    "ls",
    "sleep",
    "true",
    "env",
    "id",
    "stat",
    "mount",
    "kill",
    "head",
    "touch",
    "seq",
    "pwd",
    "ps",
    "nproc",
    "hostname",
    "unshare",
    "grep",
    "readlink",
    "mknod",
    "mkdir",
    "dd",
    "tail",
    "wc",
    "ip",
)


@dataclass
class Place:
    """One data root with its services, as a daemon would have them."""

    directory: Path
    events: list[Event] = field(default_factory=list)
    opened: ExitStack = field(default_factory=ExitStack)
    containers: Containers = None  # type: ignore[assignment]  # `open` sets it at once
    images: Images = None  # type: ignore[assignment]
    stores: DirectoryStores = None  # type: ignore[assignment]

    def open(self) -> None:
        """Start the services and recover."""
        self.opened = ExitStack()
        settings = Settings(data=self.directory / "data", run=self.directory / "run")
        settings.run.mkdir(mode=0o711, exist_ok=True)
        settings.data.mkdir(mode=0o700, exist_ok=True)
        bus, content = Events(), Content(settings.data / "content")
        self.opened.enter_context(bus.listening(self.events.append))
        layers = Layers(settings.data, content)
        self.opened.callback(layers.close)
        self.images = Images(settings.data, content, layers, bus, settings.default_registry)
        self.stores = DirectoryStores(self.directory / "volumes")
        self.containers = Containers(settings, bus, self.images, NoNetworks(), self.stores, Attachments())
        self.opened.callback(self.containers.close)
        self.containers.recover()

    def close(self) -> None:
        """Stop the services; containers live on."""
        self.opened.close()

    def create(
        self, *words: str, name: str | None = None, host: dict[str, Any] | None = None, **config: Any
    ) -> Container:
        """Make a container of the image that runs `words`."""
        host_config = {"NetworkMode": "none", **(host or {})}
        return self.containers.create({"Image": IMAGE, "Cmd": list(words), "HostConfig": host_config, **config}, name)

    def run(self, *words: str, host: dict[str, Any] | None = None, **config: Any) -> tuple[int, str]:
        """Run a container to its end; exit code, and all it wrote."""
        container = self.create(*words, host=host, **config)
        self.containers.start(container)
        code = self.containers.wait(container).result(60).code
        return code, output_of(container)

    def clear(self) -> None:
        """Remove every container."""
        for container in self.containers.all():
            self.containers.remove(container, force=True, volumes=True)
        until(lambda: not any((self.directory / "data/graves").iterdir()))

    def leftovers(self) -> list[str]:
        """What there is beside the image: mounts, directories, runtime states, cgroups."""
        mounts = [row for row in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.directory) in row]
        directories = [self.directory / "data/containers", self.directory / "run/c", self.directory / "run/oci"]
        left = [str(entry) for each in directories if each.is_dir() for entry in each.iterdir()]
        return [*mounts, *left, *self.cgroups()]

    def cgroups(self) -> list[str]:
        """Control groups of containers of this place."""
        ids = {container.id for container in self.containers.all()} | self.known
        return [str(found) for found in Path("/sys/fs/cgroup").glob("*/moorage/*") if found.name in ids]

    @property
    def known(self) -> set[str]:
        """Every container that an event named."""
        return {event.actor for event in self.events if event.type == "container"}


def until(holds: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until something holds."""
    limit = time.monotonic() + within
    while not holds():
        assert time.monotonic() < limit, f"not within {within:.0f} s"
        time.sleep(0.01)


def output_of(container: Container) -> str:
    """What a container wrote, out of conmon's log."""
    lines = container.log.read_text().splitlines()
    return "".join(line.split(" ", 3)[3] + ("\n" if line.split(" ")[2] == "F" else "") for line in lines)


def load_archive(place: Place, name: str, files: Mapping[str, bytes], links: Mapping[str, str]) -> None:
    """Give the place an image: busybox, and a layer above with files and symbolic links."""
    path = place.directory / "more.tar"
    layers = [busybox_tar(require("busybox"), COMMANDS), tar_of(files, links)]
    docker_archive(path, name, layers, command=("/bin/sh",))
    load_file(place.images, path, lambda _: None)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker load` reads."""
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    docker_archive(path, IMAGE, [busybox_tar(require("busybox"), COMMANDS)], command=("/bin/sh",))
    return path


@pytest.fixture(scope="session")
def make_place(archive: Path) -> Iterator[Callable[[], Place]]:
    """Make places; each is taken down at the end, whatever it left."""
    require_root()
    for tool in ("runc", "conmon"):
        require(tool)
    with ExitStack() as stack:

        def make() -> Place:
            directory = Path(tempfile.mkdtemp(prefix="moor-", dir="/tmp"))
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
            stack.callback(unmount_below, directory)
            place = Place(directory)
            place.open()
            stack.callback(place.close)
            stack.callback(place.clear)
            load_file(place.images, archive, lambda _: None)
            return place

        yield make


@pytest.fixture(scope="module")
def place(make_place: Callable[[], Place]) -> Place:
    """A place for a module's tests."""
    return make_place()
