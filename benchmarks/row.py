"""What a row of the report is, and the numbers that rows are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import docker
from benchmarks.bench import Bench
from benchmarks.peers import NGINX, Peer

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a row."""

    name: str
    more_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the issue's list."""

    name: str
    title: str
    metrics: tuple[Metric, ...]
    measure: Callable[[Bench, Peer], Values]
    yardstick: bool = False  # whether nginx takes part
    quick: bool = True  # whether a quick run has it
    rounds: int = 99  # at most
    peers: tuple[str, ...] = ()  # the only ones that take part, where not all do

    def takes(self, peer: Peer) -> bool:
        """Tell whether a peer takes part."""
        if self.peers:
            return peer.name in self.peers
        return peer.is_registry or (self.yardstick and peer.name == NGINX)


RATE = Metric("requests/s")
P99 = Metric("p99 ms", more_is_better=False)
COST = Metric("CPU µs/request", more_is_better=False)
SPEED = Metric("GB/s")
CPU = Metric("CPU s/GB", more_is_better=False)
PUSHES = Metric("pushes/s")
PUSH = Metric(docker.PUSH, more_is_better=False)
PULL = Metric(docker.PULL, more_is_better=False)
FIRST = Metric("first start s", more_is_better=False)
AGAIN = Metric("restart s", more_is_better=False)
LARGEST = Metric("largest process MiB", more_is_better=False)
TOGETHER = Metric("all processes MiB", more_is_better=False)
SMALL_GET = (RATE, P99, COST)
STREAM = (SPEED, CPU)
