"""The proxy before the replicas as the target of upload sessions; to end or to start it means one of the replicas."""

from __future__ import annotations

from collections import Counter
from itertools import cycle

from tests.faults.wire import Wire
from tests.parts.replicas import Replicas


class Front:
    """Target of `tests.faults.sessions`; `stop` and `kill` take the replicas in turn."""

    def __init__(self, replicas: Replicas) -> None:
        self.replicas = replicas
        self._turn = cycle(replicas.servers)
        self._down = replicas.servers[0]

    def wire(self, *, timeout: float = 15.0) -> Wire:
        """Give a new connection to the proxy."""
        return Wire("127.0.0.1", self.replicas.proxy.port, timeout=timeout)

    def stop(self) -> None:
        """End one replica by SIGTERM; the other goes on."""
        self._down = next(self._turn)
        assert self._down.stop() == 0

    def kill(self) -> None:
        """End one replica by SIGKILL; the other goes on."""
        self._down = next(self._turn)
        self._down.kill()

    def start(self) -> None:
        """Start the one that was ended."""
        self._down.start()

    def shares(self, repository: str, requests: int = 0) -> list[int]:
        """Count the requests about a repository that each replica answered, `requests` of them at least."""
        turns = self.replicas.proxy.turns(f"/v2/{repository}/", requests)
        found = Counter(turn.port for turn in turns)
        return [found[server.port] for server in self.replicas.servers]
