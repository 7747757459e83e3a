"""What the parts of this room work with: one value, made once by `Containers`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runtime import programs
from runtime.config import Settings
from runtime.containers import oci_runtime
from runtime.containers.conmon import Conmon
from runtime.containers.model import Container
from runtime.containers.names import Register
from runtime.containers.neighbours import Cables, Stores, Streams
from runtime.containers.oci_runtime import OciRuntime
from runtime.containers.rootfs import Roots
from runtime.containers.specification import capabilities
from runtime.containers.specification.limits import Abilities
from runtime.containers.specification.seccomp import Seccomp
from runtime.events import Event, Events
from runtime.images.images import Images
from storage.digest import Digest

log = logging.getLogger("runtime.containers")


@dataclass(frozen=True)
class Services:
    """The neighbours, and what is found out of this machine once it is needed."""

    settings: Settings
    events: Events
    images: Images
    cables: Cables
    stores: Stores
    streams: Streams
    register: Register
    roots: Roots

    @property
    def directory(self) -> Path:
        """Where containers' directories are."""
        return self.settings.data / "containers"

    @property
    def graves(self) -> Path:
        """Where directories of removed containers wait until they are deleted: that can take as long as it wants."""
        return self.settings.data / "graves"

    @property
    def run(self) -> Path:
        """Where their mounts are."""
        return self.settings.run / "c"

    @cached_property
    def runtime(self) -> OciRuntime:
        """runc or crun. Raises Unavailable where there is none, at each try."""
        return oci_runtime.found(self.settings.runtime, self.settings.run)

    @cached_property
    def conmon(self) -> Conmon:
        """The supervisor's program. Raises Unavailable where there is none."""
        return Conmon(programs.find("conmon"), self.runtime, self.settings.log_size_max)

    @cached_property
    def abilities(self) -> Abilities:
        """What can be limited here."""
        return Abilities.found(rootless=self.settings.rootless)

    @cached_property
    def seccomp(self) -> Seccomp:
        """The default profile."""
        return Seccomp()

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """What we may give."""
        return capabilities.held()

    def digests(self, container: Container) -> list[Digest]:
        """The image's layers, the lowest first."""
        return [Digest.parse(text) for text in container.diff_ids]

    def lowers(self, container: Container) -> list[str]:
        """The overlay's lower directories, relative to the data root: the init layer above the image's."""
        own = container.directory.relative_to(self.settings.data)
        return [f"{own}/init", *self.images.layers.lowerdirs(self.digests(container))]

    def tell(self, container: Container, action: str, attributes: Mapping[str, str] | None = None) -> None:
        """Publish an event of a container."""
        told = {**(container.config["Labels"] or {}), "image": container.image, "name": container.name}
        self.events.publish(Event("container", action, container.id, told | dict(attributes or {})))
