"""A daemon that dies: run in a process of its own, it is killed at the Nth thing that it does to the machine.

`python -m tests.runtime.networks.killed DATA RUN N PID STEP...`, with the steps allocate, plug, unplug, create, remove.
Prints how many things it did where it got through.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime import programs, records
from runtime.config import Settings
from runtime.events import Events
from runtime.networks.doors import HostDoors
from runtime.networks.model import EndpointWish, Owner, PortWish
from runtime.networks.netlink import Netlink
from runtime.networks.networks import Networks
from runtime.networks.sandboxes import Sandboxes

CONTAINER = "c" * 64
PORTS = (PortWish(80, "tcp", "", 8080, 8080), PortWish(80, "udp", "", 8080, 8080))


def main() -> None:
    """Do the steps; die where it is said."""
    data, run, last, pid, *steps = sys.argv[1:]
    counted = [0]

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if counted[0] == int(last):
                os.kill(os.getpid(), signal.SIGKILL)
            counted[0] += 1
            return function(*args, **kwargs)

        return step

    networks = Networks(Settings(data=Path(data), run=Path(run)), Events())
    networks.recover({CONTAINER: int(pid)} if "live" in steps else {})
    for place, name in ((programs, "run"), (Netlink, "_ask"), (HostDoors, "open"), (HostDoors, "close")):
        setattr(place, name, deadly(getattr(place, name)))
    for method in ("put", "drop"):
        setattr(Sandboxes, method, deadly(getattr(Sandboxes, method)))
    records.save = deadly(records.save)
    work: dict[str, Callable[[], object]] = {
        "live": lambda: None,
        "create": lambda: networks.create({"Name": "mine"}),
        "allocate": lambda: networks.allocate(
            Owner(CONTAINER, "web", "web"), dict.fromkeys(("bridge", "mine"), EndpointWish()), PORTS
        ),
        "plug": lambda: networks.plug(CONTAINER, int(pid)),
        "unplug": lambda: networks.unplug(CONTAINER),
        "remove": lambda: networks.remove("mine"),
    }
    for step in steps:
        work[step]()
    networks.close()
    print(counted[0])


if __name__ == "__main__":
    main()
