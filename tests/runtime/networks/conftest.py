"""A namespace and networks in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.commands import run
from tests.parts.netns import Namespace, new_namespace
from tests.parts.tools import require
from tests.runtime.networks.boxes import Place, made_place

HOST, OUTSIDE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """The host of a test."""
    for tool in ("nft", "ip", "unshare"):
        require(tool)
    with new_namespace() as made:
        yield made


@pytest.fixture
def place(namespace: Namespace, tmp_path: Path) -> Iterator[Place]:
    """Networks on empty data."""
    with made_place(namespace, tmp_path) as made:
        yield made


@pytest.fixture
def outside(namespace: Namespace) -> Iterator[Namespace]:
    """Another machine, on a wire to the host."""
    with new_namespace() as other:
        ip = require("ip")
        run(
            ip, "-n", namespace.name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", other.name
        )
        for machine, address in ((namespace, HOST), (other, OUTSIDE)):
            run(ip, "-n", machine.name, "address", "add", f"{address}/24", "dev", "wire")
            run(ip, "-n", machine.name, "link", "set", "wire", "up")
        yield other
