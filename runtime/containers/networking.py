"""Containers' networks are the engine's: `Cables` as the room of networks has them, and connecting while they run.

Which networks a container wants is in its record: those it was made with (its NetworkMode's first), and what `connect`
and `disconnect` have changed since. Sentences are moby's (daemon/container_operations.go).
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from runtime.containers import etc_files
from runtime.containers.containers import Containers
from runtime.containers.model import Container
from runtime.errors import BadParameter, EngineError, Forbidden, NotFound
from runtime.networks.model import BRIDGE, HOST, NONE, EndpointWish, Network, Owner
from runtime.networks.networks import Networks
from runtime.networks.ports import wishes

_HOST_NETWORK = "container cannot be disconnected from host network or connected to host network"
_SHARED = "container sharing network namespace with another container or host cannot be connected to any other network"
_PRIVATE = "container cannot be connected to multiple networks with one of the networks in private (none) mode"


class ContainerNetworks:
    """`neighbours.Cables` of an engine with networks."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def check(self, container: Container) -> None:
        """Settle a new container's networks in its record. Raises: BadParameter where they cannot be.

        A network that is not there is told at the start, as Docker does: `docker run` takes a 404 of a creation for a
        missing image, and would pull.
        """
        host, config = container.host_config, container.config
        mode = host["NetworkMode"]
        given = {BRIDGE if name == "default" else name: each or {} for name, each in container.endpoints.items()}
        if mode.startswith("container:") or mode in {HOST, NONE} or config["NetworkDisabled"]:
            given = {}
        else:
            given = {mode: given.get(mode, {})} | given
        if config["MacAddress"] and mode in given:
            given[mode] = {"MacAddress": config["MacAddress"]} | given[mode]
        container.endpoints = given
        with suppress(NotFound):
            self._networks.check(_wanted(container))
        wishes(host["PortBindings"], config["ExposedPorts"], publish_all=host["PublishAllPorts"])

    def allocate(self, container: Container) -> None:
        """Reserve addresses and ports. Raises EngineError."""
        host, config = container.host_config, container.config
        wanted = _wanted(container)
        if not wanted:
            return
        ports = wishes(host["PortBindings"], config["ExposedPorts"], publish_all=host["PublishAllPorts"])
        self._networks.allocate(Owner(container.id, container.name, config["Hostname"]), wanted, ports)

    def plug(self, container: Container, pid: int) -> None:
        """Connect the namespace of a process. Raises EngineError."""
        self._networks.plug(container.id, pid)

    def unplug(self, container: Container) -> None:
        """Give everything back."""
        self._networks.unplug(container.id)

    def hosts(self, container: Container) -> str:
        """The text of /etc/hosts."""
        return self._networks.hosts(container.id)

    def resolv(self, container: Container) -> str:
        """The text of /etc/resolv.conf."""
        return self._networks.resolv(container.id)

    def settings(self, container: Container) -> dict[str, Any]:
        """NetworkSettings."""
        exposed = container.config["ExposedPorts"] or ()
        found = self._networks.inspect_endpoints(container.id, _wanted(container), exposed)
        mode = container.host_config["NetworkMode"]
        if mode in {HOST, NONE}:
            found["Networks"] = self._networks.outline(mode)
        return found

    def recover(self, alive: Mapping[str, int]) -> None:
        """Give back what no container holds, and put the rest right."""
        self._networks.recover(alive)

    def forget(self, container: Container) -> None:
        """Nothing is kept of a container that does not run."""

    def renamed(self, container: Container) -> None:
        """It is found by its new name from now on."""
        self._networks.rename(container.id, container.name)


class Connections:
    """Puts containers into networks and takes them out, running or not."""

    def __init__(self, networks: Networks, containers: Containers) -> None:
        self._networks = networks
        self._containers = containers

    def connect(self, reference: str, container_reference: str, config: Mapping[str, Any]) -> None:
        """POST /networks/ID/connect. Raises EngineError; nothing is then changed."""
        network, container = self._networks.get(reference), self._containers.get(container_reference)
        with container.lock:
            _may_change(container, network)
            if network.name in container.endpoints:
                raise Forbidden(f"endpoint with name {container.name} already exists in network {network.name}")
            wish = endpoint_wish(config)
            self._networks.check({network.id: wish})
            if container.state.alive:
                self._networks.connect(container.id, container.state.pid, network.id, wish)
            self._save(container, container.endpoints | {network.name: dict(config)})

    def disconnect(self, reference: str, container_reference: str) -> None:
        """POST /networks/ID/disconnect. Raises EngineError; nothing is then changed."""
        network, container = self._networks.get(reference), self._containers.get(container_reference)
        with container.lock:
            _may_change(container, network)
            if network.name not in container.endpoints:
                raise EngineError(f"container {container.id} is not connected to network {network.name}")
            if container.state.alive:
                self._networks.disconnect(container.id, container.state.pid, network.id)
            self._save(container, {name: each for name, each in container.endpoints.items() if name != network.name})

    def users(self) -> Collection[str]:
        """The networks that containers want, running or not."""
        return {name for container in self._containers.all() for name in container.endpoints}

    def refresh(self, ids: Collection[str]) -> None:
        """Write the /etc/hosts of running containers anew: somebody came, went, or has another name."""
        for number in ids:
            with suppress(NotFound, OSError):
                container = self._containers.get(number)
                if container.state.alive:
                    etc_files.refresh_hosts(self._containers.services, container)

    def _save(self, container: Container, endpoints: dict[str, Any]) -> None:
        container.endpoints = endpoints
        container.save()


def endpoint_wish(config: Mapping[str, Any]) -> EndpointWish:
    """Read an EndpointSettings. Raises BadParameter."""
    addresses = config.get("IPAMConfig") or {}
    aliases = config.get("Aliases") or []
    priority = config.get("GwPriority") or 0
    if not isinstance(addresses, dict) or not isinstance(aliases, list) or not isinstance(priority, int):
        raise BadParameter("json: EndpointSettings has fields of another type")
    if addresses.get("IPv6Address") or addresses.get("LinkLocalIPs"):
        raise BadParameter("this engine's networks have IPv4 addresses only")
    return EndpointWish(
        ipv4=str(addresses.get("IPv4Address") or ""),
        mac=str(config.get("MacAddress") or ""),
        aliases=tuple(str(alias) for alias in aliases),
        priority=priority,
    )


def _wanted(container: Container) -> dict[str, EndpointWish]:
    return {name: endpoint_wish(config or {}) for name, config in container.endpoints.items()}


def _may_change(container: Container, network: Network) -> None:
    mode = container.host_config["NetworkMode"]
    if HOST in {mode, network.name}:
        raise BadParameter(_HOST_NETWORK)
    if mode.startswith("container:"):
        raise BadParameter(_SHARED)
    if NONE in {mode, network.name}:
        raise BadParameter(_PRIVATE)
