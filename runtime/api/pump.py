"""Bytes between a client's hijacked connection and a process's streams, both ways at once, in bounded memory.

A client that reads slowly holds up the process, as in Docker: a little is kept here, then nothing more is read. Once
the process has ended, what it left is read at once, so that its supervisor ends too, and goes out at the client's pace.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum

from runtime.api.streams import frame
from runtime.containers.streams.detach import DetachKeys
from runtime.containers.streams.wires import BLOCK, Input, Output, Wires
from runtime.http.duplex import Duplex

ROOM = 256 * 1024
"""Bytes kept for a client while the process runs."""

LAST_ROOM = 4 * 2**20
"""Bytes kept once it has ended: more than pipes and sockets hold."""


class Ending(Enum):
    """Why the pumping stopped."""

    FINISHED = "every stream came to its end"
    DETACHED = "the client pressed the detach keys"
    GONE = "the client went away"


async def pump(
    wires: Wires, duplex: Duplex, *, framed: bool, streams: frozenset[int], keys: DetachKeys | None = None
) -> Ending:
    """Carry bytes until one side is done; closes neither.

    Args: framed: each piece behind Docker's header that names its stream; streams: those that the client wants;
    keys: for a terminal, what lets go of it.
    """
    spool = Spool()
    async with _lifted(spool, wires.gone):
        reading = asyncio.create_task(_read_all(wires.outputs, spool, framed, streams))
        sending = asyncio.create_task(_send(spool, duplex))
        taking = asyncio.create_task(_take(duplex, wires.input, keys))
        leaving = asyncio.create_task(duplex.closed())
        tasks = (reading, sending, taking, leaving)
        try:
            return await _first(reading, sending, taking, leaving)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _first(
    reading: asyncio.Task[None], sending: asyncio.Task[None], taking: asyncio.Task[bool], leaving: asyncio.Task[None]
) -> Ending:
    """Wait for what ends the pumping; the client's own half-close does not."""
    pending: set[asyncio.Task[None] | asyncio.Task[bool]] = {reading, sending, taking, leaving}
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if taking in done and taking.exception() is None and taking.result():
            return Ending.DETACHED
        if reading in done:
            reading.result()
        if sending in done:
            return Ending.GONE if isinstance(sending.exception(), ConnectionError) else _result(sending)
        if leaving in done:
            return Ending.GONE


def _result(sending: asyncio.Task[None]) -> Ending:
    sending.result()
    return Ending.FINISHED


class Spool:
    """What was read and not yet sent: one side waits while it is full, the other while it is empty."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = asyncio.Event()

    async def put(self, data: bytes) -> None:
        """Keep a piece, once there is room."""
        while self._size >= self._room:
            await self._change()
        self._pieces.append(data)
        self._size += len(data)
        self._changed.set()

    async def take(self) -> bytes:
        """Take all that is kept; nothing, once nothing more comes."""
        while not self._pieces and not self._ended:
            await self._change()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._changed.set()
        return data

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    def lift(self) -> None:
        """The process has ended: there is room for all that it left."""
        self._room = LAST_ROOM
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


async def _read_all(outputs: Sequence[Output], spool: Spool, framed: bool, streams: frozenset[int]) -> None:
    """Read every output to its end."""
    try:
        await asyncio.gather(*(_read(output, spool, framed, streams) for output in outputs))
    finally:
        spool.end()


async def _read(output: Output, spool: Spool, framed: bool, streams: frozenset[int]) -> None:
    while True:
        try:
            piece = output.read()
        except BlockingIOError:
            await readable(output.fileno())
            continue
        if piece is None:
            return
        stream, data = piece
        if stream in streams:
            await spool.put(frame(stream, data) if framed else data)


async def _send(spool: Spool, duplex: Duplex) -> None:
    while data := await spool.take():
        await duplex.write(data)


async def _take(duplex: Duplex, target: Input | None, keys: DetachKeys | None) -> bool:
    """Carry what the client sends to the process; True once it detaches."""
    while data := await duplex.read(BLOCK):
        passed, pressed = keys.take(data) if keys else (data, False)
        if target is not None:
            target = await _write(target, passed)
        if pressed:
            return True
    if target is not None:
        target = await _write(target, keys.rest() if keys else b"")
    if target is not None:
        with suppress(OSError):
            target.finish()
    return False


async def _write(target: Input, data: bytes) -> Input | None:
    """Write all of `data`; None where the process does not read any more: what follows is thrown away."""
    view = memoryview(data)
    while view:
        try:
            view = view[target.write(bytes(view)) :]
        except BlockingIOError:
            await _ready(asyncio.get_running_loop().add_writer, target.fileno())
        except OSError:
            return None
    return target


async def readable(fd: int) -> None:
    """Wait until a descriptor can be read."""
    await _ready(asyncio.get_running_loop().add_reader, fd)


async def _ready(add: Callable[..., None], fd: int) -> None:
    """Wait until a descriptor can be read, or written."""
    loop = asyncio.get_running_loop()
    remove = loop.remove_reader if add == loop.add_reader else loop.remove_writer
    ready = loop.create_future()
    add(fd, _resolve, ready)
    try:
        await ready
    finally:
        remove(fd)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@asynccontextmanager
async def _lifted(spool: Spool, gone: int | None) -> AsyncIterator[None]:
    """Lift the spool's limit once the process has ended."""
    loop = asyncio.get_running_loop()
    if gone is None:
        yield
        return

    def lift() -> None:
        spool.lift()
        loop.remove_reader(gone)

    loop.add_reader(gone, lift)
    try:
        yield
    finally:
        loop.remove_reader(gone)
