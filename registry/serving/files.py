"""File bytes to a client's socket by sendfile(2), beside the event loop's own transport.

Nothing else is written to the transport from the beginning to the end. A thread pushes what the socket takes and waits
a moment for more room, so that a fast reader costs few hops and a slow one holds no thread.
"""

import asyncio
import os
import select
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

PATIENCE_MS = 5  # how long a thread waits for room in the socket before it goes back to the loop
TURN = 16 * 2**20  # bytes after which another connection gets the thread
WATCH = 1.0  # how often a wait for a slow reader looks whether the connection still is


class ConnectionGone(Exception):
    """The client went away, or was cut, before the file was through."""


class ShortFile(Exception):
    """The file ended before the promised number of bytes."""


async def send_file(
    descriptor: int,
    offset: int,
    count: int,
    *,
    transport: asyncio.Transport,
    pool: Executor,
    gone: Callable[[], bool],
    sent: Callable[[int], None],
) -> None:
    """Send `count` bytes of an open file from `offset`.

    Args:   gone: says whether the connection is lost or cut; sent: told of every step forward.
    Raises: ConnectionGone, ShortFile.
    """
    loop = asyncio.get_running_loop()
    await _emptied(transport, gone)
    # A descriptor of our own: the loop keeps one watcher a descriptor and the transport owns the first, and the number
    # cannot be given to another connection while a thread still writes to it.
    out = os.dup(transport.get_extra_info("socket").fileno())
    try:
        while count:
            step, blocked = await _finished(loop.run_in_executor(pool, _push, out, descriptor, offset, count))
            offset += step
            count -= step
            sent(step)
            if gone():
                raise ConnectionGone
            if not step and not blocked:
                raise ShortFile
            if blocked and count:
                await _room(loop, out, gone)
    except (BrokenPipeError, ConnectionResetError, TimeoutError) as error:
        raise ConnectionGone from error
    finally:
        os.close(out)


async def _emptied(transport: asyncio.Transport, gone: Callable[[], bool]) -> None:
    """Wait until the kernel has everything: mostly one turn of the loop, longer if the client reads slowly."""
    pause = 0.0
    while transport.get_write_buffer_size():
        if gone():
            raise ConnectionGone
        await asyncio.sleep(pause)
        pause = min(0.05, pause * 2 or 0.0005)


async def _finished(step: "asyncio.Future[tuple[int, bool]]") -> tuple[int, bool]:
    """Wait for the thread even if the request is cancelled: it holds descriptors that are about to be closed."""
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait([step])
        raise


def _push(out: int, descriptor: int, offset: int, count: int) -> tuple[int, bool]:
    """Push until a turn is over or the socket stays full. Returns the bytes sent and whether the socket was full."""
    end = offset + min(count, TURN)
    start = offset
    poll = select.poll()
    poll.register(out, select.POLLOUT)
    while offset < end:
        try:
            step = os.sendfile(out, descriptor, offset, end - offset)
        except BlockingIOError:
            if not poll.poll(PATIENCE_MS):
                return offset - start, True
            continue
        if step == 0:
            break
        offset += step
    return offset - start, False


async def _room(loop: asyncio.AbstractEventLoop, out: int, gone: Callable[[], bool]) -> None:
    """Wait until the socket takes bytes again."""
    writable = loop.create_future()

    def wake() -> None:
        if not writable.done():
            writable.set_result(None)

    loop.add_writer(out, wake)
    try:
        while not writable.done():
            await asyncio.wait([writable], timeout=WATCH)
            if gone():
                raise ConnectionGone
    finally:
        loop.remove_writer(out)


def open_whole(path: str | Path) -> tuple[int, int]:
    """Open a file for sending. Returns its descriptor and its size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return descriptor, os.fstat(descriptor).st_size
    except OSError:
        os.close(descriptor)
        raise
