"""A catalog whose time a test sets, and runners on it."""

from collections.abc import Callable, Iterator

import pytest

from registry.catalog.catalog import Catalog
from registry.jobs import runner as running
from registry.jobs.runner import Runner
from registry.jobs.work import Kind
from tests.catalog.conftest import Clock, address, catalog, clock, database, fast_directory, migrated, place

__all__ = ["Clock", "address", "catalog", "clock", "database", "fast_directory", "migrated", "place"]

MakeRunner = Callable[..., Runner]


@pytest.fixture
def runners(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeRunner]:
    """What makes runners that look for work at once; they end with the test."""
    monkeypatch.setattr(running, "LOOK", 0.01)
    made: list[Runner] = []

    def make(*kinds: Kind, name: str = "here") -> Runner:
        made.append(Runner(catalog, kinds, name=name))
        return made[-1]

    yield make
    for runner in made:
        runner.stop()
