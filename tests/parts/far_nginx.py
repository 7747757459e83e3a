"""Starts a real nginx before a server on this machine, which tells it that every client is far away.

Clients of this machine get blobs from the server itself; through here they are sent to the store, as others are.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.parts.commands import start, stop, wait_until
from tests.parts.server import free_port
from tests.parts.tools import require

FAR = "192.0.2.7"
TRUST = {"MOORAGE_SERVER__TRUSTED_PROXIES": "127.0.0.1"}
"""What the server has to be told."""

CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {root}/pid;
error_log {root}/errors;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {root}/bodies;
    proxy_temp_path {root}/answers;
    fastcgi_temp_path {root}/f;
    uwsgi_temp_path {root}/u;
    scgi_temp_path {root}/s;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{target};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For {far};
        }}
    }}
}}
"""


@contextmanager
def start_nginx(target: int) -> Iterator[str]:
    """Stand before a port of this machine; give the address."""
    program = require("nginx")
    with tempfile.TemporaryDirectory(prefix="nginx-") as directory:
        root, port = Path(directory), free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        file = root / "nginx.conf"
        file.write_text(CONFIGURATION.format(user=user, root=root, port=port, target=target, far=FAR))
        process = start(program, "-p", root, "-c", file, "-e", root / "errors", log=root / "log")
        try:
            wait_until(lambda: _listens(port), "the start of nginx", root / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
