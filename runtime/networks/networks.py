"""The engine's networks: what there is, who is in it, and every change to either, under one lock.

A container's way: `allocate` reserves addresses and ports of the host before anything is made, `plug` connects the
namespace of its process, `unplug` gives everything back. Whatever a killed daemon leaves of it, `recover` finds.
Containers are ids here; what they run, and whether they do, is for the callers to know.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from runtime import rootless
from runtime.config import Settings
from runtime.errors import BadParameter, Conflict, EngineError, Forbidden
from runtime.events import Event, Events
from runtime.networks import addressing, documents, links, names, specification
from runtime.networks.background import Background
from runtime.networks.cabling import Cabling
from runtime.networks.filters import Filters
from runtime.networks.forwards import Forwards
from runtime.networks.host import Host
from runtime.networks.known import Known
from runtime.networks.model import BRIDGE, FIXED, EndpointWish, Network, Owner, PortWish, Sandbox
from runtime.networks.ports import HostPorts
from runtime.networks.resolver import Resolver, Zone
from runtime.networks.sandboxes import Sandboxes

RESOLV = Path("/etc/resolv.conf")


class Networks:
    """Synchronous and safe from any thread; works in the network namespace of the thread that makes it."""

    def __init__(self, settings: Settings, events: Events) -> None:
        self._lock = threading.RLock()
        self._events = events
        self._pool = _pool(settings.address_pool)
        self._known = Known(settings.data / "networks")
        self._sandboxes = Sandboxes(settings.run / "networks")
        self._listeners: list[Callable[[Collection[str]], None]] = []
        self._known.load()
        self._sandboxes.load()
        self._fix(settings.bridge_name)
        self._background = Background()
        host = Host(self._background, Resolver(self._zone, lambda: names.servers(_resolv())), _forwards(settings))
        self._host = host
        self._cabling = Cabling(self._known, self._sandboxes, HostPorts(), host)

    def close(self) -> None:
        """Stop answering; containers keep their networks."""
        with self._lock:
            self._host.close()
        self._background.close()

    def watch(self, listener: Callable[[Collection[str]], None]) -> None:
        """Tell `listener` the ids of containers whose `hosts` text has changed; it is called without the lock."""
        self._listeners.append(listener)

    # What there is

    def list(self, filters: Mapping[str, Collection[str]] | None = None) -> list[Network]:
        """Every network that the filters let pass. Raises BadParameter for an unknown filter."""
        with self._lock:
            wanted = Filters.of(filters or {})
            return [each for each in self._known.all() if wanted.match(each, self._sandboxes.in_network(each.id))]

    def get(self, reference: str) -> Network:
        """Find a network by id, name or the beginning of an id. Raises: NotFound, Conflict for several."""
        with self._lock:
            return self._known.get(reference)

    def create(self, body: Mapping[str, Any]) -> Network:
        """Make a user's network of the body of POST /networks/create. Raises EngineError; nothing is then left."""
        with self._lock:
            network = specification.wanted(body, self._pool, self._taken())
            if self._known.find(network.name) is not None:
                raise Conflict(f"network with name {network.name} already exists")
            if network.bridge in links.present() or any(network.bridge == each.bridge for each in self._known.all()):
                raise Forbidden(f"bridge name {network.bridge} is in use: it must not exist")
            self._known.put(network)
        self._tell(network, "create")
        return network

    def remove(self, reference: str) -> Network:
        """Remove a network. Raises: NotFound, Forbidden for a fixed one and for one that is in use."""
        with self._lock:
            network = self._known.get(reference)
            if network.fixed:
                raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
            if any(self._sandboxes.in_network(network.id)):
                raise Forbidden(
                    f"error while removing network: network {network.name} id {network.id} has active endpoints"
                )
            self._host.removed(network, self._known.by_id(), self._sandboxes.all())
            self._known.remove(network)
        self._tell(network, "destroy")
        return network

    def prune(
        self, filters: Mapping[str, Collection[str]] | None = None, *, kept: Collection[str] = ()
    ) -> Sequence[str]:
        """Remove every user's network that nobody is in; returns their names. `kept`: names and ids to be left."""
        removed = []
        for network in self.list(filters):
            if network.fixed or network.name in kept or network.id in kept:
                continue
            try:
                removed.append(self.remove(network.id).name)
            except Forbidden:
                continue  # somebody is in it
        return removed

    def inspect(self, network: Network) -> dict[str, Any]:
        """The network as `docker network inspect` has it, with who is in it."""
        with self._lock:
            return documents.network(network, self._sandboxes.in_network(network.id))

    # Who is in it

    def check(self, wanted: Mapping[str, EndpointWish]) -> None:
        """Raise what `allocate` would, as far as it can be known before. Raises: NotFound, BadParameter."""
        with self._lock:
            for reference, wish in wanted.items():
                self._cabling.consider(self._known.get(reference), wish)

    def allocate(self, owner: Owner, wanted: Mapping[str, EndpointWish], ports: Iterable[PortWish] = ()) -> Sandbox:
        """Reserve an address in each network, and ports of the host. Raises EngineError; then nothing is reserved."""
        with self._lock:
            sandbox = self._cabling.allocate(owner, wanted, ports)
        self._changed(sandbox)
        return sandbox

    def plug(self, container_id: str, pid: int) -> None:
        """Connect the namespace of a process as was allocated; does nothing where nothing was. Raises EngineError."""
        with self._lock:
            sandbox = self._sandboxes.get(container_id)
            if sandbox is None:
                return
            self._cabling.plug(container_id, pid)
        for end in sandbox.endpoints:
            self._tell(self._known.get(end.network), "connect", container_id)

    def unplug(self, container_id: str) -> None:
        """Give back what a container has; harmless at any time. Raises EngineError when something stays."""
        with self._lock:
            before = self._sandboxes.get(container_id)
            networks = self._known.by_id()
            self._cabling.unplug(container_id)
        if before is not None:
            self._changed(before)
            for end in before.endpoints:
                self._tell(networks[end.network], "disconnect", container_id)

    def connect(self, container_id: str, pid: int, reference: str, wish: EndpointWish) -> None:
        """Put a running container into one more network. Raises EngineError; it is then as it was."""
        with self._lock:
            network = self._known.get(reference)
            self._cabling.connect(container_id, pid, network, wish)
            sandbox = self._sandboxes.get(container_id)
        self._changed(sandbox)
        self._tell(network, "connect", container_id)

    def disconnect(self, container_id: str, pid: int, reference: str) -> None:
        """Take a running container out of a network. Raises EngineError when it is not in it."""
        with self._lock:
            network = self._known.get(reference)
            sandbox = self._sandboxes.get(container_id)
            self._cabling.disconnect(container_id, pid, network)
        self._changed(sandbox)
        self._tell(network, "disconnect", container_id)

    def rename(self, container_id: str, name: str) -> None:
        """A container has another name: it is found by that from now on."""
        with self._lock:
            sandbox = self._sandboxes.get(container_id)
            if sandbox is None:
                return
            self._sandboxes.put(replace(sandbox, owner=replace(sandbox.owner, name=name)))
        self._changed(sandbox)

    def inspect_endpoints(
        self, container_id: str, wanted: Mapping[str, EndpointWish] | None = None, exposed: Iterable[str] = ()
    ) -> dict[str, Any]:
        """NetworkSettings as `docker inspect` has them; of a container that does not run, what it will ask for."""
        with self._lock:
            sandbox = self._sandboxes.get(container_id)
            return documents.settings(sandbox, self._known.by_id(), self._wished(wanted or {}), exposed)

    def outline(self, name: str) -> dict[str, Any]:
        """Networks of a container that is in `host` or `none`: there is no endpoint of ours."""
        with self._lock:
            return documents.outline(self._known.get(name))

    def hosts(self, container_id: str) -> str:
        """The text of a container's /etc/hosts, with the names of its peers."""
        with self._lock:
            sandbox = self._sandboxes.get(container_id)
            if sandbox is None:
                return names.LOOPBACK
            return names.hosts(sandbox, names.peers(sandbox, self._sandboxes.all(), self._known.by_id()))

    def resolv(self, container_id: str) -> str:
        """The text of a container's /etc/resolv.conf."""
        with self._lock:
            sandbox = self._sandboxes.get(container_id)
            if sandbox is None:
                return _resolv()
            networks = self._known.by_id()
            named = [end for end in sandbox.endpoints if not networks[end.network].fixed]
            end = names.outward(sandbox, networks) or next(iter(sandbox.endpoints), None)
            gateway = networks[end.network].gateway if end is not None else None
            return names.resolv(_resolv(), gateway, by_name=bool(named))

    def recover(self, alive: Mapping[str, int]) -> None:
        """After a start of the daemon: `alive` has every running container's id and process. Raises nothing: logs."""
        with self._lock:
            self._cabling.recover(alive)

    def _zone(self, address: str) -> Zone | None:
        """What the container at an address may know.

        Asked by the thread that those with the lock wait for: it takes none, and works on what it sees at one moment.
        """
        networks, sandboxes = self._known.by_id(), self._sandboxes.all()
        for sandbox in sandboxes:
            if any(str(end.address) == address for end in sandbox.endpoints):
                return names.zone(sandbox, sandboxes, networks)
        return None

    def _wished(self, wanted: Mapping[str, EndpointWish]) -> dict[str, EndpointWish]:
        """Wishes by network id; those for networks that are gone are left out."""
        found = {}
        for reference, wish in wanted.items():
            try:
                found[self._known.get(reference).id] = wish
            except EngineError:
                continue
        return found

    def _fix(self, bridge: str) -> None:
        """See to the networks that are always there."""
        for name in sorted(FIXED):
            if self._known.find(name) is None:
                self._known.put(specification.fixed(name, self._pool, self._taken(), bridge))
        ours = self._known.get(BRIDGE)
        if ours.bridge not in links.present() and not any(self._sandboxes.in_network(ours.id)):
            self._known.put(specification.moved(ours, bridge, self._pool, self._taken(ours)))

    def _taken(self, but: Network | None = None) -> Collection[IPv4Network]:
        """The subnets that a new network must not overlap with: other networks', and what the host has routes for."""
        ours = [each.subnet for each in self._known.all() if each.bridge and each != but]
        return [*ours, *addressing.host_routes()]

    def _changed(self, sandbox: Sandbox | None) -> None:
        """Tell whose /etc/hosts is another now: everybody's in the container's user-made networks."""
        if sandbox is None:
            return
        with self._lock:
            networks = self._known.by_id()
            mine = {end.network for end in sandbox.endpoints if not networks[end.network].fixed}
            ids = {one.owner.id for each in mine for one in self._sandboxes.in_network(each)}
        for listener in self._listeners if ids else ():
            listener(ids)

    def _tell(self, network: Network, action: str, container_id: str = "") -> None:
        told = {"name": network.name, "type": network.driver} | ({"container": container_id} if container_id else {})
        self._events.publish(Event("network", action, network.id, told))


def _forwards(settings: Settings) -> Forwards | None:
    """Who publishes ports on the machine, where the engine is not root there."""
    return Forwards(rootless.place(settings).forwards, rootless.GUEST) if settings.rootless else None


def _resolv() -> str:
    try:
        return RESOLV.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _pool(text: str) -> IPv4Network:
    try:
        pool = IPv4Network(text)
    except ValueError as error:
        raise BadParameter(f"address_pool cannot be {text!r}: {error}") from None
    if not 8 <= pool.prefixlen <= 24:
        raise BadParameter(f"address_pool cannot be {text!r}: it must be between a /8 and a /24")
    return pool
