"""Which stores the catalog speaks of, and whether the settings name them all: looked at before anything is served.

A store is called after its driver. Up to schema 0002 a catalog knew one store, `default`, whatever its driver was.
"""

from collections.abc import Collection

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogError
from registry.catalog.placement import Holding

FIRST_NAME = "default"
BATCH = 1000


class StoreNotNamed(CatalogError):
    """The catalog speaks of a store that the settings do not name; the message says what to do."""


def adopt(catalog: Catalog, name: str) -> int:
    """Call the store `default` of an older catalog by its driver's name; tells in how many rows. Idempotent.

    Goes in batches, each a transaction, so that a catalog of millions holds nobody up; a part that was done stays.
    """
    renamed, last = 0, BATCH
    while last:
        with catalog.begin() as tx:
            last = tx.placement.rename(FIRST_NAME, name, BATCH) if FIRST_NAME in tx.placement.stores() else 0
        renamed += last
    return renamed


def require_named(catalog: Catalog, named: Collection[str]) -> None:
    """See that every store with blobs, open uploads or replaced keys is named. Raises StoreNotNamed."""
    with catalog.read() as tx:
        for store in sorted(tx.placement.stores() - {*named, FIRST_NAME}):
            raise StoreNotNamed(_advice(store, tx.placement.holding(store)))


def _advice(store: str, holding: Holding) -> str:
    way = f'set storage.former = "{store}" (with the settings that it had)'
    if holding.blobs:
        return (
            f"{count(holding.blobs, 'blob')} {'lies' if holding.blobs == 1 else 'lie'} in the store {store}, which the"
            f" settings do not name; {way} and run `moorage storage migrate` while the server runs, or go back to"
            f' storage.driver = "{store}"'
        )
    return f"{rest(store, holding)}; {way} until `moorage storage migrate` says that nothing is left in it"


def rest(store: str, holding: Holding) -> str:
    """Say what a store still has beside blobs."""
    uploads, replaced = count(holding.uploads, "open upload"), count(holding.replaced, "replaced key")
    what = [text for text, number in ((uploads, holding.uploads), (replaced, holding.replaced)) if number]
    return f"the store {store} still has {' and '.join(what)}"


def count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
