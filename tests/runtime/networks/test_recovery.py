"""The daemon is killed at every step in turn; the next one leaves nothing of the dead, and keeps the living whole."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.parts.tools import require
from tests.runtime.networks.boxes import Box, Place, wait
from tests.runtime.networks.killed import CONTAINER, PORTS
from tests.runtime.networks.traffic import answering, ask, ask_udp

pytestmark = pytest.mark.faults

EVERY = 1 if os.environ.get("MOORAGE_TEST_ALL") == "1" else 7
"""Only each seventh step is died at in the short run."""


def deaths(place: Place, *steps: str) -> Iterator[tuple[int, Box]]:
    """Run the steps for a box and die, one step later each time, until they come to their end; recover nothing."""
    for number in range(0, 400, EVERY):
        box = place.box("web")
        place.networks.close()
        done = subprocess.run(
            [*place.namespace.launcher, sys.executable, "-m", "tests.runtime.networks.killed",
             str(place.settings.data), str(place.settings.run), str(number), str(box.pid), *steps],
            capture_output=True, timeout=60, check=False, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert done.returncode in {0, -9}, done.stderr
        place.start()
        yield number, box
        box.end()
        if done.returncode == 0:
            return
    pytest.fail("the steps never came to their end")


def cables(place: Place) -> list[str]:
    return [name for name in place.links() if name.startswith("mv")]


def test_nothing_is_left_of_a_container_that_was_never_started(place: Place) -> None:
    for number, _ in deaths(place, "create", "allocate", "plug", "unplug", "remove"):
        place.do(lambda: place.networks.recover({}))
        wait(lambda: not cables(place), f"no cable is left after a death at step {number}")
        assert not list((place.settings.run / "networks").glob("*.json")), number
        assert "8080" not in place.rules(), number
        for found in place.networks.list({"type": ["custom"]}):
            place.do(partial(place.networks.remove, found.id))
        assert [name for name in place.links() if name != "moor0"] == [], number
        place.plugged("after", PORTS[0])
        place.unplug(place.boxes[-1])
        wait(lambda: not cables(place), "the cables go")
    assert number > 20, "the machine was hardly touched: nothing was tested"


def test_a_container_that_lives_has_everything_once(place: Place) -> None:
    """Killed while it plugs: recovered as living, it has its addresses, one cable in each network, and its ports."""
    for number, box in deaths(place, "create", "allocate", "plug"):
        held = (place.settings.run / "networks" / f"{CONTAINER}.json").exists()
        place.do(partial(place.networks.recover, {CONTAINER: box.pid}))
        if held:
            assert len(cables(place)) == 2, number
            settings = place.networks.inspect_endpoints(CONTAINER)
            assert set(settings["Networks"]) == {"bridge", "mine"}
            assert place.rules().count(". 8080 :") == 2, number
            with answering(box, 80):
                for host in ("127.0.0.1", "::1", "10.201.0.1"):
                    assert ask(place.namespace, host, 8080)
                assert ask_udp(place.namespace, "10.201.0.1", 8080)
        place.do(lambda: place.networks.unplug(CONTAINER))
        wait(lambda: not cables(place), "the cables go")
        for found in place.networks.list({"type": ["custom"]}):
            place.do(partial(place.networks.remove, found.id))


def test_a_restart_keeps_addresses_ports_and_names(place: Place) -> None:
    place.networks.create({"Name": "mine"})
    one, two = place.plugged("one", PORTS[0], network="mine"), place.plugged("two", network="mine")
    before = place.networks.inspect_endpoints(one.id), place.networks.hosts(two.id)
    place.again(one, two)
    assert (place.networks.inspect_endpoints(one.id), place.networks.hosts(two.id)) == before
    with answering(one, 80):
        assert ask(place.namespace, "127.0.0.1", 8080)
        assert ask(two, str(place.networks.get("mine").gateway), 8080)


def test_rules_and_bridges_that_somebody_took_away_come_back(place: Place) -> None:
    one = place.plugged("one", PORTS[0])
    place.namespace(require("nft"), "flush", "ruleset")
    place.plugged("two", network="bridge")
    place.again(*place.boxes)
    with answering(one, 80):
        assert ask(place.boxes[1], "10.201.0.1", 8080)
    place.namespace(require("ip"), "link", "delete", "moor0")
    place.again(*place.boxes)
    with answering(one, 80):
        assert ask(place.boxes[1], "10.201.0.1", 8080)


def test_a_record_that_was_half_written_is_given_up(place: Place) -> None:
    (place.settings.run / "networks" / f"{'d' * 64}.json").write_text('{"owner": {"id"')
    (place.settings.run / "networks" / "x.new").write_text("{")
    place.again()
    assert not list(Path(place.settings.run / "networks").glob("*.json"))
