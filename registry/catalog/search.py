"""Search: repositories by parts of their names and descriptions, through an index of trigrams.

`auth.policy` says who finds what: a line is given only if the reach covers it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, exists, func, insert, literal, select

from auth.policy import Place, Reach, Visibility
from registry.catalog import tables, visible
from registry.catalog.trigrams import trigrams

TERM_LIMIT = 100
"""Characters of a term that count."""

LEAST_OVERLAP = 0.3
"""The part of a term's trigrams that a repository has to share; a typing mistake spoils three of them."""

_row, _trigram = tables.repository, tables.repository_trigram

_lines = select(_row.c.name, _row.c.description, _row.c.pulls, _row.c.visibility).where(
    exists().where(tables.manifest.c.repository_id == _row.c.id)
)
_hits = (
    select(_trigram.c.repository_id, func.count().label("overlap"))
    .where(_trigram.c.trigram.in_(bindparam("trigrams", expanding=True)))
    .group_by(_trigram.c.repository_id)
    .having(func.count() >= bindparam("least"))
    .subquery("hits")
)
_slashed = literal("/").concat(_row.c.name)
_rank = case(
    (_row.c.name == bindparam("term"), 0),
    (_slashed.like(bindparam("component"), escape="\\"), 1),
    (_slashed.like(bindparam("beginning"), escape="\\"), 2),
    else_=3,
)
_find = _lines.join(_hits, _hits.c.repository_id == _row.c.id).order_by(
    _rank, _hits.c.overlap.desc(), _row.c.pulls.desc(), _row.c.name
)
_popular = _lines.order_by(_row.c.pulls.desc(), _row.c.name).limit(bindparam("limit"))
_popular_so = _popular.where(_row.c.visibility == bindparam("visibility"))
_popular_in = _popular.where(_row.c.name > bindparam("low"), _row.c.name < bindparam("high"))
_popular_so_in = _popular_so.where(_row.c.name > bindparam("low"), _row.c.name < bindparam("high"))
_popular_named = _popular.where(_row.c.name.in_(bindparam("names", expanding=True)))


@dataclass(frozen=True, slots=True)
class Found:
    """A repository that a search found."""

    name: str
    description: str
    pulls: int


class SearchIndex:
    """The search index, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def index(self, repository_id: int, name: str, description: str) -> None:
        """Let a repository be found by its name and description as they are now, and by nothing else."""
        self._connection.execute(delete(_trigram).where(_trigram.c.repository_id == repository_id))
        rows = [{"trigram": part, "repository_id": repository_id} for part in trigrams(name, description)]
        self._connection.execute(insert(_trigram), rows)

    def find(self, term: str, reach: Reach, limit: int) -> list[Found]:
        """List up to `limit` covered repositories that hold a manifest and fit a term, the best first.

        Best is the whole name, then its last part, then the beginning of a part, then the more of the term's trigrams
        are in name and description; then the more pulls. An empty term fits all; LIKE's wildcards mean themselves.
        """
        term = term.strip().lower()[:TERM_LIMIT]
        if not term:
            return self._popular(reach, limit)
        term = term.replace("\0", "\ufffd")  # which PostgreSQL takes, and no name has either
        parts = trigrams(term)
        parameters = {
            "trigrams": sorted(parts),
            "least": ceil(LEAST_OVERLAP * len(parts)),
            "term": term,
            "component": f"%/{_literal(term)}",
            "beginning": f"%/{_literal(term)}%",
        }
        with self._connection.execute(_find, parameters) as rows:
            return list(islice(_covered(rows, reach), limit))

    def _popular(self, reach: Reach, limit: int) -> list[Found]:
        found = {line for rows in self._most_pulled(reach, limit) for line in _covered(rows, reach)}
        return sorted(found, key=lambda line: (-line.pulls, line.name))[:limit]

    def _most_pulled(self, reach: Reach, limit: int) -> Iterator[Iterable[Row[*tuple[Any, ...]]]]:
        for stretch in visible.stretches(reach):
            if stretch.low:
                query = _popular_so_in if stretch.visibility else _popular_in
                yield self._connection.execute(query, {**stretch.parameters(), "limit": limit})
                continue
            for visibility in [stretch.visibility] if stretch.visibility else [each.value for each in Visibility]:
                yield self._connection.execute(_popular_so, {"visibility": visibility, "limit": limit})
        names = visible.names(reach)
        for start in range(0, len(names), visible.MANY):
            some = {"names": names[start : start + visible.MANY], "limit": visible.MANY}
            yield self._connection.execute(_popular_named, some)


def _covered(rows: Iterable[Row[*tuple[Any, ...]]], reach: Reach) -> Iterator[Found]:
    for row in rows:
        if reach.covers(Place(row.name, Visibility(row.visibility))):
            yield Found(row.name, row.description, row.pulls)


def _literal(term: str) -> str:
    """Take the meaning from what LIKE takes for more than itself."""
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
