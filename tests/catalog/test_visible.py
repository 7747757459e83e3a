"""What a reach covers: lists, searches and holders agree with the policy, and none of them walks a table."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from auth.policy import ALL, ANONYMOUS, Holder, Kind, Limits, Place, Reach, Right, Visibility, reach
from registry.catalog import schema, visible
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.engine import connect
from registry.catalog.errors import NotFound
from registry.oci.names import RepositoryName
from storage.digest import Digest
from tests.catalog.contents import add_blob, add_repository
from tests.catalog.plans import planned, scans

SHARED = Digest.of(b"shared")
NAMES = ("a", "b", "a/a", "a/b", "a/b/c", "a-b/a", "a.b/a", "a0/a", "aa/a", "aa/b", "b/a", "b/a/a", "b/b", "z/z")
PATTERNS = (*NAMES, "a/*", "a/b/*", "aa/*", "b/*", "nowhere/*", "nowhere", "*", "")
EVERYTHING = reach(Holder("root", Kind.USER, administrator=True))
ADA = reach(Holder("ada", Kind.USER, namespaces={"a": Right.PULL}, repositories={"b/b": Right.PULL}))
ROBOT = reach(Holder("a+ci", Kind.ROBOT, namespaces={"a": ALL}, limits=Limits(Right.PULL, ("a/b", "a/b/*", "b/*"))))


def full(name: str, visibility: Visibility) -> str:
    """Give a name of which there is one in each visibility."""
    return f"{name}-{visibility.value}"


@pytest.fixture(scope="module")
def places(fast_directory: Path) -> Iterator[tuple[Catalog, list[Place], set[str]]]:
    """A catalog of each name in each visibility, what is in it, and which of them hold the shared blob."""
    database = connect(f"sqlite:///{fast_directory / uuid.uuid4().hex}", pool_size=2)
    schema.upgrade(database, fast_directory / uuid.uuid4().hex)
    catalog = Catalog(database)
    found: list[Place] = []
    with catalog.begin() as tx:
        for name in NAMES:
            for visibility in Visibility:
                add_repository(tx, full(name, visibility), visibility.value)
                found.append(Place(full(name, visibility), visibility))
        tx.repositories.create(RepositoryName.parse("a/empty"), "public")
        for place in found[::2]:
            add_blob(tx, b"shared", name=RepositoryName.parse(place.name))
    yield catalog, found, {place.name for place in found[::2]}
    database.close()


full_names = st.builds(full, st.sampled_from(NAMES), st.sampled_from(list(Visibility)))
limits = st.builds(
    Limits,
    st.sampled_from([ALL, Right.PULL, Right.PUSH, Right.ADMIN, Right(0)]),
    st.none() | st.lists(full_names | st.sampled_from(PATTERNS), max_size=4).map(tuple),
)
reaches = st.builds(
    Reach,
    everything=st.booleans(),
    public=st.booleans(),
    internal=st.booleans(),
    namespaces=st.frozensets(st.sampled_from(["a", "b", "aa", "a-b", "a.b", "z", "none"])),
    repositories=st.frozensets(full_names),
    limits=limits,
)


@settings(max_examples=200, deadline=None)
@given(reached=reaches, limit=st.integers(1, 12))
def test_lists_are_what_the_policy_says_in_order(
    places: tuple[Catalog, list[Place], set[str]], reached: Reach, limit: int
) -> None:
    catalog, there, _ = places
    listed: list[str] = []
    with catalog.read() as tx:
        while found := tx.repositories.visible(reached, listed[-1] if listed else "", limit):
            assert len(found) <= limit
            listed += found
    assert listed == sorted(place.name for place in there if reached.covers(place))


@settings(max_examples=100, deadline=None)
@given(reached=reaches, term=st.sampled_from(["", "a", "b", "public", "private"]))
def test_searches_find_what_the_policy_says(
    places: tuple[Catalog, list[Place], set[str]], reached: Reach, term: str
) -> None:
    catalog, there, _ = places
    covered = {place.name for place in there if reached.covers(place)}
    with catalog.read() as tx:
        everything = {found.name for found in tx.search.find(term, EVERYTHING, 100)}
        assert {found.name for found in tx.search.find(term, reached, 100)} == everything & covered
    assert term or everything == {place.name for place in there}


@settings(max_examples=100, deadline=None)
@given(reached=reaches, many=st.sampled_from([1, 5, 500]))
def test_a_holder_is_found_where_there_is_one(
    places: tuple[Catalog, list[Place], set[str]], reached: Reach, many: int
) -> None:
    catalog, there, holding = places
    allowed = {place.name for place in there if place.name in holding and reached.covers(place)}
    with pytest.MonkeyPatch.context() as patch, catalog.read() as tx:
        # As if each blob were held by many, so that every way of looking is gone.
        patch.setattr(visible, "MANY", many)
        patch.setattr(visible, "_first_holders", visible._first_holders.limit(many))
        try:
            found = {tx.repositories.get(RepositoryName.parse(name)).id for name in allowed}
            assert tx.repositories.visible_holder(SHARED, reached) in found
        except NotFound:
            assert not allowed


def test_a_blob_that_nobody_holds_has_no_holder(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        with pytest.raises(NotFound):
            tx.repositories.visible_holder(SHARED, EVERYTHING)
        add_blob(tx, b"shared")
        assert tx.repositories.visible_holder(SHARED, EVERYTHING) == 1
        with pytest.raises(NotFound):
            tx.repositories.visible_holder(SHARED, reach(ANONYMOUS))
        tx.journal._connection.execute(text("UPDATE blob SET state = 'deleting'"))
        with pytest.raises(NotFound):
            tx.repositories.visible_holder(SHARED, EVERYTHING)


@contextmanager
def steps(tx: Transaction) -> Iterator[list[None]]:
    """Count, in tens, the steps of SQLite's machine that a block takes."""
    raw = tx.journal._connection.connection.driver_connection
    assert raw is not None
    counted: list[None] = []
    raw.set_progress_handler(lambda: counted.append(None), 10)
    yield counted
    raw.set_progress_handler(None, 0)


def test_a_blob_that_half_the_registry_holds_is_found_next_door(catalog: Catalog) -> None:
    """The caller's own repository is the last of very many, and all others are hidden."""
    with catalog.begin() as tx:
        for number in range(5 * visible.MANY):
            tx.blobs.link(tx.repositories.ensure(RepositoryName.parse(f"other/{number}")).id, add_blob(tx, b"shared"))
        add_blob(tx, b"shared", name=RepositoryName.parse("a/mine"))
    with catalog.read() as tx:
        mine = tx.repositories.get(RepositoryName.parse("a/mine")).id
        with steps(tx) as counted:
            assert tx.repositories.visible_holder(SHARED, reach(Holder("a", Kind.ROBOT, namespaces={"a": ALL}))) == mine
    assert len(counted) < 2 * visible.MANY, "more than the first of them were looked at"


def test_of_a_large_stretch_and_fewer_holders_the_holders_are_looked_at(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible, "MANY", 10)
    monkeypatch.setattr(visible, "_first_holders", visible._first_holders.limit(10))
    with catalog.begin() as tx:
        for number in range(20):
            add_blob(tx, b"shared", name=RepositoryName.parse(f"other/{number}"))
        for number in range(1000):
            tx.repositories.create(RepositoryName.parse(f"a/{number:04}"), "public")
    with catalog.read() as tx, steps(tx) as counted, pytest.raises(NotFound):
        tx.repositories.visible_holder(SHARED, reach(ANONYMOUS))
    assert len(counted) < 600, "all that is public was looked at"


@pytest.mark.parametrize("reached", [ADA, ROBOT, reach(ANONYMOUS)], ids=["user", "robot", "anonymous"])
def test_nobody_but_an_administrator_walks_a_table(
    places: tuple[Catalog, list[Place], set[str]], reached: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, _, _ = places
    monkeypatch.setattr(visible, "MANY", 1)
    monkeypatch.setattr(visible, "_first_holders", visible._first_holders.limit(1))
    with catalog.read() as tx, planned(catalog) as plan:
        assert tx.repositories.visible(reached, "", 100)
        assert tx.search.find("", reached, 100)
        assert tx.search.find("public", reached, 100)
        tx.repositories.visible_holder(SHARED, reached)
    assert scans(plan) == []
    for index in ("visibility=? AND name>? AND name<?", "ix_repository_visibility_pulls (visibility=?)"):
        assert any(index in line for line in plan), index


def test_an_administrator_reads_in_order_and_stops(places: tuple[Catalog, list[Place], set[str]]) -> None:
    catalog, _, _ = places
    with catalog.read() as tx:
        with planned(catalog) as plan:
            assert tx.repositories.visible(EVERYTHING, "a", 5) == tx.repositories.page("a", 5)
        assert not [line for line in plan if "TEMP B-TREE" in line]
        assert scans(plan) == []


def test_far_more_namespaces_than_a_union_takes(catalog: Catalog) -> None:
    many = {f"n{number:04}": ALL for number in range(1500)}
    singles = {f"s/r{number:04}": ALL for number in range(1500)}
    with catalog.begin() as tx:
        for name in ("n0007/x", "n1400/x", "s/r0003", "s/r1499", "t/hidden"):
            add_repository(tx, name)
        reached = reach(Holder("a+ci", Kind.ROBOT, namespaces=many, repositories=singles))
        assert tx.repositories.visible(reached, "", 100) == ["n0007/x", "n1400/x", "s/r0003", "s/r1499"]
        assert tx.repositories.visible(reached, "n0007/x", 2) == ["n1400/x", "s/r0003"]
        assert len(tx.search.find("", reached, 100)) == 4
