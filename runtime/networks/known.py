"""The networks that there are, a durable record each, all of them in memory. Its owner holds a lock."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from runtime import records
from runtime.errors import Conflict, EngineError, NotFound
from runtime.networks.model import Network


class Known:
    """Networks by id; names are unique."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._networks: dict[str, Network] = {}

    def load(self) -> None:
        """Read every record. Raises EngineError, naming the file, where one is damaged."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(self._directory.glob("[0-9a-f]*.json")):
            try:
                network = Network.of(records.load(path))
            except (ValueError, TypeError, KeyError, OSError) as error:
                raise EngineError(f"the network's record {path} cannot be read: {error}; remove it to go on") from error
            self._networks[network.id] = network

    def all(self) -> tuple[Network, ...]:
        """Every network, the oldest first."""
        return tuple(sorted(self._networks.values(), key=lambda network: network.created))

    def by_id(self) -> dict[str, Network]:
        """A copy that stays as it is."""
        return dict(self._networks)

    def find(self, name: str) -> Network | None:
        """The network of a name."""
        return next((network for network in self._networks.values() if network.name == name), None)

    def get(self, reference: str) -> Network:
        """Find by id, name or the beginning of an id, in this order. Raises: NotFound, Conflict for several."""
        found = self._networks.get(reference) or self.find(reference)
        if found is not None:
            return found
        close = [n for n in self._networks.values() if reference and n.id.startswith(reference)]
        if len(close) > 1:
            raise Conflict(f"network {reference} is ambiguous ({len(close)} matches found based on ID prefix)")
        if not close:
            raise NotFound(f"network {reference} not found")
        return close[0]

    def subnets(self) -> Iterable[IPv4Network]:
        """Every network's subnet."""
        return [network.subnet for network in self._networks.values() if network.bridge]

    def put(self, network: Network) -> None:
        """Keep a network, durably."""
        records.save(self._directory / f"{network.id}.json", network.record())
        self._networks[network.id] = network

    def remove(self, network: Network) -> None:
        """Forget a network."""
        (self._directory / f"{network.id}.json").unlink(missing_ok=True)
        self._networks.pop(network.id, None)
