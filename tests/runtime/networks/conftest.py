"""A namespace and networks in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.netns import Namespace, new_namespace
from tests.parts.tools import require
from tests.runtime.networks.boxes import Place, made_place


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
