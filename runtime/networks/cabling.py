"""Containers in networks: addresses and ports given out, cables laid and taken away. Its owner holds the lock.

Each step's sandbox is on disk before the step: what a killed daemon has made is found by `recover`.
"""

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address

from runtime.errors import BadParameter, EngineError, Forbidden, NotFound
from runtime.networks import addressing, links
from runtime.networks.host import Host
from runtime.networks.known import Known
from runtime.networks.model import Endpoint, EndpointWish, Network, Owner, PortWish, Published, Sandbox
from runtime.networks.names import outward
from runtime.networks.ports import HostPorts, PortTaken
from runtime.networks.sandboxes import Sandboxes

_ALIAS = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,252}", re.ASCII)
"""What may stand in a line of /etc/hosts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cabling:
    """The work on sandboxes."""

    known: Known
    sandboxes: Sandboxes
    ports: HostPorts
    host: Host
    last: dict[str, IPv4Address] = field(default_factory=dict)
    """The address that each network gave out last."""

    def allocate(self, owner: Owner, wanted: Mapping[str, EndpointWish], ports: Iterable[PortWish]) -> Sandbox:
        """Reserve addresses and ports. Raises EngineError; nothing is then reserved."""
        self.unplug(owner.id)
        sandbox = Sandbox(owner)
        for reference, wish in wanted.items():
            network = self.known.get(reference)
            sandbox = replace(sandbox, endpoints=(*sandbox.endpoints, self._endpoint(sandbox, network, wish)))
        for network in {end.network: self.known.get(end.network) for end in sandbox.endpoints}.values():
            self.host.ready(network, self.known.by_id(), self.sandboxes.all())
        with ExitStack() as undo:
            end = outward(sandbox, self.known.by_id())
            published = [self._publish(sandbox, end, wish, undo) for wish in ports] if end is not None else []
            sandbox = replace(sandbox, published=tuple(published))
            self.sandboxes.put(sandbox)
            undo.pop_all()
        return sandbox

    def plug(self, container_id: str, pid: int) -> None:
        """Lay every cable of a container, and publish its ports. Raises EngineError; `unplug` then clears up."""
        sandbox = self._get(container_id)
        networks = self.known.by_id()
        self.host.taken_away(container_id)
        for end in sandbox.endpoints:
            self.host.ready(networks[end.network], networks, self.sandboxes.all())
            links.plug(pid, networks[end.network], end)
        self._lead(pid, sandbox)
        self._put(replace(sandbox, plugged=True))

    def unplug(self, container_id: str) -> Sandbox | None:
        """Give back everything; None where there is nothing. Raises EngineError when something stays: ask again."""
        sandbox = self.sandboxes.get(container_id)
        if sandbox is None:
            return None
        self.host.shut(sandbox.published)
        for published in sandbox.published:
            self.ports.give_back(published)
        without = replace(sandbox, published=(), plugged=False)
        if sandbox.published and sandbox.plugged:
            self._put(without, rules=True)
        self.host.take_away(container_id, sandbox.endpoints)
        self.sandboxes.drop(container_id)
        return sandbox

    def connect(self, container_id: str, pid: int, network: Network, wish: EndpointWish) -> None:
        """Put a running container into one more network. Raises EngineError; it is then as it was."""
        sandbox = self._get(container_id)
        end = self._endpoint(sandbox, network, wish)
        self.host.ready(network, self.known.by_id(), self.sandboxes.all())
        more = replace(sandbox, endpoints=(*sandbox.endpoints, end))
        with ExitStack() as undo:
            self.sandboxes.put(more)
            undo.callback(self.sandboxes.put, sandbox)
            links.plug(pid, network, end)
            undo.callback(links.unplug, end)
            self._lead(pid, more)
            self._put(more)
            undo.pop_all()

    def disconnect(self, container_id: str, pid: int, network: Network) -> None:
        """Take a running container out of a network. Raises: EngineError when it is not in it."""
        sandbox = self._get(container_id)
        end = sandbox.endpoint(network.id)
        if end is None:
            raise EngineError(f"container {container_id} is not connected to network {network.name}")
        links.unplug(end)
        less = replace(sandbox, endpoints=tuple(each for each in sandbox.endpoints if each != end))
        self._put(less)
        self._lead(pid, less)

    def recover(self, alive: Mapping[str, int]) -> None:
        """Give back what no container holds, and put the rest right. What cannot be done is logged."""
        for sandbox in self.sandboxes.all():
            if sandbox.owner.id not in alive or not self._whole(sandbox):
                self._try(partial(self.unplug, sandbox.owner.id))
        self.host.sweep(self.sandboxes.all())
        networks = self.known.by_id()
        if not self.sandboxes.all() and not self.host.has_been_here(networks.values()):
            return
        for network in networks.values():
            if network.bridge and (network.bridge in links.present() or any(self.sandboxes.in_network(network.id))):
                self._try(partial(self.host.ready, network, networks, self.sandboxes.all()))
        for sandbox in self.sandboxes.all():
            self._restore(sandbox, alive[sandbox.owner.id])
        self._try(partial(self.host.rules, networks, self.sandboxes.all()))

    def _restore(self, sandbox: Sandbox, pid: int) -> None:
        """Open a living container's ports again, and lay what was not laid."""
        for published in sandbox.published:
            self.ports.hold(published)
            for place in published.hosts:
                self._try(partial(self.host.doors.open, published.protocol, place, published.host_port))
        networks = self.known.by_id()
        for end in sandbox.endpoints:
            if end.link in links.present():
                self._try(partial(links.settle, pid, networks[end.network], end))
            else:
                self._try(partial(links.plug, pid, networks[end.network], end))
        self._try(partial(self._lead, pid, sandbox))
        self.sandboxes.put(replace(sandbox, plugged=True))
        self.host.lead(sandbox, networks)

    def _whole(self, sandbox: Sandbox) -> bool:
        """Whether all its networks are still known."""
        return all(end.network in self.known.by_id() for end in sandbox.endpoints)

    def _lead(self, pid: int, sandbox: Sandbox) -> None:
        networks = self.known.by_id()
        end = outward(sandbox, networks)
        links.lead_outward(pid, networks[end.network].gateway if end is not None else None)

    def _put(self, sandbox: Sandbox, *, rules: bool = False) -> None:
        """Keep a sandbox; rules are written only where a published port is in play, for they cost most of the time."""
        self.sandboxes.put(sandbox)
        if sandbox.published or rules:
            self.host.publish(self.known.by_id(), self.sandboxes.all())
            self.host.lead(sandbox, self.known.by_id())

    def _get(self, container_id: str) -> Sandbox:
        sandbox = self.sandboxes.get(container_id)
        if sandbox is None:
            raise NotFound(f"container {container_id} has no network of its own")
        return sandbox

    def consider(self, network: Network, wish: EndpointWish) -> None:
        """Raise BadParameter for a wish that cannot be met, whoever else is in the network."""
        if not network.bridge:
            raise BadParameter(f"conflicting options: the network {network.name} cannot be combined with others")
        if network.fixed and wish.aliases:
            raise BadParameter("network-scoped alias is supported only for containers in user defined networks")
        for alias in wish.aliases:
            if not _ALIAS.fullmatch(alias):
                raise BadParameter(f"invalid network alias {alias[:300]!r}")
        if wish.ipv4:
            addressing.free_address(network, (), wish.ipv4)
        if wish.mac:
            addressing.wished_hardware_address(wish.mac)

    def _endpoint(self, sandbox: Sandbox, network: Network, wish: EndpointWish) -> Endpoint:
        """Give a container its end in a network: nothing is made."""
        self.consider(network, wish)
        if sandbox.endpoint(network.id) is not None:
            raise Forbidden(f"endpoint with name {sandbox.owner.name} already exists in network {network.name}")
        taken = {end.interface for end in sandbox.endpoints}
        taken_here, last = self.sandboxes.addresses(network), self.last.get(network.id)
        address = addressing.free_address(network, taken_here, wish.ipv4, after=last)
        if not wish.ipv4:
            self.last[network.id] = address
        return Endpoint(
            id=secrets.token_hex(32),
            network=network.id,
            address=address,
            mac=addressing.wished_hardware_address(wish.mac)
            if wish.mac
            else addressing.hardware_address(address, self.sandboxes.hardware()),
            interface=next(name for name in map("eth{}".format, range(len(taken) + 1)) if name not in taken),
            aliases=wish.aliases,
            priority=wish.priority,
        )

    def _publish(self, sandbox: Sandbox, end: Endpoint, wish: PortWish, undo: ExitStack) -> Published:
        try:
            published = self.ports.take(wish, self.host.doors)
        except PortTaken as error:
            raise EngineError(
                f"driver failed programming external connectivity on endpoint {sandbox.owner.name} ({end.id}): {error}"
            ) from error
        undo.callback(self.ports.give_back, published)
        undo.callback(self.host.shut, [published])
        return published

    def _try(self, step: Callable[[], object]) -> None:
        """A start of the daemon must not stop half way."""
        try:
            step()
        except (EngineError, OSError) as error:
            _log.warning("networks: %s", error)
