"""The limit on requests in flight, at L and L+1."""

import asyncio
from typing import Any

import pytest

from registry.edge.inflight import InFlight
from tests.edge.asgi import ask, start


class Held:
    """An application that answers when told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.entered = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered += 1
        if scope["path"] == "/crash":
            raise ValueError("crash")
        await self.go.wait()
        await start(send, 200, 0)
        await send({"type": "http.response.body", "body": b""})


def test_the_limit_and_one_more() -> None:
    async def scenario() -> None:
        held = Held()
        app = InFlight(held, limit=3, exempt=frozenset({"/livez"}))
        inside = [asyncio.create_task(ask(app)) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await ask(app)
        assert refused.status == 503
        assert refused.error["code"] == "UNAVAILABLE"
        assert "3 requests" in refused.error["message"]
        assert int(refused.headers["retry-after"]) > 0
        probe = asyncio.create_task(ask(app, path="/livez"))
        await asyncio.sleep(0)
        assert held.entered == 4
        held.go.set()
        assert [(await task).status for task in [*inside, probe]] == [200] * 4
        assert (await ask(app)).status == 200

    asyncio.run(scenario())


def test_a_crash_and_a_cancellation_give_their_place_back() -> None:
    async def scenario() -> None:
        held = Held()
        app = InFlight(held, limit=1)
        with pytest.raises(ValueError, match="crash"):
            await ask(app, path="/crash")
        task = asyncio.create_task(ask(app))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        held.go.set()
        assert (await ask(app)).status == 200

    asyncio.run(scenario())
