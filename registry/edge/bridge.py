"""The one crossing from the event loop to threads, in bounded lanes, and the gathering of bytes into blocks.

A hop is never abandoned: when the request goes away, its task waits for the thread before it frees what the thread
holds. Bytes cross in blocks, never chunk by chunk (design: "Colour").
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from starlette.types import Receive

BLOCK = 2**20

Block = Sequence[bytes]
"""Bytes in the pieces in which they came: joining them would copy every byte of every layer once more."""

P = ParamSpec("P")
T = TypeVar("T")


class ClientGone(Exception):
    """The client went away before its request was whole. `rest` is what was not handed over yet."""

    def __init__(self, rest: "Block" = ()) -> None:
        super().__init__("the client went away")
        self.rest = rest


@dataclass(frozen=True, slots=True)
class Lane:
    """Threads of one kind of work, so that slow work of one kind never holds up another."""

    executor: ThreadPoolExecutor

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in this lane and wait for its end, whatever becomes of the request meanwhile."""
        future = self.executor.submit(function, *args, **kwargs)
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await asyncio.wait([waiting])
            raise


class Bridge:
    """The lanes: SQL with small work, bytes coming in, bytes going out, passwords one at a time."""

    def __init__(self, *, sql: int, writes: int, reads: int) -> None:
        self.sql = Lane(ThreadPoolExecutor(sql, "sql"))
        self.writes = Lane(ThreadPoolExecutor(writes, "writes"))
        self.reads = Lane(ThreadPoolExecutor(reads, "reads"))
        self.passwords = Lane(ThreadPoolExecutor(1, "passwords"))

    def close(self) -> None:
        """Wait for every thread."""
        for lane in (self.sql, self.writes, self.reads, self.passwords):
            lane.executor.shutdown()


async def blocks(receive: Receive, size: int = BLOCK) -> AsyncIterator[tuple[Block, bool]]:
    """Gather a request's body into blocks of at least `size` bytes, each with whether it is the last.

    Only the last may be smaller, and it may be empty. Raises: ClientGone with what was not yielded yet.
    """
    pieces: list[bytes] = []
    gathered = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone(pieces)
        body = message.get("body", b"")
        if body:
            pieces.append(body)
            gathered += len(body)
        if not message.get("more_body", False):
            yield pieces, True
            return
        if gathered >= size:
            yield pieces, False
            pieces, gathered = [], 0


async def pour(receive: Receive, lane: Lane, take: Callable[[Block], None]) -> Block:
    """Hand a request's body over block by block, gathering the next while a thread works; give back the last block.

    Raises: ClientGone with what `take` was not given; whatever `take` raises.
    """
    under_way: asyncio.Future[None] | None = None
    rest: Block = ()
    try:
        async for block, last in blocks(receive):
            if under_way is not None:
                await under_way
                under_way = None
            if last:
                rest = block
            else:
                under_way = asyncio.ensure_future(lane.call(take, block))
    except BaseException:
        if under_way is not None:
            await asyncio.wait([under_way])
            under_way.result()
        raise
    return rest


async def whole_body(receive: Receive, limit: int) -> bytes | None:
    """Read a body of at most `limit` bytes; None where it is larger. Raises ClientGone."""
    pieces: list[bytes] = []
    room = limit
    async for block, _ in blocks(receive, 64 * 1024):
        room -= sum(map(len, block))
        if room < 0:
            return None
        pieces.extend(block)
    return b"".join(pieces)
