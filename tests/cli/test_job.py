"""`moorage job` and `moorage worker`: what is to be done is shown, hastened, taken back, and done."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.engine import connect
from tests.cli.desk import Desk
from tests.parts.server import clean_environment

SECOND = 1_000_000
WITHIN = 60.0


@pytest.fixture
def catalog(desk: Desk) -> Iterator[Catalog]:
    """The catalog behind the desk."""
    catalog = Catalog(connect(f"sqlite:///{desk.data / 'moorage.db'}", pool_size=2))
    yield catalog
    catalog.close()


@pytest.fixture
def workers(desk: Desk) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """What starts workers; they end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "registry", "worker", "--data", str(desk.data)]
        started.append(subprocess.Popen(command, env=clean_environment(), stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.communicate()


def eventually(done: Callable[[], object]) -> None:
    end = time.monotonic() + WITHIN
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def enqueued(catalog: Catalog, kind: str, *, every: int | None = None, due_at: int | None = None) -> int:
    """Enqueue a job, and give its id."""
    with catalog.begin() as tx:
        tx.jobs.enqueue(kind, dedup=kind, every=every, due_at=due_at)
        return next(job.id for job in tx.jobs.unfinished(9) if job.kind == kind)


def test_jobs_are_listed_with_what_becomes_of_them(desk: Desk, catalog: Catalog) -> None:
    assert desk.json("job", "list") == desk.json("job", "history") == []
    enqueued(catalog, "a")
    enqueued(catalog, "b", due_at=2**52)
    with catalog.begin() as tx:
        assert tx.jobs.enqueue("c", every=90 * SECOND)
        assert tx.jobs.claim(("c",), worker="here:1", lease=60 * SECOND)
    found = {row["kind"]: row for row in desk.json("job", "list")}
    assert {kind: row["state"] for kind, row in found.items()} == {"a": "due", "b": "waiting", "c": "running"}
    assert (found["c"]["worker"], found["c"]["attempts"], found["c"]["every_seconds"]) == ("here:1", 1, 90)
    assert desk.json("job", "show", str(found["c"]["id"])) == found["c"]
    assert desk.ok("job", "list").stdout.split()[:3] == ["ID", "KIND", "STATE"]


def test_a_job_is_taken_back_unless_it_is_on_a_schedule(desk: Desk, catalog: Catalog) -> None:
    once, often = enqueued(catalog, "once"), enqueued(catalog, "often", every=SECOND)
    assert "is taken back" in desk.ok("job", "cancel", str(once)).stderr
    assert "on a schedule" in desk.refused("job", "cancel", str(often))
    assert "there is no job" in desk.refused("job", "cancel", str(once))
    assert "there is no job" in desk.refused("job", "show", str(once))
    assert [row["outcome"] for row in desk.json("job", "history", "--kind", "once")] == ["cancelled"]
    assert desk.json("job", "history", "--kind", "often") == []


def test_what_is_hastened_has_to_be_there(desk: Desk, catalog: Catalog) -> None:
    assert "no server has started yet" in desk.refused("job", "run", "sweep-uploads")
    enqueued(catalog, "often", every=SECOND, due_at=2**52)
    assert "there are: often" in desk.refused("job", "run", "sweep-uploads")
    assert "within seconds" in desk.ok("job", "run", "often").stderr
    assert [row["state"] for row in desk.json("job", "list")] == ["due"]


def test_workers_do_jobs_without_a_server_and_one_goes_on_where_another_was_killed(
    desk: Desk, workers: Callable[[], subprocess.Popen[bytes]]
) -> None:
    def by() -> list[int]:
        return [int(row["worker"].rpartition(":")[2]) for row in desk.json("job", "history", "--kind", "sweep-uploads")]

    first = workers()
    eventually(lambda: by() == [first.pid])
    first.kill()
    second = workers()
    desk.ok("job", "run", "sweep-uploads")
    eventually(lambda: by() == [second.pid, first.pid])
    second.send_signal(signal.SIGTERM)
    assert second.wait(WITHIN) == 0


def test_a_worker_needs_what_a_server_has_made(desk: Desk, catalog: Catalog, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "registry", "worker", "--data"]
    environment = clean_environment()
    nothing = subprocess.run([*command, tmp_path / "none"], env=environment, capture_output=True, check=False)
    assert (nothing.returncode, b"Traceback" in nothing.stderr) == (1, False)
    with catalog.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    older = subprocess.run([*command, desk.data], env=environment, capture_output=True, check=False)
    assert (older.returncode, b"moorage db upgrade" in older.stderr) == (1, True)
