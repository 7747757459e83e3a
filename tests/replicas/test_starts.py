"""No leader: replicas that start in the same moment on an empty database and an empty bucket are one registry at once.

One of them brings the schema up to date, one makes the administrator and tells the password, one makes the keys; which
of them, nobody decides.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from registry.catalog.engine import connect
from tests.access.live import Live
from tests.access.world import Accounts, basic
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.replicas import Shared, shared_parts
from tests.parts.server import RunningServer, free_port

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

COUNT = 3
TOLD = re.compile(r"Sign in as admin with the password (\S+)")


@contextmanager
def starting(shared: Shared, directory: Path, count: int) -> Iterator[list[RunningServer]]:
    """Start servers with accounts, whose settings give no password, all at once; each listens on a port of its own."""
    config = directory / "moorage.toml"
    config.write_text(shared.configuration)
    moorage = Path(sys.executable).with_name("moorage")
    servers = []
    for number in range(count):
        port, data = free_port(), directory / f"replica{number}"
        command = [str(moorage), "serve", "--listen", f"127.0.0.1:{port}", "--data", str(data), "--workers", "1"]
        log = data.with_name(f"{data.name}.log")
        servers.append(RunningServer([*command, "--config", str(config)], log, data, port, shared.secrets))
    with ExitStack() as ending, ThreadPoolExecutor(count) as pool:
        for server in servers:
            ending.callback(server.kill)
        list(pool.map(RunningServer.start, servers))
        yield servers


def test_replicas_that_start_at_once_make_one_registry(postgres: Postgres, ceph: Ceph, tmp_path: Path) -> None:
    with shared_parts(postgres, ceph) as shared, starting(shared, tmp_path, COUNT) as servers:
        told = [word for server in servers for word in TOLD.findall(server.log.read_text())]
        assert len(told) == 1, "the first administrator's password is told by one of them"
        with closing(connect(shared.address, pool_size=2)) as database:
            accounts = Accounts(database)
            with accounts.catalog.read() as tx:
                assert [(one.name, one.administrator) for one in tx.accounts.page("user", "", 9)] == [("admin", True)]
                assert sorted(key.state for key in tx.keys.all()) == ["active", "next"]
            each = [Live(server, accounts) for server in servers]
            tokens = [live.token(basic("admin", told[0]), "registry:catalog:*") for live in each]
            assert {live.call("GET", "/v2/_catalog", token).status for live in each for token in tokens} == {200}
        assert [server.stop() for server in servers] == [0] * COUNT
