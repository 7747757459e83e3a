"""Containers' networks: from what a client asked for, in Docker's JSON, to what `runtime.networks` gives.

The one place where the two rooms meet. A container on the default bridge, or in user-made networks, has a sandbox while
it runs; `none` and `host` have none, and `container:ID` shares another's.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from runtime.containers.model import Container
from runtime.errors import BadParameter, EngineError, NotFound
from runtime.networks import ports
from runtime.networks.model import BRIDGE, HOST, NONE, EndpointWish, Owner, PortWish
from runtime.networks.networks import Networks

SHARED = "container:"


class Wiring:
    """`neighbours.Cables` over the engine's networks. Safe from any thread."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def check(self, container: Container) -> None:
        """Refuse addresses and ports that mean nothing. Raises: BadParameter, Conflict.

        A network that is not there is told at the start, as Docker does: `docker run` takes a 404 of a creation for a
        missing image, and would pull.
        """
        with suppress(NotFound):
            self._networks.check(wishes(container))
        _ports(container)

    def allocate(self, container: Container) -> None:
        """Reserve addresses and ports. Raises: EngineError, with Docker's sentence for a port that is taken."""
        wanted = wishes(container)
        if not wanted:
            return
        owner = Owner(container.id, container.name, str(container.config["Hostname"]))
        try:
            self._networks.allocate(owner, wanted, _ports(container))
        except ports.PortTaken as error:
            raise EngineError(
                f"driver failed programming external connectivity on endpoint {container.name}"
                f" ({container.id}): {error}"
            ) from error

    def plug(self, container: Container, pid: int) -> None:
        """Connect the network namespace of a process. Raises EngineError."""
        self._networks.plug(container.id, pid)

    def unplug(self, container: Container) -> None:
        """Give back what `allocate` and `plug` took."""
        self._networks.unplug(container.id)

    def hosts(self, container: Container) -> str:
        """The text of /etc/hosts."""
        return self._networks.hosts(container.id)

    def resolv(self, container: Container) -> str:
        """The text of /etc/resolv.conf."""
        return self._networks.resolv(container.id) if container.host_config["NetworkMode"] != NONE else ""

    def settings(self, container: Container) -> dict[str, Any]:
        """NetworkSettings, as `docker inspect` has them."""
        return self._networks.inspect_endpoints(container.id, wishes(container), container.config["ExposedPorts"] or ())

    def recover(self, alive: Mapping[str, int]) -> None:
        """After a start of the daemon: give back what no container holds."""
        self._networks.recover(alive)

    def forget(self, container: Container) -> None:
        """Nothing is kept of a container that does not run."""

    def connect(self, container: Container, reference: str, asked: Mapping[str, Any]) -> None:
        """Put a container into one more network, at once where it runs. Raises EngineError."""
        network = self._networks.get(reference)
        _refuse_mode(container)
        wish = _wish(container, asked)
        if container.state.alive:
            self._networks.connect(container.id, container.state.pid, network.id, wish)
        else:
            self._networks.check({network.id: wish})

    def disconnect(self, container: Container, reference: str) -> None:
        """Take a container out of a network, at once where it runs. Raises EngineError where it is not in it."""
        if container.state.alive:
            self._networks.disconnect(container.id, container.state.pid, reference)

    def rename(self, container: Container) -> None:
        """Let others find a container by its new name."""
        self._networks.rename(container.id, container.name)


def wishes(container: Container) -> dict[str, EndpointWish]:
    """What a container asks of each network; {} where it has no sandbox. Raises BadParameter."""
    mode = container.host_config["NetworkMode"]
    if mode in {NONE, HOST} or mode.startswith(SHARED):
        return {}
    asked: dict[str, Any] = {mode: None} | {_named(name): given for name, given in container.endpoints.items()}
    return {name: _wish(container, given or {}) for name, given in asked.items()}


def _named(network: str) -> str:
    """What a client calls `default` is the bridge."""
    return BRIDGE if network == "default" else network


def _wish(container: Container, asked: Mapping[str, Any]) -> EndpointWish:
    """Read EndpointSettings (Engine API, NetworkConnect)."""
    address = str((asked.get("IPAMConfig") or {}).get("IPv4Address") or "")
    mac = str(asked.get("MacAddress") or container.config.get("MacAddress") or "")
    if not isinstance(priority := asked.get("GwPriority") or 0, int):
        raise BadParameter("GwPriority is a whole number")
    return EndpointWish(address, mac, tuple(str(each) for each in asked.get("Aliases") or ()), priority)


def _ports(container: Container) -> tuple[PortWish, ...]:
    host = container.host_config
    return ports.wishes(host["PortBindings"], container.config["ExposedPorts"], publish_all=host["PublishAllPorts"])


def _refuse_mode(container: Container) -> None:
    mode = container.host_config["NetworkMode"]
    if mode == HOST or mode.startswith(SHARED):
        raise BadParameter("container sharing network namespace with another container or host cannot be connected to "
                           "any other network")  # fmt: skip
