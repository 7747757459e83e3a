"""Organisations from within: roles, teams, and who is in them."""

import pytest

from registry.catalog.catalog import Catalog
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.grants import GrantTarget
from registry.catalog.teams import Member, Membership, Team
from tests.catalog.conftest import REFUSED
from tests.catalog.plans import planned, scans


def test_members_and_their_roles(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada, bob = (tx.accounts.add_user(name, password=None).id for name in ("ada", "bob"))
        team, other = (tx.accounts.add_organization(name).id for name in ("team", "other"))
        tx.teams.set_member(team, bob, "member")
        tx.teams.set_member(team, ada, "owner")
        tx.teams.set_member(other, ada, "owner")
        with planned(catalog) as plan:
            assert tx.teams.members(team) == [Member("ada", "owner"), Member("bob", "member")]
            assert tx.teams.memberships(ada) == [Membership("other", "owner"), Membership("team", "owner")]
            assert tx.teams.owned_by(ada) == ["other", "team"]
            assert tx.teams.owned_by(bob) == []
        assert scans(plan) == []
        tx.teams.set_member(team, ada, "member")
        assert tx.teams.owned_by(ada) == ["other"]
        tx.teams.remove_member(other, ada)
        assert tx.teams.members(other) == []
        with pytest.raises(NotFound):
            tx.teams.remove_member(other, ada)


def test_there_are_two_roles(catalog: Catalog) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        ada, team = tx.accounts.add_user("ada", password=None), tx.accounts.add_organization("team")
        tx.teams.set_member(team.id, ada.id, "king")


def test_teams(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        team, other = (tx.accounts.add_organization(name).id for name in ("team", "other"))
        core = tx.teams.add(team, "core")
        assert core == Team(core.id, team, "team", "core")
        with pytest.raises(Conflict):
            tx.teams.add(team, "core")
        assert tx.teams.add(other, "core").id != core.id
        tx.teams.add(team, "a")
        with planned(catalog) as plan:
            assert tx.teams.get(team, "core") == core
            assert [found.name for found in tx.teams.page(team)] == ["a", "core"]
            assert [found.name for found in tx.teams.page(team, "a", 1)] == ["core"]
        assert scans(plan) == []
        with pytest.raises(NotFound):
            tx.teams.get(other, "a")


def test_who_is_in_a_team(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada, bob = (tx.accounts.add_user(name, password=None).id for name in ("ada", "bob"))
        core = tx.teams.add(tx.accounts.add_organization("team").id, "core").id
        for account in (bob, ada, ada):
            tx.teams.add_member(core, account)
        with planned(catalog) as plan:
            assert tx.teams.members_of(core) == ["ada", "bob"]
        assert scans(plan) == []
        tx.teams.remove_member_of(core, bob)
        assert tx.teams.members_of(core) == ["ada"]
        with pytest.raises(NotFound):
            tx.teams.remove_member_of(core, bob)


def test_whoever_leaves_an_organization_leaves_its_teams_and_no_others(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password=None).id
        organizations = [tx.accounts.add_organization(name).id for name in ("team", "other")]
        teams = [tx.teams.add(organization, "core").id for organization in organizations]
        for organization, team in zip(organizations, teams, strict=True):
            tx.teams.set_member(organization, ada, "member")
            tx.teams.add_member(team, ada)
        tx.teams.remove_member(organizations[0], ada)
        assert [tx.teams.members_of(team) for team in teams] == [[], ["ada"]]


def test_a_team_goes_with_its_grants(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password=None).id
        team = tx.accounts.add_organization("team").id
        core = tx.teams.add(team, "core").id
        tx.teams.add_member(core, ada)
        tx.grants.put(GrantTarget(team_id=core, namespace="team"), 1, by="ada")
        tx.teams.remove(core)
        assert tx.grants.of(ada).namespaces == {}
        assert tx.grants.page(0, 9) == []
        assert tx.teams.page(team) == []
        with pytest.raises(NotFound):
            tx.teams.remove(core)
