"""A real dockerd in the same namespace, whichever starts first: it drops what is forwarded and filters bridges."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.networks.model import PortWish
from tests.parts.commands import run, start, stop, succeeds, wait_until
from tests.parts.containerd import start_containerd
from tests.parts.mounts import unmount_below
from tests.parts.netns import Namespace
from tests.parts.tools import require
from tests.runtime.networks.boxes import Place, made_place
from tests.runtime.networks.conftest import HOST, OUTSIDE
from tests.runtime.networks.traffic import answering, ask, ask_udp, reaches

pytestmark = pytest.mark.e2e

WEB = PortWish(80, "tcp", "", 8080, 8080)


@contextmanager
def dockerd(namespace: Namespace) -> Iterator[None]:
    """A dockerd with its network and rules, in the namespace."""
    program, client = require("dockerd"), require("docker")
    directory = Path(tempfile.mkdtemp(prefix="dk-", dir="/tmp"))
    try:
        (directory / "c").mkdir()
        with start_containerd(directory / "c") as containerd:
            address = f"unix://{directory}/docker.sock"
            process = start(
                *namespace.launcher, program, f"--data-root={directory}/data", f"--exec-root={directory}/exec",
                f"--host={address}", f"--pidfile={directory}/pid", f"--containerd={containerd.socket}",
                "--bip=172.31.77.1/24", log=directory / "log",
            )  # fmt: skip
            try:
                wait_until(
                    lambda: succeeds(client, "--host", address, "version"), "starting dockerd", directory / "log"
                )
                yield
            finally:
                stop(process)
    finally:
        unmount_below(directory)
        shutil.rmtree(directory, ignore_errors=True)


def check(place: Place, outside: Namespace) -> None:
    """All that must work, and what must not."""
    run_number = len(place.boxes)
    one, two = place.plugged(f"one-{run_number}", WEB), place.plugged(f"two-{run_number}")
    with answering(outside, 80), answering(one, 80):
        assert ask(two, OUTSIDE, 80) == HOST
        assert ask_udp(two, OUTSIDE, 80) == HOST
        assert ask(two, place.address(one), 80) == place.address(two)
        assert ask(outside, HOST, 8080) == OUTSIDE
        for where in (place.namespace, one, two):
            assert ask(where, HOST, 8080)
        assert ask(place.namespace, "127.0.0.1", 8080)
        run(require("ip"), "-n", outside.name, "route", "replace", "10.201.0.0/24", "via", HOST)
        assert not reaches(outside, place.address(one), 80), (
            "what dockerd drops, and what it lets pass, changes nothing"
        )
    place.unplug(one)
    place.unplug(two)


def test_dockerd_first(namespace: Namespace, outside: Namespace, tmp_path: Path) -> None:
    namespace.inside(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("0"))  # dockerd drops if it turns it on
    with dockerd(namespace):
        assert "-P FORWARD DROP" in namespace("iptables", "-S"), "otherwise nothing is tested"
        with made_place(namespace, tmp_path) as place:
            check(place, outside)
            rules = namespace("iptables", "-S")
            place.again()
            place.plugged("more")
            assert namespace("iptables", "-S") == rules, "no rule is there twice"


def test_dockerd_second(namespace: Namespace, outside: Namespace, tmp_path: Path) -> None:
    with made_place(namespace, tmp_path) as place:
        check(place, outside)
        with dockerd(namespace):
            check(place, outside)
        place.again()
        with dockerd(namespace):
            namespace("iptables", "-P", "FORWARD", "DROP")
            place.again()
            check(place, outside)
