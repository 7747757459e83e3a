"""What a container wrote (Engine API, "Get container logs"): at once, or as it comes."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.api.call import Call
from runtime.api.pump import readable
from runtime.api.streams import MULTIPLEXED, MULTIPLEXED_SINCE, RAW, STDERR, STDOUT, Answer, frame, while_there
from runtime.containers.model import DEAD, Container, Exit
from runtime.containers.streams.inotify import Watch
from runtime.containers.streams.logs import Entry, LogReader, Selection, shown
from runtime.errors import BadParameter, Conflict

_SECOND = 10**9


async def logs(call: Call) -> ASGIApp:
    """GET /containers/ID/logs."""
    selection = _selection(call)
    container = await call.run(call.engine.containers.get, call.parts["id"])
    if container.removed or container.state.status == DEAD:
        raise Conflict("can not get logs from container which is dead or marked for removal")
    framed = not container.terminal
    media_type = MULTIPLEXED if framed and call.version >= MULTIPLEXED_SINCE else RAW
    reader = LogReader(container.log, selection)
    follows = call.flag("follow") and container.state.alive
    entries = _followed(call, container, reader, selection) if follows else _present(call, reader)
    return _Pieces(call, _written(call, entries, framed), media_type)


class _Pieces:
    """An answer that goes on until its pieces end or the client leaves, silent as it may be until then."""

    def __init__(self, call: Call, pieces: AsyncGenerator[bytes], media_type: str) -> None:
        self._call = call
        self._pieces = pieces
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_there(self._call, self._send(Answer(send, self._media_type)))

    async def _send(self, answer: Answer) -> None:
        async with aclosing(self._pieces) as pieces:
            await answer.begin()
            async for piece in pieces:
                await answer.write(piece)
            await answer.end()


def _selection(call: Call) -> Selection:
    wanted = {STDOUT: call.flag("stdout"), STDERR: call.flag("stderr")}
    streams = frozenset(stream for stream, asked in wanted.items() if asked)
    if not streams:
        raise BadParameter("Bad parameters: you must choose at least one stream")
    tail = call.query.get("tail", "all")
    until = call.moment("until")
    return Selection(
        streams=streams,
        since=call.moment("since") or 0,
        until=until or None,
        tail=int(tail) if tail.isascii() and tail.isdigit() else None,
    )


async def _written(call: Call, blocks: AsyncGenerator[list[Entry]], framed: bool) -> AsyncGenerator[bytes]:
    """Write entries as Docker does: the time, the details (there are none), the text; each in a frame of its own."""
    times, details = call.flag("timestamps"), b" " if call.flag("details") else b""
    begins = {STDOUT: True, STDERR: True}
    async with aclosing(blocks):
        async for entries in blocks:
            pieces = [(entry.stream, entry.data) for entry in entries]
            if times or details:
                pieces = [(entry.stream, _headed(entry, begins, details, times=times)) for entry in entries]
            yield b"".join([frame(*piece) for piece in pieces] if framed else [data for _, data in pieces])


def _headed(entry: Entry, begins: dict[int, bool], details: bytes, *, times: bool) -> bytes:
    """Write an entry, and what goes before a line where it begins one; `begins`: whether the next of a stream does."""
    at_start, begins[entry.stream] = begins[entry.stream], entry.ends
    return shown(entry, details, times=times) if at_start else entry.data


async def _present(call: Call, reader: LogReader) -> AsyncGenerator[list[Entry]]:
    """All that is there."""
    try:
        while entries := await call.run(reader.read):
            yield entries
    finally:
        reader.close()


async def _followed(
    call: Call, container: Container, reader: LogReader, selection: Selection
) -> AsyncGenerator[list[Entry]]:
    """All that is there, and what comes, until the container ends or the time is over."""
    ended = asyncio.wrap_future(await call.run(call.engine.containers.wait, container, "not-running"))
    watch = Watch(container.log.parent)
    try:
        while not reader.finished:
            last = ended.done() or _is_over(selection)
            watch.clear()
            while entries := await call.run(reader.read):
                yield entries
            if last:
                break
            await _changed(watch, ended, selection)
    finally:
        ended.cancel()
        watch.close()
        reader.close()


async def _changed(watch: Watch, ended: "asyncio.Future[Exit]", selection: Selection) -> None:
    """Wait until the log grows, the container ends, or the time is over."""
    growing = asyncio.create_task(readable(watch.fileno()))
    try:
        left = None if selection.until is None else max(selection.until - time.time_ns(), 0) / _SECOND
        waited: set[asyncio.Future[Any]] = {growing, ended}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED, timeout=left)
    finally:
        growing.cancel()
        await asyncio.gather(growing, return_exceptions=True)


def _is_over(selection: Selection) -> bool:
    return selection.until is not None and time.time_ns() > selection.until
