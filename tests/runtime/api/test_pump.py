"""Bytes between a client's connection and a process's streams: whole, both ways, in bounded memory."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from runtime.api.pump import ROOM, Ending, Spool, pump
from runtime.containers.streams.detach import USUAL, DetachKeys
from runtime.containers.streams.wires import STDERR, STDOUT, Pipe, Wires
from runtime.http.duplex import Duplex, Hangups

BOTH = frozenset({STDOUT, STDERR})
PATIENCE = 60
MEBIBYTE = 2**20


@dataclass
class Ends:
    """A process made of pipes: what the test holds of it, and of the client's side of the connection."""

    wires: Wires
    duplex: Duplex
    client: socket.socket
    stdin: int
    stdout: int
    stderr: int
    gone: int

    def finish(self) -> None:
        """The process writes no more."""
        for name in ("stdout", "stderr"):
            if getattr(self, name) >= 0:
                os.close(getattr(self, name))
                setattr(self, name, -1)


@asynccontextmanager
async def ends() -> AsyncIterator[Ends]:
    stdin, stdout, stderr, gone = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.setblocking(False)
    hangups = Hangups()
    outputs = (Pipe(stdout[0], STDOUT), Pipe(stderr[0], STDERR))
    target = Pipe(stdin[1])
    made = Ends(
        *(Wires(outputs, target, gone[0], lambda: None), Duplex(ours, hangups), client),
        *(stdin[0], stdout[1], stderr[1], gone[1]),
    )
    try:
        yield made
    finally:
        await made.duplex.close()
        hangups.close()
        made.finish()
        for pipe in (*outputs, target):
            pipe.close()
        for fd in (stdin[0], *gone):
            os.close(fd)
        client.close()


def played(play: Callable[[Ends], Awaitable[None]]) -> None:
    """Play a test in a loop of its own, and see that it ends."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), ends() as made:
            await play(made)

    asyncio.run(whole())


async def received(client: socket.socket) -> bytes:
    """All that the client gets until the end."""
    loop, found = asyncio.get_running_loop(), []
    while data := await loop.sock_recv(client, 65536):
        found.append(data)
    return b"".join(found)


def test_output_is_framed_by_stream_and_ends() -> None:
    async def play(made: Ends) -> None:
        os.write(made.stdout, b"out")
        os.write(made.stderr, b"error")
        made.finish()
        assert await pump(made.wires, made.duplex, framed=True, streams=BOTH) is Ending.FINISHED
        await made.duplex.close()
        frames = {b"\1\0\0\0\0\0\0\3out", b"\2\0\0\0\0\0\0\5error"}
        data = await received(made.client)
        assert data in {a + b for a in frames for b in frames - {a}}

    played(play)


def test_streams_that_are_not_wanted_are_read_and_left_out() -> None:
    async def play(made: Ends) -> None:
        os.write(made.stdout, b"out")
        os.write(made.stderr, b"error")
        made.finish()
        await pump(made.wires, made.duplex, framed=False, streams=frozenset({STDERR}))
        await made.duplex.close()
        assert await received(made.client) == b"error"

    played(play)


def test_input_goes_through_and_its_end_too_while_output_goes_on() -> None:
    async def play(made: Ends) -> None:
        running = asyncio.create_task(pump(made.wires, made.duplex, framed=False, streams=BOTH))
        made.client.send(b"typed")
        made.client.shutdown(socket.SHUT_WR)
        assert await asyncio.to_thread(all_of, made.stdin) == b"typed"
        os.write(made.stdout, b"answer")
        made.finish()
        assert await running is Ending.FINISHED
        await made.duplex.close()
        assert await received(made.client) == b"answer"

    played(play)


def test_detach_keys_end_it_and_what_came_before_goes_through() -> None:
    async def play(made: Ends) -> None:
        keys = DetachKeys(USUAL)
        running = asyncio.create_task(pump(made.wires, made.duplex, framed=False, streams=BOTH, keys=keys))
        made.client.send(b"ls\x10")
        await asyncio.sleep(0.01)
        made.client.send(b"\x11")
        assert await running is Ending.DETACHED
        assert os.read(made.stdin, 100) == b"ls"

    played(play)


def test_a_client_that_vanishes_ends_it() -> None:
    async def play(made: Ends) -> None:
        running = asyncio.create_task(pump(made.wires, made.duplex, framed=False, streams=BOTH))
        await asyncio.sleep(0.01)
        made.client.close()
        assert await running is Ending.GONE

    played(play)


def test_input_that_nobody_reads_does_not_end_the_output() -> None:
    async def play(made: Ends) -> None:
        os.close(made.stdin)
        made.stdin = os.open(os.devnull, os.O_RDONLY)
        running = asyncio.create_task(pump(made.wires, made.duplex, framed=False, streams=BOTH))
        await asyncio.get_running_loop().sock_sendall(made.client, b"x" * MEBIBYTE)
        os.write(made.stdout, b"still here")
        made.finish()
        assert await running is Ending.FINISHED
        await made.duplex.close()
        assert await received(made.client) == b"still here"

    played(play)


def test_a_slow_client_holds_up_the_process_until_it_has_ended() -> None:
    """Back-pressure while it runs; once it has ended, what it left is read, so that its supervisor can end."""

    async def play(made: Ends) -> None:
        os.set_blocking(made.stdout, False)
        running = asyncio.create_task(pump(made.wires, made.duplex, framed=False, streams=BOTH))
        sent = 0
        for _ in range(200):  # until it stands still
            try:
                sent += os.write(made.stdout, b"x" * 65536)
            except BlockingIOError:
                await asyncio.sleep(0.005)
        assert sent < 4 * ROOM
        os.write(made.gone, b"x")
        await asyncio.sleep(0.05)
        assert os.write(made.stdout, b"last") == 4
        made.finish()
        data = await received_while(made, running)
        assert len(data) == sent + 4
        assert data.endswith(b"last")

    played(play)


async def received_while(made: Ends, running: asyncio.Task[Ending]) -> bytes:
    """What the client gets while the pumping comes to its end."""
    reading = asyncio.create_task(received(made.client))
    assert await running is Ending.FINISHED
    await made.duplex.close()
    return await reading


@pytest.mark.parametrize("framed", [True, False])
def test_twenty_megabytes_each_way(framed: bool) -> None:
    blob = os.urandom(20 * MEBIBYTE)

    async def play(made: Ends) -> None:
        running = asyncio.create_task(pump(made.wires, made.duplex, framed=framed, streams=BOTH))
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(loop.sock_sendall(made.client, blob))
        reading = asyncio.create_task(received(made.client))
        echo = asyncio.to_thread(echoed, made, len(blob))
        assert await echo == blob
        made.finish()
        await sending
        assert await running is Ending.FINISHED
        await made.duplex.close()
        data = await reading
        assert (unframed(data) if framed else data) == blob

    played(play)


def echoed(made: Ends, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = os.read(made.stdin, 65536)
        found += piece
        while piece:
            piece = piece[os.write(made.stdout, piece) :]
    return bytes(found)


def unframed(data: bytes) -> bytes:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        assert data[at : at + 4] == b"\1\0\0\0"
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(found)


def all_of(fd: int) -> bytes:
    found = b""
    while data := os.read(fd, 65536):
        found += data
    return found


def test_a_spool_s_room_is_what_it_keeps() -> None:
    async def play() -> None:
        spool = Spool(10)
        await spool.put(b"x" * 10)
        waiting = asyncio.create_task(spool.put(b"y"))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await spool.take() == b"x" * 10
        await waiting
        spool.end()
        assert await spool.take() == b"y"
        assert await spool.take() == b""

    asyncio.run(play())
