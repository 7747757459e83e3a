"""docs/growing.md from its second step to the end, while four clients push and four pull.

One server on files and SQLite becomes two replicas on S3 and PostgreSQL. Nothing acknowledged is lost, and clients only
ever had to try again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.wire import Wire
from tests.parts.ceph import ACCESS_KEY, SECRET_KEY, Ceph
from tests.parts.nginx import RoundRobin, start_round_robin
from tests.parts.postgres import Postgres
from tests.parts.server import RunningServer, clean_environment, start_moorage
from tests.replicas import load as loading
from tests.replicas.load import Load

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

SEED = 7
PATIENCE = 9  # tries of a client, 0.2 to 51 s apart: a restart on a busy machine takes a while
WITHIN = 180.0
BETWEEN = 2.0  # seconds of load on each step


@dataclass
class Registry:
    """What grows: the first server, the one that joins it, and the proxy before both. A client's way in."""

    first: RunningServer
    second: RunningServer
    proxy: RoundRobin
    settings: dict[str, str] = field(default_factory=dict)

    def wire(self, *, timeout: float) -> Wire:
        """Give a new connection to the proxy."""
        return Wire("127.0.0.1", self.proxy.port, timeout=timeout)

    def restart(self, more: Mapping[str, str], *, without: str = "") -> None:
        """Start the first server again, with other settings."""
        self.settings |= more
        self.settings.pop(without, None)
        self.first.environment = dict(self.settings)
        self.first.restart()

    def moorage(self, *words: str) -> str:
        """Run a command with the first server's settings; give what it prints."""
        command = [str(Path(sys.executable).with_name("moorage")), *words, "--data", str(self.first.data)]
        environment = {**clean_environment(), **self.settings}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WITHIN, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """One server on files and SQLite behind nginx, which knows of a second one that does not run yet."""
    with ExitStack() as running:
        first, second = (running.enter_context(start_moorage(tmp_path / name)) for name in ("first", "second"))
        second.stop()
        yield Registry(first, second, running.enter_context(start_round_robin([first.port, second.port])))


def test_one_server_becomes_two_replicas_while_people_push_and_pull(
    registry: Registry, ceph: Ceph, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "TRIES", PATIENCE)
    name = postgres.create()
    address = tmp_path / "database_url"
    address.write_text(postgres.url(name).replace("+psycopg", ""))
    address.chmod(0o600)
    with Load(registry, SEED) as load:
        _go_on(load)
        registry.restart({**_bucket(ceph), "MOORAGE_STORAGE__DRIVER": "s3", "MOORAGE_STORAGE__FORMER": "files"})
        _move_blobs(registry)
        _go_on(load)
        registry.restart({}, without="MOORAGE_STORAGE__FORMER")
        _go_on(load)
        registry.moorage("db", "migrate", "--to-file", str(address))
        registry.restart({"MOORAGE_DATABASE__URL_FILE": str(address)})
        _go_on(load)
        registry.second.environment = dict(registry.settings)
        registry.second.start()
        _go_on(load)
        registry.first.stop()
        _go_on(load)
        registry.first.start()
    print(f"{dict(load.done)}; tries {dict(load.tries)}; retried after {dict(load.reasons)}")
    assert not load.wrong, load.wrong[:3]
    with registry.wire(timeout=60) as wire:
        for tag in load.tags:
            load.pull(wire, tag, tag.acknowledged)
            for body in tag.bodies[: tag.acknowledged]:
                load.blobs(wire, tag, body)
    assert not load.wrong, load.wrong[:3]
    assert not any(path.is_file() for path in (registry.first.data / "blobs").rglob("*")), "files were left behind"
    assert int(postgres.psql("SELECT count(*) FROM blob WHERE store <> 's3'", name)) == 0


def _bucket(ceph: Ceph) -> dict[str, str]:
    given = {"BUCKET": ceph.bucket(), "ENDPOINT": ceph.endpoint, "PATH_STYLE": "true"}
    keys = {"ACCESS_KEY": ACCESS_KEY, "SECRET_KEY": SECRET_KEY}
    return {f"MOORAGE_STORAGE__S3__{key}": value for key, value in (given | keys).items()}


def _move_blobs(registry: Registry) -> None:
    """Run the move until it says that nothing is left, as the guide has it."""
    end = time.monotonic() + WITHIN
    while not json.loads(registry.moorage("storage", "migrate", "--json"))["finished"]:
        assert time.monotonic() < end, "something stays in the former store"
        time.sleep(1)


def _go_on(load: Load) -> None:
    """Let clients work for a while, and see that pushes get through."""
    before, end = load.done["manifest push"], time.monotonic() + WITHIN
    time.sleep(BETWEEN)
    while load.done["manifest push"] < before + 4:
        assert time.monotonic() < end, "pushes do not get through"
        assert not load.wrong, load.wrong[:3]
        time.sleep(0.1)
