"""Lists, page by page: tags, repositories, referrers. A page costs the same wherever it starts."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from auth.policy import Reach
from registry.catalog.catalog import Catalog
from registry.catalog.errors import NotFound
from registry.catalog.manifests import Referrer
from registry.catalog.search import Found
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName
from storage.digest import Digest

REFERRERS_BYTES = 4 * 2**20
REFERRER_OVERHEAD = 400

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; `more` tells that something follows its last item."""

    items: list[T]
    more: bool


class Listings:
    """The use cases that list."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def tags(self, name: RepositoryName, *, after: str, limit: int) -> Page[str]:
        """List a repository's tags after `after` in ASCII order (end-8). Raises NAME_UNKNOWN."""
        try:
            with self._catalog.read() as tx:
                repository = tx.repositories.get(name)
                return _page(tx.tags.page(repository.id, after, limit + 1), limit)
        except NotFound:
            raise RegistryError(
                ErrorCode.NAME_UNKNOWN,
                f"this registry holds no repository {name}",
                details=({"name": str(name)},),
            ) from None

    def repositories(self, *, after: str, limit: int, reach: Reach) -> Page[str]:
        """List the repositories that hold a manifest and are within reach, by name (`_catalog`)."""
        with self._catalog.read() as tx:
            return _page(tx.repositories.visible(reach, after, limit + 1), limit)

    def search(self, term: str, *, reach: Reach, limit: int) -> list[Found]:
        """Find repositories within reach by name and description, the best first."""
        with self._catalog.read() as tx:
            return tx.search.find(term, reach, limit)

    def referrers(
        self, name: RepositoryName, subject: Digest, *, artifact_type: str | None, after: str, limit: int
    ) -> Page[Referrer]:
        """List the manifests that refer to `subject` (end-12); empty where there are none, also in a new repository.

        A manifest is found by its own `subject`, however and whenever it was pushed, so those that were listed under
        a fallback tag before are here too (distribution-spec, "Enabling the Referrers API").
        """
        with self._catalog.read() as tx:
            found = tx.manifests.referrers(name, subject, artifact_type=artifact_type, after=after, limit=limit + 1)
        page = _page(found, limit)
        fitting = _fitting(page.items)
        return Page(page.items[:fitting], page.more or fitting < len(page.items))


def _page(found: list[T], limit: int) -> Page[T]:
    return Page(found[:limit], len(found) > limit and limit > 0)


def _fitting(referrers: list[Referrer]) -> int:
    """Count how many lines fit into one answer, but at least one."""
    room = REFERRERS_BYTES
    for position, referrer in enumerate(referrers):
        pairs = referrer.annotations.items()
        room -= REFERRER_OVERHEAD + sum(len(key.encode()) + len(value.encode()) + 8 for key, value in pairs)
        if room < 0:
            return max(position, 1)
    return len(referrers)
