"""The daemon as a process: its lock, its socket, its signals, its log, and an orderly end.

Containers live on when it ends: their supervisors are no children that wait for it.
"""

import asyncio
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack

from runtime import config, rootless
from runtime.api.router import Router
from runtime.config import Settings
from runtime.daemon.notify import notify
from runtime.daemon.root import held
from runtime.daemon.services import composed
from runtime.errors import EngineError
from runtime.http.listening import listening
from runtime.http.server import Server

GRACE = 10.0
"""Seconds that a request gets to be answered once the daemon was told to stop."""

LAST = 20.0
"""Seconds after which it ends whatever still works: a registry that is silent, a container that does not stop."""

_log = logging.getLogger(__name__)


def run() -> int:
    """Run the daemon until SIGTERM or SIGINT; returns its exit status."""
    environment = config.environment()
    _log_to_stderr(environment)
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # `kill -USR1` says where every thread stands
    try:
        settings = config.read(environment)
        if os.geteuid() != 0 and not settings.rootless:
            rootless.enter(settings, _again(), dict(environment))
        _serve(settings, environment)
    except EngineError as error:
        print(f"moor: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings, environment: Mapping[str, str]) -> None:
    """Hold the data root and answer; clients that come while services recover wait in the socket's queue."""
    with ExitStack() as stack:
        stack.enter_context(held(settings.data, settings.run))
        listener = stack.enter_context(listening(settings.socket, settings.socket_group, environment))
        engine = stack.enter_context(composed(settings))
        server = Server(Router(engine), listener)
        _log.info("listening on %s", settings.socket)
        asyncio.run(_until_told(server, environment))
        _log.info("stopped; containers go on")


async def _until_told(server: Server, environment: Mapping[str, str]) -> None:
    stop = asyncio.Event()

    def told() -> None:
        if not stop.is_set():
            notify("STOPPING=1", environment)
            last = threading.Timer(LAST, _give_up)
            last.daemon = True
            last.start()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    notify("READY=1", environment)
    await server.serve(stop, GRACE)


def _give_up() -> None:
    """End at once, as by kill -9: what that leaves is put in order by the next start."""
    _log.warning("not all work came to its end within %.0f s of being told to stop; it is left as it is", LAST)
    os._exit(0)


def _again() -> tuple[str, ...]:
    """This program's own command, to be run inside namespaces."""
    return (sys.executable, "-P", "-c", "from runtime.cli import main; main()", "daemon")


def _log_to_stderr(environment: Mapping[str, str]) -> None:
    """One line an event; without times under systemd, which has its own."""
    form = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(format=form if "JOURNAL_STREAM" in environment else f"%(asctime)s {form}", level=logging.INFO)
