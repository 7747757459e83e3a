"""Comparing two tables: whatever both hold at first, walks make them the same, and then find nothing."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from registry.catalog.moving.move import WALKS
from registry.catalog.moving.rows import Differences, walk
from registry.catalog.moving.shapes import SHAPES, Row, Shape

SHAPE = next(shape for shape in SHAPES if shape.name == "repository")
TAGS = next(shape for shape in SHAPES if shape.name == "tag")
Table = dict[int, tuple[str, int]]
"""By its key, a value that no two rows share, and another one."""


def tables(most: int = 12) -> st.SearchStrategy[Table]:
    """Tables that keep their one rule."""
    names = st.lists(st.sampled_from("abcdefghijkl"), max_size=most, unique=True)
    keys = st.lists(st.integers(0, 15), min_size=most, max_size=most, unique=True)
    values = st.lists(st.integers(0, 1), min_size=most, max_size=most)
    return st.builds(lambda names, keys, values: dict(zip(keys, zip(names, values), strict=False)), names, keys, values)  # noqa: B905  # cut


class Target:
    """A table that refuses a row whose name another has, as PostgreSQL does with ON CONFLICT DO NOTHING."""

    def __init__(self, table: Table) -> None:
        self.table = dict(table)
        self.changes = 0

    def rows(self) -> Iterator[Row]:
        return iter([(key, *values) for key, values in sorted(self.table.items())])

    def replace(self, _shape: Shape, gone: list[Row], new: list[Row]) -> None:
        self.changes += 1
        for (key,) in gone:
            del self.table[key]
        for key, name, value in new:
            if all(name != other for other, _ in self.table.values()):
                self.table[key] = (name, value)


def batches(table: Table, size: int) -> list[list[Row]]:
    rows: list[Row] = [(key, *values) for key, values in sorted(table.items())]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def walked(source: Table, target: Target, size: int) -> Differences:
    return walk(SHAPE, batches(source, size), target.rows(), target.replace, lambda _: None)


@given(tables(), tables(), st.integers(1, 5))
def test_walks_end_with_nothing_different(source: Table, there: Table, size: int) -> None:
    target = Target(there)
    found = [walked(source, target, size) for _ in range(WALKS - 1)]
    assert target.table == source
    assert found[-1] == Differences(rows=len(source))


@given(tables(), tables(), st.integers(1, 5))
def test_a_walk_counts_what_differs(source: Table, there: Table, size: int) -> None:
    found = walked(source, Target(there), size)
    both = source.keys() & there.keys()
    assert found.missing == len(source.keys() - both)
    assert found.surplus == len(there.keys() - both)
    assert found.different == sum(source[key] != there[key] for key in both)
    assert (found.first is None) == (found.total == 0)


@given(tables(), st.integers(1, 5))
def test_what_is_the_same_is_not_touched(source: Table, size: int) -> None:
    target = Target(source)
    assert walked(source, target, size).total == 0
    assert target.changes == 0


def test_a_row_is_named_by_its_key() -> None:
    assert TAGS.told((1, "latest", 3)) == "the row with repository_id 1, name 'latest' of table tag"


def test_postgresql_is_asked_for_the_order_of_bytes() -> None:
    assert TAGS.keys_in_bytes == '"repository_id", "name" COLLATE "C"'
