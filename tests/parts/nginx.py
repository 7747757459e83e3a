"""Starts nginx before several servers: every request goes to the next of them in turn, whatever connection it came on.

Set up as an operator would for a registry: bodies pass through unbuffered in both directions, nothing has a size limit,
and a server that does not take the connection is passed over. One worker, so that the turns are strict.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import start, stop, wait_until
from tests.parts.server import answers, free_port
from tests.parts.tools import require

CONFIGURATION = """
daemon off; pid {place}/pid; error_log {place}/error.log warn; worker_processes 1; {user}
events {{ worker_connections 1024; }}
http {{
  log_format turns '$upstream_addr\\t$request_method\\t$status\\t$connection\\t$request_uri';
  access_log {place}/access.log turns;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  client_max_body_size 0;
  upstream replicas {{
    zone replicas 64k;
    {servers}
    keepalive 16;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_next_upstream error timeout;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the access log. `upstreams`: the ports that were tried, the last of which answered."""

    upstreams: tuple[int, ...]
    method: str
    status: int
    connection: str
    target: str

    @property
    def port(self) -> int:
        """Give the port of the server that answered."""
        return self.upstreams[-1]


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """A running nginx."""

    port: int
    place: Path

    @property
    def host(self) -> str:
        """What stands before the first slash of an image's name."""
        return f"127.0.0.1:{self.port}"

    def turns(self, containing: str, at_least: int = 0) -> list[Turn]:
        """Give the log's lines whose target contains a text, in the order in which they ended.

        Args: at_least: how many there have to be; nginx writes a line after the client has its answer.
        """
        log = self.place / "access.log"
        found: list[Turn] = []

        def enough() -> bool:
            turns = map(_turn, log.read_text().splitlines())
            found[:] = [turn for turn in turns if turn is not None and containing in turn.target]
            return len(found) >= at_least

        wait_until(enough, f"{at_least} lines with {containing}", log, within=10)
        return found


@contextmanager
def start_round_robin(ports: Sequence[int]) -> Iterator[RoundRobin]:
    """An nginx before servers on these loopback ports, one of which answers /readyz by now.

    A server that is down costs a refused connection and is tried again at its next turn (`max_fails=0`), so that one
    which comes back gets its share at once.
    """
    program = require("nginx")
    with tempfile.TemporaryDirectory(prefix="moorage-nginx-") as directory:
        place, port = Path(directory), free_port()
        servers = " ".join(f"server 127.0.0.1:{number} max_fails=0;" for number in ports)
        user = "user root;" if os.geteuid() == 0 else ""
        file, log = place / "nginx.conf", place / "error.log"
        file.write_text(CONFIGURATION.format(place=place, servers=servers, port=port, user=user))
        log.touch()
        end = ("setpriv", "--pdeathsig", "TERM")  # with the run that started it, however that ends
        process = start(*end, program, "-e", log, "-p", place, "-c", file, log=log)
        try:
            wait_until(lambda: answers(port), "the start of nginx", log)
            yield RoundRobin(port, place)
        finally:
            stop(process)


def _turn(line: str) -> Turn | None:
    """Read a line; None for what nginx answered by itself, such as a client's try to speak TLS."""
    upstreams, method, status, connection, target = line.split("\t")
    if upstreams == "-":
        return None
    ports = tuple(int(address.rpartition(":")[2]) for address in upstreams.replace(" : ", ", ").split(", "))
    return Turn(ports, method, int(status), connection, target)
