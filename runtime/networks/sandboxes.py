"""What running containers hold, a small file each below the run directory: it outlives the daemon, not the machine.

Written before anything is made, removed after everything is gone, so that a killed daemon finds all it has to take
away. Not synced: after a power cut nothing runs. Not safe from several threads by itself.
"""

import json
import logging
import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address
from pathlib import Path

from runtime import records
from runtime.networks.model import Network, Sandbox

_ID = re.compile(r"[0-9a-zA-Z_.-]{1,128}", re.ASCII)
_log = logging.getLogger(__name__)


class Sandboxes:
    """Sandboxes by their container's id."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, Sandbox] = {}

    def load(self) -> None:
        """Read what a daemon before left; a file that cannot be read was half written, and nobody was told of it."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._directory.glob("*.json"):
            try:
                sandbox = Sandbox.of(records.load(path))
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("%s is given up: %s", path, error)
                path.unlink()
                continue
            self._held[sandbox.owner.id] = sandbox

    def all(self) -> tuple[Sandbox, ...]:
        """Every sandbox."""
        return tuple(self._held.values())

    def get(self, container_id: str) -> Sandbox | None:
        """One container's."""
        return self._held.get(container_id)

    def put(self, sandbox: Sandbox) -> None:
        """Keep a sandbox. Raises OSError."""
        path = self._path(sandbox.owner.id)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(sandbox.record()), encoding="utf-8")
        fresh.replace(path)
        self._held[sandbox.owner.id] = sandbox

    def drop(self, container_id: str) -> None:
        """Forget one; harmless where it is not there."""
        self._path(container_id).unlink(missing_ok=True)
        self._held.pop(container_id, None)

    def addresses(self, network: Network) -> Collection[IPv4Address]:
        """The addresses that are in use in a network."""
        return {end.address for sandbox in self.all() for end in sandbox.endpoints if end.network == network.id}

    def hardware(self) -> Collection[str]:
        """Every MAC address that is in use."""
        return {end.mac for sandbox in self.all() for end in sandbox.endpoints}

    def in_network(self, network_id: str) -> Iterable[Sandbox]:
        """Who is in a network."""
        return [sandbox for sandbox in self.all() if sandbox.endpoint(network_id) is not None]

    def _path(self, container_id: str) -> Path:
        if not _ID.fullmatch(container_id):
            raise ValueError(f"no container's id: {container_id!r}")
        return self._directory / f"{container_id}.json"
