"""Fixtures: a toy server on either engine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.serving.running import Running, running

Serve = Callable[..., Running]


@pytest.fixture(params=["uvicorn", "granian"])
def engine(request: pytest.FixtureRequest) -> str:
    """The HTTP server under test."""
    name: str = request.param
    if name == "granian":
        pytest.importorskip("granian", reason="install it with: pip install 'moorage[granian]'")
    return name


@pytest.fixture
def serve(engine: str, tmp_path: Path) -> Iterator[Serve]:
    """Serve toys on the engine under test until the test ends."""
    with ExitStack() as stack:

        def start(**plan: Any) -> Running:
            return stack.enter_context(running(tmp_path, engine, **plan))

        yield start


@pytest.fixture
def uvicorn(tmp_path: Path) -> Iterator[Serve]:
    """Serve toys on uvicorn, for what only its protocol does."""
    with ExitStack() as stack:

        def start(**plan: Any) -> Running:
            return stack.enter_context(running(tmp_path, "uvicorn", **plan))

        yield start
