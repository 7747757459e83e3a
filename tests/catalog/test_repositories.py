"""Repositories: made once, private unless somebody says otherwise, described, and counted."""

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.repositories import Repository
from registry.oci.names import RepositoryName
from tests.catalog.conftest import REFUSED, Clock
from tests.catalog.contents import NAME, OTHER
from tests.catalog.plans import planned, scans


def test_what_is_pushed_to_is_private_and_stays_what_it_is(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        made = tx.repositories.ensure(NAME)
        assert made == Repository(made.id, NAME, "private", "", "", 0, None)
        assert tx.repositories.ensure(OTHER, "internal").visibility == "internal"
        assert tx.repositories.ensure(NAME, "public") == made


def test_a_repository_is_created_once(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        made = tx.repositories.create(NAME, "public")
        assert (made.name, made.visibility) == (NAME, "public")
        assert tx.repositories.get(NAME) == made
        with pytest.raises(Conflict):
            tx.repositories.create(NAME, "private")
        assert tx.repositories.get(NAME) == made


def test_a_place_is_a_visibility_or_nothing(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        made = tx.repositories.create(NAME, "public")
        with planned(catalog) as plan:
            assert tx.repositories.place(NAME.value) == "public"
            assert tx.repositories.place(OTHER.value) is None
        assert scans(plan) == []
        tx.repositories.set_visibility(made.id, "private")
        assert tx.repositories.place(NAME.value) == "private"
        with pytest.raises(NotFound):
            tx.repositories.set_visibility(made.id + 1, "public")


def test_there_are_three_visibilities_and_two_sources_of_a_description(catalog: Catalog) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.repositories.create(NAME, "secret")
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.repositories.describe(tx.repositories.ensure(NAME).id, "text", "rumour")


def test_a_description_is_written_once(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        made = tx.repositories.ensure(NAME)
        tx.repositories.describe(made.id, "The tide table.", "annotation")
        found = tx.repositories.get(NAME)
        assert (found.description, found.description_by) == ("The tide table.", "annotation")
        with planned(catalog) as plan:
            tx.repositories.describe(made.id, "The tide table.", "annotation")
        assert len(plan) == 1, "nothing is written where nothing changes"
        tx.repositories.describe(made.id, "The tide table.", "operator")
        assert tx.repositories.get(NAME).description_by == "operator"
        with pytest.raises(NotFound):
            tx.repositories.describe(made.id + 1, "x", "operator")


def test_pulls_are_added_up_and_the_latest_stays(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        tx.repositories.ensure(NAME)
        tx.repositories.ensure(OTHER)
        tx.repositories.count_pulls([])
        with planned(catalog) as plan:
            tx.repositories.count_pulls([(NAME.value, 3, clock.now), ("gone/away", 1, clock.now)])
        assert scans(plan) == []
        tx.repositories.count_pulls([(NAME.value, 2, clock.now - 5), (OTHER.value, 1, 7)])
        counts = [(found.pulls, found.pulled_at) for found in map(tx.repositories.get, (NAME, OTHER))]
        assert counts == [(5, clock.now), (1, 7)]


def test_all_are_listed_the_empty_ones_too_and_those_of_a_namespace_alone(catalog: Catalog) -> None:
    names = ["team", "team-b/x", "team/a", "team/a/b", "team0", "teamwork/x"]
    with catalog.begin() as tx:
        made = [tx.repositories.create(RepositoryName.parse(name), "public") for name in names]
        assert tx.repositories.listed("", 100) == made
        assert tx.repositories.listed("team/a", 2) == made[3:5]
        assert tx.repositories.listed("", 100, "team") == made[2:4]
        assert tx.repositories.listed("team/a", 100, "team") == made[3:4]
        assert tx.repositories.listed("teamwork", 100, "team") == []
        assert tx.repositories.listed("", 100, "nobody") == []
