"""More processes in a running container (Engine API, "Exec")."""

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime.api.attach import size
from runtime.api.call import Call
from runtime.api.pump import Ending, pump
from runtime.api.states import must_run
from runtime.api.streams import STDERR, STDOUT, Hijacked, frame
from runtime.containers.streams import detach, exec_process
from runtime.containers.streams.detach import DetachKeys
from runtime.containers.streams.exec_run import Process
from runtime.containers.streams.execs import Exec
from runtime.errors import EngineError, NotFound
from runtime.http.duplex import Duplex

CONSOLE_SIZE_SINCE = (1, 42)


async def create(call: Call) -> ASGIApp:
    """POST /containers/ID/exec."""
    body = await call.json()
    if call.version < CONSOLE_SIZE_SINCE:
        body.pop("ConsoleSize", None)
    keys = detach.parse(str(body.get("DetachKeys") or ""))
    command = exec_process.parse(body, detach_keys=keys)
    container = await call.run(call.engine.containers.get, call.parts["id"])
    must_run(container)
    target = await call.run(call.engine.containers.exec_target, container)
    made = await call.run(call.engine.execs.create, target, command)
    return JSONResponse({"Id": made.id}, status_code=201)


async def start(call: Call) -> ASGIApp:
    """POST /exec/ID/start: detached, or with the connection as its streams."""
    body = await call.json()
    one = await _startable(call)
    chosen = exec_process.console_size(body) if call.version >= CONSOLE_SIZE_SINCE and one.command.terminal else None
    if body.get("Detach") is True:
        await call.run(call.engine.execs.start, one, detached=True, size=chosen)
        return Response(status_code=200)

    async def talk(duplex: Duplex) -> None:
        await _talk(call, one, chosen, duplex)

    return Hijacked(call, talk, tty=one.command.terminal)


async def _talk(call: Call, one: Exec, chosen: tuple[int, int] | None, duplex: Duplex) -> None:
    """Start it and carry its streams; what keeps it from starting is told in the stream, as Docker does."""
    terminal = one.command.terminal
    begun: list[Process] = []
    try:
        await call.run(lambda: begun.append(call.engine.execs.start(one, detached=False, size=chosen)))
    except EngineError as error:
        text = f"{error}\r\n".encode()
        await duplex.write(text if terminal else frame(STDOUT, text))
        return
    except asyncio.CancelledError:
        for process in begun:
            process.drain()
        raise
    process = begun[0]
    keys = DetachKeys(one.command.detach_keys) if terminal else None
    ending = Ending.GONE
    try:
        ending = await pump(process.wires, duplex, framed=not terminal, streams=frozenset({STDOUT, STDERR}), keys=keys)
    finally:
        if ending is Ending.FINISHED:
            process.wires.close()
        else:
            process.drain()  # the process goes on without its client
    if ending is Ending.FINISHED:
        await call.run(one.wait)  # the client asks for the exit code next
    elif ending is Ending.DETACHED:
        await call.run(call.engine.execs.publish, one, "exec_detach")


async def resize(call: Call) -> ASGIApp:
    """POST /exec/ID/resize; before the start, the size is kept for it."""
    height, width = size(call)
    one = await _startable(call)
    await call.run(call.engine.execs.resize, one, height, width)
    return Response(status_code=200)


async def inspect(call: Call) -> ASGIApp:
    """GET /exec/ID/json."""
    one = await call.run(call.engine.execs.get, call.parts["id"])
    return JSONResponse(await asyncio.to_thread(one.document))


async def _startable(call: Call) -> Exec:
    """Find one whose container runs. Raises: NotFound, Conflict."""
    one = await call.run(call.engine.execs.get, call.parts["id"])
    try:
        container = await call.run(call.engine.containers.get, one.target.id)
    except NotFound:
        raise NotFound(f"No such container: {one.target.id}") from None
    must_run(container)
    return one
