"""What stands for a container here: a process that sleeps in a network namespace of its own, and the engine's networks.

Everything is made inside a namespace of the test's own: the host's rules and bridges are never touched.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from runtime.config import Settings
from runtime.events import Events
from runtime.networks.model import EndpointWish, Owner, PortWish, Sandbox
from runtime.networks.networks import Networks
from runtime.networks.spaces import inside, network_of
from tests.parts.commands import run
from tests.parts.netns import Namespace
from tests.parts.tools import require

T = TypeVar("T")
PLAIN = EndpointWish()
WITHIN = 20.0


def wait(holds: Callable[[], bool], what: str) -> None:
    """Return once it holds."""
    limit = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < limit, f"not within {WITHIN:.0f} s: {what}"
        time.sleep(0.02)


@dataclass
class Box:
    """A sleeping process in a namespace of its own."""

    name: str
    process: subprocess.Popen[bytes]

    @property
    def id(self) -> str:
        """As a container's."""
        return self.name.encode().hex().ljust(64, "0")

    @property
    def pid(self) -> int:
        """The process whose namespace is plugged."""
        return self.process.pid

    def __call__(self, *command: str) -> str:
        """Run a command in the namespace. Raises CommandFailed."""
        return run(require("nsenter"), f"--net=/proc/{self.pid}/ns/net", "--", *command, patience=30)

    def inside(self, action: Callable[[], T]) -> T:
        """Run a function in the namespace."""
        with network_of(self.pid) as space:
            return inside(space, action)

    def end(self) -> None:
        """As a container ends."""
        self.process.kill()
        self.process.wait()


@dataclass
class Place:
    """An engine's networks in a namespace, and the boxes in them."""

    namespace: Namespace
    settings: Settings
    networks: Networks = field(init=False)
    events: Events = field(default_factory=Events)
    boxes: list[Box] = field(default_factory=list)

    def start(self) -> None:
        """Make the service, as the daemon does at its start."""
        self.networks = self.namespace.inside(lambda: Networks(self.settings, self.events))

    def again(self, *alive: Box) -> None:
        """The daemon ends, and another one finds what is there."""
        self.networks.close()
        self.start()
        self.do(lambda: self.networks.recover({box.id: box.pid for box in alive}))

    def do(self, action: Callable[[], T]) -> T:
        """Run a function in the host's namespace."""
        return self.namespace.inside(action)

    def box(self, name: str) -> Box:
        """A box that is plugged nowhere."""
        mine = Path("/proc/self/ns/net").readlink()
        process = subprocess.Popen(
            [require("unshare"), "--net", "sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        box = Box(name, process)
        self.boxes.append(box)
        wait(lambda: Path(f"/proc/{process.pid}/ns/net").readlink() != mine, "a namespace")
        return box

    def plugged(
        self,
        name: str,
        *ports: PortWish,
        network: str = "bridge",
        wish: EndpointWish = PLAIN,
        more: tuple[str, ...] = (),
    ) -> Box:
        """A box in a network."""
        box = self.box(name)
        wanted = {network: wish} | dict.fromkeys(more, PLAIN)
        self.do(lambda: self.networks.allocate(Owner(box.id, name, f"host-{name}"), wanted, ports))
        self.do(lambda: self.networks.plug(box.id, box.pid))
        return box

    def unplug(self, box: Box) -> None:
        """As at a container's end."""
        self.do(lambda: self.networks.unplug(box.id))

    def address(self, box: Box, network: str = "bridge") -> str:
        """A box's address."""
        return str(self.networks.inspect_endpoints(box.id)["Networks"][network]["IPAddress"])

    def links(self) -> list[str]:
        """The host's interfaces, but its loopback."""
        listed = self.namespace(require("ip"), "-brief", "link").splitlines()
        return [line.split()[0].split("@")[0] for line in listed if not line.startswith("lo ")]

    def rules(self) -> str:
        """Everything that nft knows."""
        return self.namespace(require("nft"), "list", "ruleset")


@contextmanager
def made_place(namespace: Namespace, directory: Path, **more: str) -> Iterator[Place]:
    """Networks on empty data; at the end every box is gone."""
    for name in ("data", "run"):
        directory.joinpath(name).mkdir()
    place = Place(namespace, Settings(data=directory / "data", run=directory / "run", **more))  # type: ignore[arg-type]
    place.start()
    try:
        yield place
    finally:
        place.networks.close()
        for box in place.boxes:
            box.end()


def sandbox(place: Place, box: Box) -> Sandbox | None:
    """What a box holds on disk: read anew, as a daemon at its start does."""
    from runtime.networks.sandboxes import Sandboxes

    found = Sandboxes(place.settings.run / "networks")
    found.load()
    return found.get(box.id)
