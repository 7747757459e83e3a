"""Repositories: names with ids of their own, made when the first content arrives, who sees them, and how they do."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from auth.policy import Reach
from registry.catalog import tables, visible
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.search import SearchIndex
from registry.oci.names import RepositoryName
from storage.digest import Digest

_row = tables.repository
_by_name = select(
    _row.c.id, _row.c.visibility, _row.c.description, _row.c.description_by, _row.c.pulls, _row.c.pulled_at
).where(_row.c.name == bindparam("name"))
# One answer, of one row that is read, whether or not there is such a repository: the time it takes tells nobody.
_place = select(
    func.coalesce(
        select(_row.c.visibility).where(_row.c.name == bindparam("name")).scalar_subquery(),
        select(func.substr(_row.c.visibility, 1, 0))
        .where(_row.c.id > 0)
        .order_by(_row.c.id)
        .limit(1)
        .scalar_subquery(),
    )
)
_described = select(_row.c.name, _row.c.description, _row.c.description_by).where(_row.c.id == bindparam("id"))
_add = sqlite_insert(_row).on_conflict_do_nothing(index_elements=[_row.c.name])
_page = (
    select(_row.c.name)
    .where(_row.c.name > bindparam("after"), exists().where(tables.manifest.c.repository_id == _row.c.id))
    .order_by(_row.c.name)
    .limit(bindparam("limit"))
)
_every = (
    select(
        _row.c.name,
        _row.c.id,
        _row.c.visibility,
        _row.c.description,
        _row.c.description_by,
        _row.c.pulls,
        _row.c.pulled_at,
    )
    .where(_row.c.name > bindparam("low"), _row.c.name < bindparam("high"))
    .order_by(_row.c.name)
    .limit(bindparam("limit"))
)
_later = case((_row.c.pulled_at > bindparam("at"), _row.c.pulled_at), else_=bindparam("at"))
_count_pulls = (
    update(_row)
    .where(_row.c.name == bindparam("repository"))
    .values(pulls=_row.c.pulls + bindparam("more"), pulled_at=_later)
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that exists. `visibility` is `public`, `internal` or `private`; `pulled_at` is in µs since 1970.

    `description_by` tells where the description comes from: `annotation`, `operator` or, where there is none, "".
    """

    id: int
    name: RepositoryName
    visibility: str = "private"
    description: str = ""
    description_by: str = ""
    pulls: int = 0
    pulled_at: int | None = None


class Repositories:
    """The repositories, within one transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def get(self, name: RepositoryName) -> Repository:
        """Find a repository by its name. Raises NotFound."""
        row = self._connection.execute(_by_name, {"name": name.value}).one_or_none()
        if row is None:
            raise NotFound(str(name))
        repository_id, *rest = row
        return Repository(repository_id, name, *rest)

    def place(self, name: str) -> str | None:
        """Tell how visible a repository is; None: there is none of that name."""
        return self._connection.execute(_place, {"name": name}).scalar_one() or None

    def ensure(self, name: RepositoryName, visibility: str = "private") -> Repository:
        """Find a repository, or make it; one that is there stays as visible as it is."""
        try:
            return self.get(name)
        except NotFound:
            self._add(name, visibility)
            return self.get(name)

    def create(self, name: RepositoryName, visibility: str) -> Repository:
        """Make a repository. Raises Conflict if there is one of that name."""
        if not self._add(name, visibility):
            raise Conflict(str(name))
        return self.get(name)

    def page(self, after: str, limit: int) -> list[str]:
        """List up to `limit` names after `after` in ASCII order, of the repositories that hold a manifest."""
        return list(self._connection.execute(_page, {"after": after, "limit": limit}).scalars())

    def listed(self, after: str, limit: int, namespace: str | None = None) -> list[Repository]:
        """List up to `limit` repositories, the empty ones too, whose names come after `after`, in ASCII order.

        Args: namespace: only those below it; None: all.
        """
        # In the characters that names are made of, "0" comes next after "/".
        low, high = (f"{namespace}/", f"{namespace}0") if namespace is not None else ("", visible.AFTER_ALL)
        rows = self._connection.execute(_every, {"low": max(low, after), "high": high, "limit": limit})
        return [Repository(row.id, RepositoryName(row.name), *row[2:]) for row in rows]

    def visible(self, reach: Reach, after: str, limit: int) -> list[str]:
        """List as `page` does, but only what a reach covers."""
        return visible.page(self._connection, reach, after, limit)

    def visible_holder(self, digest: Digest, reach: Reach) -> int:
        """Give the id of some repository that holds a live blob and that a reach covers. Raises NotFound."""
        return visible.holder(self._connection, digest, reach)

    def set_visibility(self, repository_id: int, visibility: str) -> None:
        """Show a repository to more people, or to fewer. Raises NotFound."""
        statement = update(_row).where(_row.c.id == repository_id).values(visibility=visibility)
        if not self._connection.execute(statement).rowcount:
            raise NotFound(str(repository_id))

    def describe(self, repository_id: int, text: str, by: str) -> None:
        """Keep a description and where it comes from (`annotation`, `operator`), and let it be found. Raises NotFound.

        Writes nothing where nothing changes, for a push brings the same description again and again.
        """
        row = self._connection.execute(_described, {"id": repository_id}).one_or_none()
        if row is None:
            raise NotFound(str(repository_id))
        if (row.description, row.description_by) != (text, by):
            statement = update(_row).where(_row.c.id == repository_id).values(description=text, description_by=by)
            self._connection.execute(statement)
            SearchIndex(self._connection).index(repository_id, row.name, text)

    def count_pulls(self, pulls: Iterable[tuple[str, int, int]]) -> None:
        """Add to repositories' counts, for each (name, pulls, time of the last in µs since 1970); unknown ones pass."""
        rows = [{"repository": name, "more": more, "at": at} for name, more, at in pulls]
        if rows:
            self._connection.execute(_count_pulls, rows)

    def _add(self, name: RepositoryName, visibility: str) -> bool:
        row = {"name": name.value, "created_at": self._now, "visibility": visibility}
        added = self._connection.execute(_add.returning(_row.c.id), row).scalar_one_or_none()
        if added is not None:
            SearchIndex(self._connection).index(added, name.value, "")
        return added is not None
