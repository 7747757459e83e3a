"""What containers need of networks, volumes and streams: small interfaces, for the rooms below do not know each other.

`NoNetworks` and `NoVolumes` are real implementations, for an engine without those rooms: `none` and `host` only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from runtime.containers.model import Container, Mount
from runtime.errors import NotFound


class Cables(Protocol):
    """A container's networks. Every call is idempotent but `allocate`."""

    def check(self, container: Container) -> None:
        """Raise NotFound or BadParameter where the container asks for what cannot be."""
        ...

    def allocate(self, container: Container) -> None:
        """Reserve addresses and ports. Raises: EngineError, with Docker's sentence for a port that is taken."""
        ...

    def plug(self, container: Container, pid: int) -> None:
        """Connect the network namespace of a process. Raises EngineError."""
        ...

    def unplug(self, container: Container) -> None:
        """Give back what `allocate` and `plug` took."""
        ...

    def hosts(self, container: Container) -> str:
        """The text of /etc/hosts."""
        ...

    def resolv(self, container: Container) -> str:
        """The text of /etc/resolv.conf."""
        ...

    def settings(self, container: Container) -> dict[str, Any]:
        """NetworkSettings, as `docker inspect` has them."""
        ...

    def recover(self, alive: Mapping[str, int]) -> None:
        """After a start of the daemon: give back what no container holds; `alive`: container id to process."""
        ...

    def forget(self, container: Container) -> None:
        """A container is removed: drop what is kept of it while it does not run."""
        ...

    def renamed(self, container: Container) -> None:
        """A container has another name."""
        ...


class Stores(Protocol):
    """Volumes."""

    def prepare(self, mount: Mount) -> None:
        """See to it that the volume is there. Raises EngineError."""
        ...

    def mount(self, name: str, container_id: str) -> Path:
        """The volume's directory, in use by the container from now on. Raises EngineError."""
        ...

    def release(self, name: str, container_id: str) -> None:
        """The container does not use it any more; harmless at any time."""
        ...

    def hold(self, name: str, container_id: str) -> None:
        """The container has the volume, running or not: it must not be removed."""
        ...

    def drop(self, name: str, container_id: str) -> None:
        """Undo `hold`."""
        ...

    def remove(self, name: str) -> None:
        """Remove an anonymous volume that nobody else has."""
        ...


class Streams(Protocol):
    """Clients at containers' streams (`attach.Attachments`)."""

    def dial(self, container_id: str, socket_path: Path, pid: int | None = None) -> None:
        """Connect who waits."""
        ...

    def hang_up(self, container_id: str) -> None:
        """The container has ended."""
        ...


class NoNetworks:
    """`none`, `host` and `container:ID` only."""

    def check(self, container: Container) -> None:
        """Refuse every network."""
        mode = container.host_config["NetworkMode"]
        if mode not in {"none", "host"} and not mode.startswith("container:"):
            raise NotFound(f"network {mode} not found")

    def allocate(self, container: Container) -> None:
        """Nothing to reserve."""

    def plug(self, container: Container, pid: int) -> None:
        """Nothing to connect."""

    def unplug(self, container: Container) -> None:
        """Nothing to give back."""

    def hosts(self, container: Container) -> str:
        """The loopback's names."""
        return "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

    def resolv(self, container: Container) -> str:
        """Nobody to ask."""
        return ""

    def settings(self, container: Container) -> dict[str, Any]:
        """What Docker shows of a container without networks."""
        return {"Ports": {}, "Networks": {}, "IPAddress": "", "Gateway": "", "MacAddress": ""}

    def recover(self, alive: Mapping[str, int]) -> None:
        """Nothing is kept."""

    def forget(self, container: Container) -> None:
        """Nothing is kept."""

    def renamed(self, container: Container) -> None:
        """Nobody looks for it."""


class NoVolumes:
    """No volume is known."""

    def prepare(self, mount: Mount) -> None:
        """Refuse."""
        raise NotFound(f"get {mount.source}: no such volume")

    def mount(self, name: str, container_id: str) -> Path:
        """Refuse."""
        raise NotFound(f"get {name}: no such volume")

    def release(self, name: str, container_id: str) -> None:
        """Nothing is held."""

    def hold(self, name: str, container_id: str) -> None:
        """Nothing is held."""

    def drop(self, name: str, container_id: str) -> None:
        """Nothing is held."""

    def remove(self, name: str) -> None:
        """Nothing is there."""
