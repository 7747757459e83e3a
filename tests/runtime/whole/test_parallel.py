"""Many at once: addresses, names and ports are given out one by one."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.parts.commands import CommandFailed
from tests.parts.engine import RunningEngine
from tests.runtime.whole.conftest import IMAGE

pytestmark = pytest.mark.e2e

MANY = 16


def test_parallel_starts_have_addresses_of_their_own(engine: RunningEngine) -> None:
    def start(number: int) -> str:
        return engine.docker("run", "--detach", "--name", f"many-{number}", IMAGE, "sleep", "600")

    try:
        with ThreadPoolExecutor(MANY) as pool:
            started = list(pool.map(start, range(MANY)))
        inspected = json.loads(engine.docker("inspect", *started))
        addresses = {found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for found in inspected}
        assert len(addresses) == MANY and "" not in addresses
        listed = engine.docker("ps", "--quiet", "--no-trunc").split()
        assert set(started) <= set(listed)
    finally:
        engine.remove_containers()


def test_of_many_with_one_name_one_is_made(engine: RunningEngine) -> None:
    def create(_: int) -> str:
        try:
            return engine.docker("create", "--name", "only", IMAGE, "true")
        except CommandFailed as failed:
            assert 'The container name "/only" is already in use by container' in failed.said
            return ""

    try:
        with ThreadPoolExecutor(MANY) as pool:
            made = [found for found in pool.map(create, range(MANY)) if found]
        assert len(made) == 1
    finally:
        engine.remove_containers()


def test_of_many_with_one_port_one_runs_and_the_others_leave_nothing(engine: RunningEngine) -> None:
    def run(number: int) -> bool:
        try:
            engine.docker("run", "--detach", "--publish", "8099:80", IMAGE, "sleep", "600")
        except CommandFailed as failed:
            assert "port is already allocated" in failed.said
            return False
        return True

    try:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(run, range(8))) == 1
        running = json.loads(engine.docker("network", "inspect", "bridge"))[0]["Containers"]
        assert len(running) == 1
    finally:
        engine.remove_containers()
