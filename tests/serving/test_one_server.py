"""Two servers with files of their own on one PostgreSQL: the second is told why not, until the first has gone."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.parts.postgres import Postgres
from tests.parts.server import ServerFailed, answers, start_moorage

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_server_waits_its_turn(postgres: Postgres, tmp_path: Path, workers: int) -> None:
    settings = {"MOORAGE_DATABASE__URL": postgres.url(postgres.create())}
    with start_moorage(tmp_path / "one", environment=settings, workers=workers) as first:
        with (
            pytest.raises(ServerFailed, match=r"another server \(moorage serve on \S+\) is on this database"),
            start_moorage(tmp_path / "two", environment=settings),
        ):
            pass
        assert answers(first.port)
        first.kill()
        with start_moorage(tmp_path / "two", environment=settings) as second:
            assert answers(second.port)


def test_servers_on_databases_of_their_own_do_not_mind_each_other(postgres: Postgres, tmp_path: Path) -> None:
    one, two = ({"MOORAGE_DATABASE__URL": postgres.url(postgres.create())} for _ in range(2))
    with start_moorage(tmp_path / "one", environment=one), start_moorage(tmp_path / "two", environment=two) as second:
        assert answers(second.port)


def test_a_worker_that_ends_takes_nothing_from_its_parent(postgres: Postgres, tmp_path: Path) -> None:
    """The connection is the parent's: a worker that inherited it must not end the session with its own end."""
    name = postgres.create()
    held = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    held += f" WHERE locktype = 'advisory' AND datname = '{name}'"
    with start_moorage(
        tmp_path / "one", environment={"MOORAGE_DATABASE__URL": postgres.url(name)}, workers=2
    ) as server:
        assert postgres.psql(held) == "1"
        before = set(server.pids)
        for worker in before - {server.pid}:
            os.kill(worker, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while len(set(server.pids) - before) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert set(server.pids) - before
        assert postgres.psql(held) == "1"
    assert postgres.psql(held) == "0"
