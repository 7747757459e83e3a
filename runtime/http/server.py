"""Serves one ASGI application on a listening socket: accepts, counts, and ends connections in good order.

Knows neither the application nor where the socket came from (`runtime.http.listening`).
"""

import asyncio
import logging
import socket

from runtime.http.conversation import Application, Conversation, Stage
from runtime.http.duplex import Duplex, Hangups

CONNECTIONS = 4096
"""At most so many at a time; further ones wait in the kernel's queue."""

CLOSING_SECONDS = 5.0
"""What a request may take to notice that its connection was closed, before its task is cancelled."""

_PAUSE = 1.0  # after accept(2) failed for want of descriptors or memory

_log = logging.getLogger(__name__)


class Server:
    """The connections under way, by task."""

    def __init__(self, app: Application, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        self._conversations: dict[asyncio.Task[None], tuple[Conversation, Duplex]] = {}
        self._room = asyncio.Semaphore(CONNECTIONS)

    async def serve(self, stop: asyncio.Event, grace: float) -> None:
        """Serve until `stop` is set; then requests that have no answer yet get `grace` seconds to be answered.

        Idle connections and streams are closed at once. The listener stays open: its maker closes it.
        """
        hangups = Hangups()
        accepting = asyncio.create_task(self._accept(hangups))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({accepting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                accepting.result()
        finally:
            accepting.cancel()
            stopping.cancel()
            await asyncio.wait({accepting, stopping})
            await self._end(grace)
            hangups.close()

    async def _accept(self, hangups: Hangups) -> None:
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        while True:
            await self._room.acquire()
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                self._room.release()
                _log.warning("no connection could be accepted: %s", error)
                await asyncio.sleep(_PAUSE)
                continue
            connection.setblocking(False)
            duplex = Duplex(connection, hangups)
            conversation = Conversation(duplex, self._app)
            task = asyncio.create_task(conversation.run())
            self._conversations[task] = conversation, duplex
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._conversations[task]
        self._room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a request broke its connection", exc_info=error)

    async def _end(self, grace: float) -> None:
        """Let what waits for its answer have it, close the rest, and wait for every task."""
        for conversation, duplex in list(self._conversations.values()):
            conversation.finish()
            if conversation.stage is not Stage.ASKED:
                await duplex.close()
        await self._wait(grace)
        for _, duplex in list(self._conversations.values()):
            await duplex.close()
        await self._wait(CLOSING_SECONDS)
        for task in list(self._conversations):
            task.cancel()
        if self._conversations:
            await asyncio.wait(list(self._conversations))

    async def _wait(self, seconds: float) -> None:
        if self._conversations:
            await asyncio.wait(list(self._conversations), timeout=seconds)
