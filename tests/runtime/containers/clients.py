"""What a client does with a process's streams, in a thread: feeds, reads to the end, waits for something to hold."""

import select
import time
from collections.abc import Callable
from pathlib import Path

from runtime.containers.streams.wires import Wires, gather
from tests.parts.bundles import PATIENCE


def read_all(wires: Wires) -> dict[int, bytes]:
    """Everything that is written, by stream, until the end."""
    found: dict[int, list[bytes]] = {}
    assert gather(wires, lambda stream, data: found.setdefault(stream, []).append(data), timeout=PATIENCE)
    return {stream: b"".join(pieces) for stream, pieces in found.items()}


def feed(wires: Wires, data: bytes, *, finish: bool = True) -> None:
    """Write all of `data`, then let the process read its end."""
    assert wires.input is not None
    view = memoryview(data)
    while view:
        select.select([], [wires.input.fileno()], [], PATIENCE)
        try:
            view = view[wires.input.write(bytes(view[:65536])) :]
        except BlockingIOError:
            continue
    if finish:
        wires.input.finish()


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def poll(holds: Callable[[], bool], *, every: float = 0.01) -> None:
    """Return once `holds()`; fail when that takes too long."""
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit, "it did not come to hold"
        time.sleep(every)


class Shown:
    """What a terminal has shown so far."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self.text = b""

    def until(self, expected: bytes) -> None:
        """Read on until it is there."""

        def come() -> bool:
            gather(self._wires, self._take, timeout=0.05)
            return expected in self.text

        poll(come)

    def _take(self, _: int, data: bytes) -> None:
        self.text += data
