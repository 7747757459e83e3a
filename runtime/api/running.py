"""What changes a container's state, and the wait for its end (Engine API, "Containers")."""

import asyncio
from concurrent.futures import Future

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.api.call import Call
from runtime.api.containers import found
from runtime.api.streams import Answer, encoded
from runtime.containers.endings import NOT_RUNNING
from runtime.containers.model import Exit


async def start(call: Call) -> ASGIApp:
    """POST /containers/(id)/start."""
    container = await found(call)
    await call.run(call.engine.containers.start, container)
    return Response(status_code=204)


async def stop(call: Call) -> ASGIApp:
    """POST /containers/(id)/stop."""
    container = await found(call)
    await call.run(call.engine.containers.stop, container, call.number("t"), call.query.get("signal", ""))
    return Response(status_code=204)


async def kill(call: Call) -> ASGIApp:
    """POST /containers/(id)/kill."""
    container = await found(call)
    await call.run(call.engine.containers.kill, container, call.query.get("signal", ""))
    return Response(status_code=204)


async def restart(call: Call) -> ASGIApp:
    """POST /containers/(id)/restart."""
    container = await found(call)
    await call.run(call.engine.containers.restart, container, call.number("t"), call.query.get("signal", ""))
    return Response(status_code=204)


async def pause(call: Call) -> ASGIApp:
    """POST /containers/(id)/pause."""
    container = await found(call)
    await call.run(call.engine.containers.pause, container)
    return Response(status_code=204)


async def unpause(call: Call) -> ASGIApp:
    """POST /containers/(id)/unpause."""
    container = await found(call)
    await call.run(call.engine.containers.unpause, container)
    return Response(status_code=204)


async def wait(call: Call) -> ASGIApp:
    """POST /containers/(id)/wait: the head goes out at once, for clients start the container only then."""
    container = await found(call)
    condition = call.query.get("condition") or NOT_RUNNING
    return _Waiting(await call.run(call.engine.containers.wait, container, condition))


class _Waiting:
    """An answer whose body comes with the container's end; given up when the client goes."""

    def __init__(self, ending: "Future[Exit]") -> None:
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Answer(send, "application/json")
        await answer.begin()
        ended: asyncio.Future[Exit] = asyncio.wrap_future(self._ending)
        gone: asyncio.Future[None] = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((ended, gone), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                await answer.write(encoded(_document(ended.result())))
                await answer.end()
        finally:
            for task in (ended, gone):
                task.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _document(how: Exit) -> dict[str, object]:
    made: dict[str, object] = {"StatusCode": how.code}
    if how.error:
        made["Error"] = {"Message": how.error}
    return made
