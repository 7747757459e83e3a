"""uvicorn, the default server: one event loop (uvloop) and one parser (httptools) in each worker.

uvicorn's own supervisor, signal handling, keep-alive timers, access log, proxy headers and concurrency limit stay
unused: this room, the edge and the settings do that, the same for both servers.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from registry.serving.draining import with_draining
from registry.serving.http1 import GuardedHttp1
from registry.serving.plan import AppFactory, ServingPlan
from registry.serving.supervisor import STARTUP_FAILURE
from registry.serving.tls import CertificateFiles, server_context

logger = logging.getLogger(__name__)

FILE_THREADS = 8


class GuardedServer(uvicorn.Server):
    """A uvicorn server on a socket that is already bound."""

    def __init__(
        self, config: uvicorn.Config, plan: ServingPlan, draining: threading.Event, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._plan = plan
        self._draining = draining
        self._ready = ready
        self._files = ThreadPoolExecutor(FILE_THREADS, "sendfile")
        self._certificate: CertificateFiles | None = None
        self._certificate_at = 0.0
        self._context = None
        if plan.tls_cert is not None and plan.tls_key is not None:
            self._certificate = CertificateFiles(plan.tls_cert, plan.tls_key)
            self._context = server_context(plan.tls_cert, plan.tls_key)
        self.failed = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.failed = self.should_exit = True
            return
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=sock,
                ssl=self._context,
                backlog=self._plan.backlog,
                ssl_handshake_timeout=self._plan.header_timeout if self._context else None,
            )
            for sock in sockets or []
        ]
        await self.on_tick(0)  # the Date header of the first answers
        self.started = True
        self._sweep(loop)
        self._ready()

    def _connection(self) -> asyncio.Protocol:
        return GuardedHttp1(
            self._plan, self._files, config=self.config, state=self.server_state, app_state=self.lifespan.state
        )

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at every connection's deadlines, and at the certificate files, again and again."""
        loop.call_later(self._plan.sweep_interval, self._sweep, loop)  # first, so that no failure below ends the sweeps
        now = loop.time()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, GuardedHttp1):
                connection.sweep(now)
        if self._certificate is not None and now - self._certificate_at >= self._plan.tls_check_interval:
            self._certificate_at = now
            self._renew_certificate()

    def _renew_certificate(self) -> None:
        files, context = self._certificate, self._context
        if files is not None and context is not None and files.changed():
            context.load_cert_chain(files.certificate, files.key)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, finish what has begun, end the application."""
        await super().shutdown(sockets)
        self._files.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on SIGTERM and SIGINT. Unlike uvicorn, raise no signal again afterwards: a drained end is exit 0."""
        handlers: dict[signal.Signals, Any] = {signal.SIGTERM: self.handle_exit, signal.SIGHUP: self._on_hangup}
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            handlers[signal.SIGINT] = self.handle_exit
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin to drain; a second Ctrl-C ends at once."""
        self._draining.set()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    def _on_hangup(self, sig: int, frame: object) -> None:
        self._certificate_at = 0.0


def work(make_app: AppFactory, plan: ServingPlan, sock: socket.socket, ready: Callable[[], None]) -> int:
    """Serve from one bound socket until told to stop. Returns the exit code."""
    draining = threading.Event()
    config = uvicorn.Config(
        with_draining(make_app(), draining.is_set),
        http=GuardedHttp1,
        ws="none",
        loop="uvloop",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=plan.backlog,
        workers=1,
    )
    config.timeout_graceful_shutdown = plan.drain_timeout  # type: ignore[assignment]  # typed int, used as a float
    server = GuardedServer(config, plan, draining, ready)
    server.run([sock])
    return STARTUP_FAILURE if server.failed else 0
