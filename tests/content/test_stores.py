"""Stores by the names of their drivers: what an older catalog called `default`, and what the settings have to name."""

import re

import pytest

from registry.catalog.catalog import Catalog
from registry.content import stores
from registry.content.stores import StoreNotNamed, adopt, require_named
from storage.digest import Digest
from tests.catalog.plans import planned, scans
from tests.content.conftest import NAME


def fill(catalog: Catalog, store: str, number: int) -> None:
    """Write rows of each kind."""
    with catalog.begin() as tx:
        repository = tx.repositories.ensure(NAME)
        for each in range(number):
            content = f"{store} {each}".encode()
            tx.blobs.put(Digest.of(content), len(content), store, f"blobs/{store}{each}")
            tx.blobs.discard(store, f"blobs/old{store}{each}", tx.now)
            session_id = f"{store.encode().hex():0<24}{each:08}"
            tx.uploads.open(session_id, repository.id, subject="ann", store=store, state=b"")


def counted(catalog: Catalog, store: str) -> tuple[int, int, int]:
    """Count rows of each kind."""
    with catalog.read() as tx:
        holding = tx.placement.holding(store)
    return holding.blobs, holding.uploads, holding.replaced


@pytest.mark.parametrize("batch", [1, 2, 5, 1000])
def test_an_older_catalog_learns_the_name_in_batches(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(stores, "BATCH", batch)
    fill(catalog, "default", 5)
    fill(catalog, "s3", 2)
    assert adopt(catalog, "files") == 15
    assert counted(catalog, "files") == (5, 5, 5)
    assert counted(catalog, "s3") == (2, 2, 2)
    assert adopt(catalog, "files") == 0
    with catalog.read() as tx:
        assert tx.placement.stores() == {"files", "s3"}


def test_a_batch_that_was_cut_short_is_gone_on_with(catalog: Catalog) -> None:
    fill(catalog, "default", 5)
    with catalog.begin() as tx:
        assert tx.placement.rename("default", "files", 2) == 6
    assert adopt(catalog, "files") == 9


def test_stores_that_the_settings_name_are_served(catalog: Catalog) -> None:
    require_named(catalog, ("files",))
    fill(catalog, "files", 1)
    fill(catalog, "s3", 1)
    require_named(catalog, ("s3", "files"))


@pytest.mark.parametrize(
    ("blobs", "text"),
    [
        (1, "1 blob lies in the store files, which the settings do not name; set storage.former"),
        (1204, '1,204 blobs lie in the store files, which the settings do not name; set storage.former = "files"'),
    ],
)
def test_blobs_that_nobody_would_find_are_told_of(catalog: Catalog, blobs: int, text: str) -> None:
    fill(catalog, "files", blobs)
    with pytest.raises(StoreNotNamed, match=re.escape(text)):
        require_named(catalog, ("s3",))


def test_uploads_and_keys_that_nobody_would_end_are_told_of(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        tx.uploads.open("0" * 32, tx.repositories.ensure(NAME).id, subject="ann", store="files", state=b"")
    with pytest.raises(StoreNotNamed, match="the store files still has 1 open upload; set"):
        require_named(catalog, ("s3",))
    with catalog.begin() as tx:
        for number in range(2):
            tx.blobs.discard("files", f"blobs/{number}", 0)
    with pytest.raises(StoreNotNamed, match="the store files still has 1 open upload and 2 replaced keys; set"):
        require_named(catalog, ("s3",))


def test_looking_costs_no_walk_through_all_blobs(catalog: Catalog) -> None:
    with catalog.read() as tx, planned(catalog) as plan:
        tx.placement.page("files", "", 10)
    assert scans(plan) == []
    with catalog.read() as tx, planned(catalog) as plan:
        tx.placement.stores()
    assert [line for line in scans(plan) if "upload_session" not in line] == []
