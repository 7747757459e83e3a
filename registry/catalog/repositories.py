"""Repositories: names with ids of their own, made when the first content arrives."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, exists, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from registry.catalog import tables
from registry.catalog.errors import NotFound
from registry.oci.names import RepositoryName

_row = tables.repository
_by_name = select(_row.c.id).where(_row.c.name == bindparam("name"))
_add = sqlite_insert(_row).on_conflict_do_nothing(index_elements=[_row.c.name])
_page = (
    select(_row.c.name)
    .where(_row.c.name > bindparam("after"), exists().where(tables.manifest.c.repository_id == _row.c.id))
    .order_by(_row.c.name)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that exists."""

    id: int
    name: RepositoryName


class Repositories:
    """The repositories, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def get(self, name: RepositoryName) -> Repository:
        """Find a repository by its name. Raises NotFound."""
        found = self._connection.execute(_by_name, {"name": name.value}).scalar_one_or_none()
        if found is None:
            raise NotFound(str(name))
        return Repository(found, name)

    def ensure(self, name: RepositoryName) -> Repository:
        """Find a repository, or make it."""
        try:
            return self.get(name)
        except NotFound:
            self._connection.execute(_add, {"name": name.value, "created_at": self._now})
            return self.get(name)

    def page(self, after: str, limit: int) -> list[str]:
        """List up to `limit` names after `after` in ASCII order, of the repositories that hold a manifest."""
        return list(self._connection.execute(_page, {"after": after, "limit": limit}).scalars())
