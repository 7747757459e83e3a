"""What every command starts from: where the daemon listens, where logins are kept, and a client for the asking.

A daemon that does not run is started on the first request, where root asks for it at the settings' own socket.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from runtime.cli.client import Client, Unreachable
from runtime.cli.options import Failure
from runtime.config import Settings, environment, read
from runtime.errors import EngineError

UNIX = "unix://"
SYSTEM = Path("/run/moorage/engine.sock")
"""Where the machine's engine listens, unless its administrator says otherwise."""


@dataclass(slots=True)
class Session:
    """One run of `moor`. `host`: --host or $MOOR_HOST, "" for the settings' socket; `directory`: --config."""

    host: str = ""
    directory: Path | None = None
    _clients: list[Client] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """The client that this run shares. Raises: Failure, Unreachable."""
        if not self._clients:
            client = Client(self.socket)
            try:
                client.version  # noqa: B018  # the first word to the daemon
            except Unreachable as error:
                if not error.absent or self._host:
                    raise
                self._start()
            self._clients.append(client)
        return self._clients[0]

    @property
    def socket(self) -> str:
        """The path of the daemon's socket. Raises: Failure for a host that is no unix socket."""
        if not self._host:
            return str(chosen_socket(settings().socket))
        if not self._host.startswith(UNIX):
            raise Failure(f'the engine listens on unix sockets only: "{self._host}" has to be unix:///a/path')
        return self._host.removeprefix(UNIX)

    @property
    def config(self) -> Path:
        """Where config.json is: --config, $DOCKER_CONFIG or ~/.docker, as for Docker's own command."""
        if self.directory is not None:
            return self.directory
        chosen = environment().get("DOCKER_CONFIG")
        return Path(chosen) if chosen else Path(environment().get("HOME", "/")) / ".docker"

    @property
    def _host(self) -> str:
        return self.host or environment().get("MOOR_HOST", "")

    def _start(self) -> None:
        from runtime.cli.demand import start_daemon  # only where none runs

        start_daemon(settings())


def settings() -> Settings:
    """The engine's settings as this user sees them. Raises: Failure."""
    try:
        return read()
    except EngineError as error:
        raise Failure(f"moor: {error}") from error


def chosen_socket(own: Path, system: Path = SYSTEM) -> Path:
    """The socket of this user's own engine; the machine's, where there is no such and its group lets this user in."""
    return own if own == system or own.exists() or not os.access(system, os.R_OK | os.W_OK) else system
