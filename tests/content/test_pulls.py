"""Pull counts: written behind, in batches, and not lost when the database is busy."""

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.content import pulls as module
from registry.content.pulls import Pulls
from tests.content.conftest import NAME


def counted(catalog: Catalog) -> int:
    with catalog.read() as tx:
        return tx.repositories.get(NAME).pulls


def test_counts_are_added_up(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        tx.repositories.ensure(NAME)
    pulls = Pulls(catalog)
    for _ in range(3):
        pulls.count(NAME.value)
    pulls.count("not/here")
    assert counted(catalog) == 0
    assert pulls.flush() == 2
    assert (counted(catalog), pulls.flush()) == (3, 0)
    pulls.count(NAME.value)
    pulls.flush()
    assert counted(catalog) == 4


def test_what_could_not_be_written_is_kept(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    with catalog.begin() as tx:
        tx.repositories.ensure(NAME)
    pulls = Pulls(catalog)
    pulls.count(NAME.value)

    def refuse(*_: object) -> None:
        raise CatalogUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr("registry.catalog.repositories.Repositories.count_pulls", refuse)
        with pytest.raises(CatalogUnavailable):
            pulls.flush()
    pulls.count(NAME.value)
    pulls.flush()
    assert counted(catalog) == 2


def test_there_is_a_limit(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    pulls = Pulls(catalog)
    for name in ("a", "b", "c", "a"):
        pulls.count(name)
    assert pulls.flush() == 2
