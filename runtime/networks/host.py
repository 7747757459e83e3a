"""The host's side of all networks: bridges, rules, open ports and name servers, made once they are needed.

Nothing is made before a container wants a bridge: an engine whose machine has no nft still pulls and shows images.
Not safe from several threads: its owner holds a lock.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from runtime.errors import EngineError
from runtime.networks import firewall, links
from runtime.networks.background import Background
from runtime.networks.dns_server import DnsServer
from runtime.networks.doors import HostDoors
from runtime.networks.firewall import Forward
from runtime.networks.forwards import ForwardedDoors, Forwards
from runtime.networks.model import Endpoint, Network, Published, Sandbox
from runtime.networks.names import outward
from runtime.networks.resolver import Resolver
from runtime.programs import ProgramFailed

_log = logging.getLogger(__name__)


class Host:
    """What the engine has made on this machine. `forwards`: who publishes the ports of an engine without root."""

    def __init__(self, background: Background, resolver: Resolver, forwards: Forwards | None = None) -> None:
        doors = HostDoors(background)
        self.doors = doors if forwards is None else ForwardedDoors(doors, forwards)
        self._dns = DnsServer(background, resolver)
        self._ready: set[str] = set()
        self._pending: dict[str, Future[None]] = {}
        self._removals = ThreadPoolExecutor(1, "moor-cables")

    def ready(self, network: Network, networks: Mapping[str, Network], sandboxes: Sequence[Sandbox]) -> None:
        """See to a network's bridge, and the rules and the name server that go with it. Raises EngineError."""
        if network.id in self._ready and network.bridge in links.present():
            return
        links.ensure_bridge(network)
        self._ready.add(network.id)
        self.rules(networks, sandboxes)
        firewall.let_through(each.bridge for each in networks.values() if each.bridge)
        try:
            self._dns.listen(network.gateway)
        except OSError as error:
            _log.warning("no name server on %s, names come from /etc/hosts alone: %s", network.gateway, error.strerror)

    def rules(self, networks: Mapping[str, Network], sandboxes: Sequence[Sandbox]) -> None:
        """Write the rules for all that is plugged. Raises EngineError."""
        made = [network for network in networks.values() if network.id in self._ready]
        firewall.apply(made, list(_forwards(networks, sandboxes)))

    def publish(self, networks: Mapping[str, Network], sandboxes: Sequence[Sandbox]) -> None:
        """Write the ports of all that is plugged, and all the rest where the table is gone. Raises EngineError."""
        try:
            firewall.publish(list(_forwards(networks, sandboxes)))
        except ProgramFailed:
            self.rules(networks, sandboxes)

    def lead(self, sandbox: Sandbox, networks: Mapping[str, Network]) -> None:
        """Have the open ports of a sandbox lead into it."""
        end = outward(sandbox, networks)
        if end is None:
            return
        for each in sandbox.published:
            for host in each.hosts:
                self.doors.lead((each.protocol, host, each.host_port), end.address, each.port)

    def shut(self, published: Iterable[Published]) -> None:
        """Close ports."""
        for each in published:
            for host in each.hosts:
                self.doors.close(each.protocol, host, each.host_port)

    def removed(self, network: Network, networks: Mapping[str, Network], sandboxes: Sequence[Sandbox]) -> None:
        """Take a network's bridge and rules away. Raises EngineError."""
        self._dns.leave(network.gateway)
        if network.id not in self._ready and network.bridge not in links.present():
            return
        links.remove_bridge(network)
        self._ready.discard(network.id)
        self.rules(networks, sandboxes)

    def has_been_here(self, networks: Iterable[Network]) -> bool:
        """Whether a daemon before left bridges: then rules are there too."""
        return not links.present().isdisjoint(network.bridge for network in networks if network.bridge)

    def take_away(self, container_id: str, endpoints: Iterable[Endpoint]) -> None:
        """Remove an ended container's cables, soon: the kernel takes its time for it, and nobody has to wait."""
        for each in [number for number, done in self._pending.items() if done.done()]:
            del self._pending[each]
        for end in endpoints:
            self._pending[container_id] = self._removals.submit(_remove, end.link)

    def taken_away(self, container_id: str) -> None:
        """Wait for what `take_away` has begun for a container: it is plugged again, maybe in the same namespace."""
        if (pending := self._pending.pop(container_id, None)) is not None:
            pending.result()

    def close(self) -> None:
        """Stop answering, and wait for what was begun; containers keep what they have."""
        self.doors.close_all()
        self._dns.close()
        self._removals.shutdown()

    def sweep(self, sandboxes: Iterable[Sandbox]) -> None:
        """Remove cables that belong to nobody: a daemon was killed while it laid them."""
        known = {end.link for sandbox in sandboxes for end in sandbox.endpoints}
        for name in links.leftovers(known):
            _remove(name)


def _remove(name: str) -> None:
    try:
        links.remove_leftover(name)
    except EngineError as error:
        _log.warning("%s", error)


def _forwards(networks: Mapping[str, Network], sandboxes: Iterable[Sandbox]) -> Iterable[Forward]:
    for sandbox in sandboxes:
        end = outward(sandbox, networks) if sandbox.plugged else None
        if end is None:
            continue
        for each in sandbox.published:
            for host in each.hosts:
                if ":" not in host:
                    yield Forward(each.protocol, host, each.host_port, end.address, each.port)
