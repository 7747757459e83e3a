"""What a reach covers, in stretches of names that an index can follow: lists, and holders of a blob, without a scan.

`auth.policy` says what is covered; here is only how to find it. Everything is asked in short prepared queries, one a
stretch, whose answers are put together: SQLite takes at most 500 parts in a UNION, and nobody limits grants so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable, and_, bindparam, exists, func, select

from auth.policy import Place, Reach, Right, Visibility
from registry.catalog import tables
from registry.catalog.errors import NotFound
from storage.digest import Digest

AFTER_ALL = "~"
"""Sorts after every name."""

MANY = 500
"""Rows that are walked before another way is tried; also names in one query."""

NO_BLOB = 0
"""The id of none."""

_row, _link, _blob = tables.repository, tables.blob_link, tables.blob

_holds_manifest = exists().where(tables.manifest.c.repository_id == _row.c.id)
_in_stretch = and_(_row.c.name > bindparam("low"), _row.c.name < bindparam("high"))
_visible_so = _row.c.visibility == bindparam("visibility")
_page = select(_row.c.name).where(_in_stretch, _holds_manifest).order_by(_row.c.name).limit(bindparam("limit"))
_page_so = _page.where(_visible_so)
_named = select(_row.c.name, _row.c.visibility).where(_row.c.name.in_(bindparam("names", expanding=True)))
_named_page = _named.where(_holds_manifest)

_blob_id = select(_blob.c.id).where(_blob.c.digest == bindparam("digest"), _blob.c.state == "live")
_links_here = exists().where(_link.c.repository_id == _row.c.id, _link.c.blob_id == bindparam("blob"))
_first_holders = (
    select(_row.c.id, _row.c.name, _row.c.visibility)
    .join(_link, _link.c.repository_id == _row.c.id)
    .where(_link.c.blob_id == bindparam("blob"))
    .limit(MANY)
)
_named_holders = _named.add_columns(_row.c.id).where(_links_here)
_some = select(_row.c.id).where(_in_stretch).limit(MANY)
_size = select(func.count()).select_from(_some.subquery())
_size_so = select(func.count()).select_from(_some.where(_visible_so).subquery())
_by_name = select(_row.c.id).where(_in_stretch, _links_here).limit(1)
_by_name_so = _by_name.where(_visible_so)
_by_link = (
    select(_link.c.repository_id)
    .where(_link.c.blob_id == bindparam("blob"), exists().where(_row.c.id == _link.c.repository_id, _in_stretch))
    .limit(1)
)
_by_link_so = (
    select(_link.c.repository_id)
    .where(
        _link.c.blob_id == bindparam("blob"),
        exists().where(_row.c.id == _link.c.repository_id, _in_stretch, _visible_so),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """The names between two that are none themselves, of repositories of one visibility ("": of any)."""

    low: str
    high: str
    visibility: str = ""

    def parameters(self) -> dict[str, object]:
        """Give what the queries above bind."""
        bounds: dict[str, object] = {"low": self.low, "high": self.high}
        return {**bounds, "visibility": self.visibility} if self.visibility else bounds


def stretches(reach: Reach) -> list[Stretch]:
    """Give the stretches of names that a reach covers, in order; single names are not in them, see `names`."""
    found = {Stretch("", AFTER_ALL, Visibility.PUBLIC.value)} if reach.public else set()
    for stretch in _unlimited(reach) if _may_pull(reach) else ():
        found |= set(_narrowed(stretch, reach.limits.repositories))
    everywhere = Stretch("", AFTER_ALL)
    return [everywhere] if everywhere in found else sorted(found)


def names(reach: Reach) -> list[str]:
    """Give the single names that a reach may cover, in order; whether it does depends on their visibility."""
    exact = {pattern for pattern in reach.limits.repositories or () if not pattern.endswith("/*")}
    return sorted(name for name in reach.repositories | exact if reach.limits.allow(Right.PULL, name))


def page(connection: Connection, reach: Reach, after: str, limit: int) -> list[str]:
    """List up to `limit` names after `after`, in ASCII order, of covered repositories that hold a manifest."""
    found: list[str] = []
    for stretch in stretches(reach):
        if len(found) == limit and stretch.low >= found[-1]:
            break
        if stretch.high <= after:
            continue
        parameters = {**stretch.parameters(), "low": max(stretch.low, after), "limit": limit}
        rows = connection.execute(_page_so if stretch.visibility else _page, parameters).scalars()
        found = sorted({*found, *rows})[:limit]
    wanted = [name for name in names(reach) if name > after]
    covered = (row.name for row in _covered(connection, _named_page, reach, wanted, {}))
    return sorted({*found, *covered})[:limit]


def holder(connection: Connection, digest: Digest, reach: Reach) -> int:
    """Give the id of some covered repository that holds a live blob. Raises NotFound.

    A blob of few holders is looked for at each of them. One that half the registry holds is looked for in what the
    reach covers, stretch by stretch, from whichever end is the shorter.
    """
    # A blob that is nowhere is looked for as well: that it takes as long keeps what others hold to themselves.
    blob = connection.execute(_blob_id, {"digest": str(digest)}).scalar_one_or_none() or NO_BLOB
    first = connection.execute(_first_holders, {"blob": blob}).all()
    for row in first:
        if reach.covers(Place(row.name, Visibility(row.visibility))):
            return int(row.id)
    if len(first) == MANY:
        for found in _holders(connection, blob, reach):
            return found
    raise NotFound(str(digest))


def _holders(connection: Connection, blob: int, reach: Reach) -> Iterator[int]:
    for row in _covered(connection, _named_holders, reach, names(reach), {"blob": blob}):
        yield row.id
    for stretch in stretches(reach):
        parameters = stretch.parameters()
        size = connection.execute(_size_so if stretch.visibility else _size, parameters).scalar_one()
        if size < MANY:
            query = _by_name_so if stretch.visibility else _by_name
        else:
            query = _by_link_so if stretch.visibility else _by_link
        yield from connection.execute(query, {**parameters, "blob": blob}).scalars()


def _covered(
    connection: Connection, query: Executable, reach: Reach, wanted: list[str], parameters: dict[str, object]
) -> Iterator[Any]:
    for start in range(0, len(wanted), MANY):
        for row in connection.execute(query, {**parameters, "names": wanted[start : start + MANY]}):
            if reach.covers(Place(row.name, Visibility(row.visibility))):
                yield row


def _may_pull(reach: Reach) -> bool:
    return bool(reach.limits.rights & (Right.PULL | Right.ADMIN))


def _unlimited(reach: Reach) -> Iterator[Stretch]:
    if reach.everything:
        yield Stretch("", AFTER_ALL)
        return
    if reach.internal:
        yield Stretch("", AFTER_ALL, Visibility.INTERNAL.value)
    for namespace in reach.namespaces:
        yield _below(namespace)


def _below(prefix: str) -> Stretch:
    """Everything that begins with `prefix/`: a name's characters are such that "0" comes next after "/"."""
    return Stretch(f"{prefix}/", f"{prefix}0")


def _narrowed(stretch: Stretch, patterns: tuple[str, ...] | None) -> Iterator[Stretch]:
    if patterns is None:
        yield stretch
        return
    for pattern in patterns:
        if pattern.endswith("/*"):
            other = _below(pattern.removesuffix("/*"))
            low, high = max(stretch.low, other.low), min(stretch.high, other.high)
            if low < high:
                yield Stretch(low, high, stretch.visibility)
