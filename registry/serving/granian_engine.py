"""Granian, the fast server: hyper under Python, one event loop (uvloop) and one network thread in each worker.

What it cannot do of the plan, and what is done instead: its parser allows a head of 400 KiB (a smaller buffer would
slow uploads), so `HeadLimit` enforces 16 KiB and 100 fields before the application; what is not HTTP gets 400 or 431
without a body; an idle connection is closed after `header_timeout`, not `keep_alive`; a reader that stalls is cut where
the application streams (`WriteStall`; one below about 25 KiB/s counts as such), but not in `http.response.pathsend`; a
certificate is read once, so the supervisor replaces the workers when the files change. HTTP/2 is off, as on uvicorn.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from registry.serving.draining import with_draining
from registry.serving.guards import HeadLimit, WriteStall
from registry.serving.plan import App, AppFactory, ServingPlan
from registry.serving.supervisor import STARTUP_FAILURE

logger = logging.getLogger(__name__)

PINNED = "2.8"
"""The minor version whose embedded server is extended here."""
CONNECTIONS = 8192
"""Connections a worker keeps open at once; beyond them, new ones wait in the listening socket's queue."""
FILE_THREADS = 32
QUIET: dict[str, Any] = {"loggers": {"_granian": {"handlers": [], "level": "ERROR", "propagate": True}}}


class PreboundServer(Server):
    """Granian inside our process and loop, on a socket that is already bound."""

    def __init__(self, app: App, plan: ServingPlan, sock: socket.socket) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=plan.backlog,
            backpressure=CONNECTIONS,
            runtime_blocking_threads=FILE_THREADS,
            http1_settings=HTTP1Settings(header_read_timeout=int(plan.header_timeout * 1000)),
            log_dictconfig=QUIET,
            log_level=LogLevels.error,
            ssl_cert=plan.tls_cert,
            ssl_key=plan.tls_key,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        # The network thread owns what it is given and closes it when draining begins.
        holder: Any = SocketHolder
        self._bound = holder(os.dup(sock.fileno()), plan.uds is not None, plan.backlog)
        sock.close()

    def _init_shared_socket(self) -> None:
        self._ssp: Any = None
        self._shd: Any = self._bound

    @property
    def failed(self) -> bool:
        """Say whether the worker ended by itself, which it does when the application cannot start."""
        return bool(self.interrupt_children)

    def stop(self) -> None:
        """Stop accepting and finish what has begun."""
        self.interrupt_signal = True
        self.main_loop_interrupt.set()


def work(make_app: AppFactory, plan: ServingPlan, sock: socket.socket, ready: Callable[[], None]) -> int:
    """Serve from one bound socket until told to stop. Returns the exit code."""
    return uvloop.run(_work(make_app, plan, sock, ready))


async def _work(make_app: AppFactory, plan: ServingPlan, sock: socket.socket, ready: Callable[[], None]) -> int:
    draining = threading.Event()
    app: App = HeadLimit(make_app(), max_bytes=plan.max_header_bytes, max_fields=plan.max_headers)
    app = WriteStall(app, timeout=plan.write_stall)
    server = PreboundServer(_when_started(with_draining(app, draining.is_set), ready), plan, sock)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stopping.set)
    serving = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    draining.set()
    server.stop()
    _, late = await asyncio.wait({serving}, timeout=plan.drain_timeout)
    if late:
        logger.warning("requests were still open after %g s; they are cut", plan.drain_timeout)
        logging.shutdown()
        os._exit(0)  # its network threads cannot be told to let go
    return STARTUP_FAILURE if server.failed or serving.exception() else 0


def _when_started(app: App, ready: Callable[[], None]) -> App:
    """Call `ready` when the application has started; the socket listens already, so clients are served from then on."""

    def wrapped(scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] != "lifespan":
            return app(scope, receive, send)

        async def watched(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                ready()

        return app(scope, receive, watched)

    return wrapped
