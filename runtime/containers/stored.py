"""Containers' volumes are the engine's: `Stores` as the room of volumes has them."""

from pathlib import Path

from runtime.containers.model import Mount
from runtime.errors import Conflict, NotFound
from runtime.volumes.volume import ANONYMOUS, DRIVER
from runtime.volumes.volumes import Volumes


class ContainerVolumes:
    """`neighbours.Stores` of an engine with volumes."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes

    def prepare(self, mount: Mount) -> None:
        """Make the volume where there is none. Raises EngineError."""
        driver = mount.volume_options.get("DriverConfig") or {}
        labels = dict(mount.volume_options.get("Labels") or {})
        self._volumes.create(
            {
                "Name": mount.source,
                "Driver": mount.driver or DRIVER,
                "DriverOpts": driver.get("Options") or {},
                "Labels": labels | ({ANONYMOUS: ""} if mount.anonymous else {}),
            }
        )

    def mount(self, name: str, container_id: str) -> Path:
        """The volume's directory, in use from now on."""
        return self._volumes.mount(name, container_id)

    def release(self, name: str, container_id: str) -> None:
        """Not in use any more."""
        self._volumes.release(name, container_id)

    def hold(self, name: str, container_id: str) -> None:
        """It must not be removed."""
        self._volumes.hold(name, container_id)

    def drop(self, name: str, container_id: str) -> None:
        """It may be removed."""
        self._volumes.drop(name, container_id)

    def remove(self, name: str) -> None:
        """Remove an anonymous volume that nobody else has."""
        try:
            self._volumes.remove(name, force=True)
        except (Conflict, NotFound):
            return  # another container has it, or it is gone
