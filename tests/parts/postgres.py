"""Starts a real PostgreSQL from the distribution's package, and gives every test a database of its own.

`with start_postgres() as server:` makes a cluster for nobody but this test run: it listens on a
free loopback port and a unix socket, trusts whoever comes, and never waits for a disk. PostgreSQL refuses to run as
root, so root hands the directory to the package's user. Knows nothing of Moorage.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.commands import run, start, stop, succeeds, wait_until
from tests.parts.server import free_port
from tests.parts.tools import require

USER = "postgres"
QUICK = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"),
    *("max_connections=200", "shared_buffers=32MB", "log_min_messages=error"),
)
"""Durability is not what these tests are about. Autovacuum sleeps: CREATE DATABASE would wait for it."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. `binaries` is where psql and its like are."""

    port: int
    sockets: Path
    binaries: Path

    def url(self, database: str, port: int | None = None) -> str:
        """Give the address of a database, over TCP; `port`: through something that stands before the server."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{port or self.port}/{database}"

    def create(self, template: str = "template0") -> str:
        """Make a database as `template` is, which nobody may be connected to; give its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def ask_for_password(self, role: str) -> None:
        """Trust somebody no longer: over TCP, the password is asked for."""
        rules = Path(self.psql("SHOW hba_file"))
        rules.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.psql("SELECT pg_reload_conf()")

    def psql(self, statement: str, database: str = USER) -> str:
        """Run one statement and give what it answers."""
        at = ("-h", str(self.sockets), "-p", str(self.port), "-U", USER, "-d", database)
        return run(self.binaries / "psql", *at, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)


@contextmanager
def start_postgres() -> Iterator[Postgres]:
    """A server with an empty cluster in memory, where the machine offers that; skips where none is installed."""
    binaries = Path(require("initdb")).resolve().parent
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="moorage-pg-", dir=shared if shared.is_dir() else None))
    try:
        if os.geteuid() == 0:
            shutil.chown(place, USER, USER)
        data, log = place / "data", place / "log"
        run(*as_user(), binaries / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "-N", "--locale=C")
        server = Postgres(port=free_port(), sockets=place, binaries=binaries)
        process = _started(server, data, log)
        try:
            yield server
        finally:
            stop(process)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def start_standby(server: Postgres) -> Iterator[Postgres]:
    """A copy of a server that follows it, and takes no writes."""
    place = Path(tempfile.mkdtemp(prefix="moorage-standby-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(place, USER, USER)
        data = place / "data"
        at = ("-h", server.sockets, "-p", str(server.port), "-U", USER)
        run(*as_user(), server.binaries / "pg_basebackup", "-D", data, *at, "-R", "-X", "stream", "-c", "fast", "-N")
        standby = Postgres(port=free_port(), sockets=place, binaries=server.binaries)
        process = _started(standby, data, place / "log")
        try:
            yield standby
        finally:
            stop(process)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _started(server: Postgres, data: Path, log: Path) -> subprocess.Popen[bytes]:
    options = [word for setting in QUICK for word in ("-c", setting)]
    at = ("-p", str(server.port), "-k", str(server.sockets), "-h", "127.0.0.1")
    process = start(*as_user(), server.binaries / "postgres", "-D", data, *at, *options, log=log)
    ready = (server.binaries / "pg_isready", "-h", str(server.sockets), "-p", str(server.port), "-q")
    try:
        wait_until(lambda: succeeds(*ready), "the start of PostgreSQL", log)
    except AssertionError:
        stop(process)
        raise
    return process


def as_user() -> tuple[str, ...]:
    """What makes a daemon end with who started it, and run as somebody whom PostgreSQL accepts, whom signals reach."""
    end = ("setpriv", "--pdeathsig", "INT")
    return (*end, f"--reuid={USER}", f"--regid={USER}", "--init-groups") if os.geteuid() == 0 else end
