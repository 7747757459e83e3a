"""Starts PgBouncer before a PostgreSQL, giving out connections by transaction, as sites with many replicas run it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.commands import start, stop, succeeds, wait_until
from tests.parts.postgres import USER, Postgres, as_user
from tests.parts.server import free_port
from tests.parts.tools import require

SETTINGS = """[databases]
* = host=127.0.0.1 port={target} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
"""


@contextmanager
def start_pgbouncer(postgres: Postgres) -> Iterator[int]:
    """Give the port on which it listens; three connections of the server's are all that a database gets."""
    program = require("pgbouncer")
    place = Path(tempfile.mkdtemp(prefix="moorage-pgbouncer-"))
    port = free_port()
    try:
        settings, log = place / "pgbouncer.ini", place / "log"
        settings.write_text(SETTINGS.format(target=postgres.port, port=port, user=USER))
        if os.geteuid() == 0:
            shutil.chown(place, USER, USER)
            settings.chmod(0o644)
        process = start(*as_user(), program, settings, log=log)
        try:
            ready = (postgres.binaries / "psql", postgres.url(USER, port).replace("+psycopg", ""), "-c", "SELECT 1")
            wait_until(lambda: succeeds(*ready), "the start of PgBouncer", log)
            yield port
        finally:
            stop(process)
    finally:
        shutil.rmtree(place, ignore_errors=True)
