"""Clients at a container's streams (Engine API, "Attach to a container", "Resize a container TTY")."""

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.api.call import Call
from runtime.api.pump import Ending, pump
from runtime.api.states import must_attach
from runtime.api.streams import STDERR, STDOUT, Hijacked, frame
from runtime.containers.model import CREATED, Container
from runtime.containers.streams import detach
from runtime.containers.streams.attach import Attachment, HungUp
from runtime.containers.streams.detach import DetachKeys
from runtime.containers.streams.logs import LogReader, Selection
from runtime.containers.streams.wires import Wires
from runtime.errors import BadParameter, Conflict
from runtime.http.duplex import Duplex


async def attach(call: Call) -> ASGIApp:
    """POST /containers/ID/attach: the streams that are asked for, from now on, or from the start that is to come."""
    keys = detach.parse(call.query.get("detachKeys", ""))
    called = call.parts["id"]
    container = await call.run(call.engine.containers.get, called)
    must_attach(container, called)
    return Attached(call, container, DetachKeys(keys) if container.terminal else None)


class Attached:
    """One client, from its request to its leaving."""

    def __init__(self, call: Call, container: Container, keys: DetachKeys | None) -> None:
        self._call = call
        self._container = container
        self._keys = keys
        wanted = {STDOUT: call.flag("stdout"), STDERR: call.flag("stderr")}
        self._streams = frozenset(stream for stream, asked in wanted.items() if asked)
        self._framed = not container.terminal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a place, then answer: what a client starts once it has its answer, it sees from the first byte."""
        call, config = self._call, self._container.config
        if not call.flag("stream"):
            await Hijacked(call, self._show_logs, tty=not self._framed)(scope, receive, send)
            return
        sends_input = call.flag("stdin") and bool(config.get("OpenStdin"))
        attachments = call.engine.attachments
        parks = bool(config.get("StdinOnce")) and not self._container.terminal
        attachment = Attachment(self._container.id, sends_input, parks and not sends_input)

        async def talk(duplex: Duplex) -> None:
            await self._talk(duplex, attachment)

        try:
            await call.run(attachments.enter, attachment)
            await Hijacked(call, talk, tty=not self._framed)(scope, receive, send)
        finally:
            await call.run(attachments.leave, attachment)

    async def _talk(self, duplex: Duplex, attachment: Attachment) -> None:
        await self._show_logs(duplex)
        await self._tell("attach")
        wires = await _connected(attachment, duplex)
        if wires is None:
            return
        ending = await pump(wires, duplex, framed=self._framed, streams=self._streams, keys=self._keys)
        if ending is Ending.DETACHED:
            await self._tell("detach")

    async def _show_logs(self, duplex: Duplex) -> None:
        """Send what the container wrote so far, where that is asked for."""
        if not self._call.flag("logs"):
            return
        reader = LogReader(self._container.log, Selection(streams=self._streams))
        try:
            while entries := await self._call.run(reader.read):
                pieces = (frame(entry.stream, entry.data) if self._framed else entry.data for entry in entries)
                await duplex.write(b"".join(pieces))
        except ConnectionError:
            return
        finally:
            reader.close()

    async def _tell(self, action: str) -> None:
        await self._call.run(self._call.engine.containers.tell, self._container, action)


async def _connected(attachment: Attachment, duplex: Duplex) -> Wires | None:
    """Wait for the container's start; None where it does not come, or the client leaves before."""
    connecting = asyncio.wrap_future(attachment.connected)
    leaving = asyncio.ensure_future(duplex.gone())
    try:
        waited: set[asyncio.Future[Any]] = {connecting, leaving}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return connecting.result() if connecting.done() else None
    except HungUp:
        return None
    finally:
        leaving.cancel()


async def resize(call: Call) -> ASGIApp:
    """POST /containers/ID/resize: of a container that runs, or is to run."""
    height, width = size(call)
    container = await call.run(call.engine.containers.get, call.parts["id"])
    if not container.state.alive and container.state.status != CREATED:
        raise Conflict(f"container {container.id} is not running")
    await call.run(call.engine.attachments.resize, container.id, height, width)
    told = {"height": str(height), "width": str(width)}
    await call.run(call.engine.containers.tell, container, "resize", told)
    return Response(status_code=200)


def size(call: Call) -> tuple[int, int]:
    """Read `h` and `w`, in characters. Raises: BadParameter."""
    found = []
    for name, title in (("h", "height"), ("w", "width")):
        text = call.query.get(name, "")
        if not (text.isascii() and text.isdigit() and int(text) < 2**16):
            raise BadParameter(f'invalid resize {title} "{text}"')
        found.append(int(text))
    return found[0], found[1]
