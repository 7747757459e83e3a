"""Accounts: one set of names for users, organisations and robots, and nothing left behind by one that is removed."""

import pytest
from sqlalchemy import func, select

from registry.catalog import tables
from registry.catalog.accounts import Account
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.errors import Conflict, NotFound
from registry.catalog.grants import GrantTarget
from tests.catalog.conftest import REFUSED, Clock
from tests.catalog.contents import NAME
from tests.catalog.plans import planned, scans


def test_a_user(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password="hash")
        assert ada == Account(ada.id, "ada", "user", None, False, "hash", False, clock.now, None, None)
        assert tx.accounts.get("ada") == tx.accounts.by_id(ada.id) == ada
        assert tx.accounts.add_user("root", password=None, administrator=True).administrator


def test_a_robot_belongs_to_an_organization(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        team = tx.accounts.add_organization("team")
        other = tx.accounts.add_organization("other")
        robot = tx.accounts.add_robot(team.id, "team+ci")
        assert (team.kind, team.organization, team.password) == ("organization", None, None)
        assert (robot.kind, robot.organization, robot.name) == ("robot", "team", "team+ci")
        assert tx.accounts.robots(team.id) == [robot]
        assert tx.accounts.robots(other.id) == []


def test_all_kinds_share_one_set_of_names(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password="first")
        team = tx.accounts.add_organization("team")
        with pytest.raises(Conflict, match="ada"):
            tx.accounts.add_user("ada", password="second")
        with pytest.raises(Conflict):
            tx.accounts.add_organization("ada")
        with pytest.raises(Conflict):
            tx.accounts.add_user("team", password=None)
        with pytest.raises(Conflict):
            tx.accounts.add_robot(team.id, "ada")
        assert tx.accounts.get("ada") == ada


def test_a_robot_of_no_organization_is_refused(catalog: Catalog) -> None:
    with pytest.raises(REFUSED), catalog.begin() as tx:
        tx.accounts.add_robot(999, "team+ci")


@pytest.mark.parametrize("name", ["nobody", "ADA", ""])
def test_who_is_not_there_is_told(catalog: Catalog, name: str) -> None:
    with catalog.begin() as tx:
        tx.accounts.add_user("ada", password=None)
        with pytest.raises(NotFound):
            tx.accounts.get(name)


def test_changes(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password="old").id
        bob = tx.accounts.add_user("bob", password="old")
    clock.now += 5
    with catalog.begin() as tx:
        tx.accounts.set_password(ada, "new")
        tx.accounts.set_disabled(ada, True)
        tx.accounts.set_administrator(ada, True)
        tx.accounts.note_login(ada, "192.0.2.0/24")
        found = tx.accounts.get("ada")
        assert (found.password, found.disabled, found.administrator) == ("new", True, True)
        assert (found.login_at, found.login_network) == (clock.now, "192.0.2.0/24")
        tx.accounts.set_disabled(ada, False)
        tx.accounts.set_administrator(ada, False)
        tx.accounts.set_password(ada, None)
        found = tx.accounts.get("ada")
        assert (found.password, found.disabled, found.administrator) == (None, False, False)
        assert tx.accounts.get("bob") == bob


def test_who_is_not_there_cannot_be_changed(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        for change in (
            lambda: tx.accounts.set_password(9, "x"),
            lambda: tx.accounts.set_disabled(9, True),
            lambda: tx.accounts.set_administrator(9, True),
            lambda: tx.accounts.note_login(9, "x"),
            lambda: tx.accounts.remove(9),
            lambda: tx.accounts.by_id(9),
        ):
            with pytest.raises(NotFound):
                change()


def test_pages(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        team = tx.accounts.add_organization("b-team")
        tx.accounts.add_robot(team.id, "b-team+ci")
        for name in ("d", "c", "a"):
            tx.accounts.add_user(name, password=None)
        with planned(catalog) as plan:
            assert [found.name for found in tx.accounts.page("user", "", 2)] == ["a", "c"]
            assert [found.name for found in tx.accounts.page("user", "c", 2)] == ["d"]
            assert [found.name for found in tx.accounts.page("robot", "", 9)] == ["b-team+ci"]
            assert [found.name for found in tx.accounts.page(None, "a", 3)] == ["b-team", "b-team+ci", "c"]
        assert scans(plan) == []


def everything(tx: Transaction) -> dict[str, int]:
    """Count the rows that accounts are in."""
    names = ("account", "team", "team_member", "organization_member", "access_grant", "credential", "repository")
    connection = tx.accounts._connection
    counts = {name: select(func.count()).select_from(tables.metadata.tables[name]) for name in names}
    return {name: connection.execute(query).scalar_one() for name, query in counts.items()}


def test_an_organization_goes_with_all_that_is_its_own(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada = tx.accounts.add_user("ada", password=None)
        repository = tx.repositories.ensure(NAME)
        before = everything(tx)
        team = tx.accounts.add_organization("team")
        robot = tx.accounts.add_robot(team.id, "team+ci")
        core = tx.teams.add(team.id, "core")
        tx.teams.set_member(team.id, ada.id, "owner")
        tx.teams.add_member(core.id, ada.id)
        tx.credentials.add("0" * 16, robot.id, "robot", secret_hash="h")
        tx.grants.put(GrantTarget(account_id=robot.id, repository_id=repository.id), 1, by="ada")
        tx.grants.put(GrantTarget(team_id=core.id, repository_id=repository.id), 1, by="ada")
        tx.grants.put(GrantTarget(account_id=ada.id, namespace="team"), 1, by="ada")
        tx.accounts.remove(team.id)
        assert everything(tx) == before


def test_a_user_goes_and_others_stay_as_they_are(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        bob = tx.accounts.add_user("bob", password=None)
        team = tx.accounts.add_organization("team")
        core = tx.teams.add(team.id, "core")
        tx.teams.set_member(team.id, bob.id, "owner")
        tx.teams.add_member(core.id, bob.id)
        tx.credentials.add("0" * 16, bob.id, "pat", secret_hash="h")
        tx.grants.put(GrantTarget(account_id=bob.id, namespace="team"), 1, by="root")
        before = everything(tx)
        ada = tx.accounts.add_user("ada", password=None)
        tx.teams.set_member(team.id, ada.id, "member")
        tx.teams.add_member(core.id, ada.id)
        tx.credentials.add("1" * 16, ada.id, "pat", secret_hash="i")
        tx.grants.put(GrantTarget(account_id=ada.id, namespace="team"), 1, by="root")
        tx.grants.put(GrantTarget(account_id=bob.id, namespace="ada"), 1, by="ada")
        tx.accounts.remove(ada.id)
        assert everything(tx) == before
        # Whoever takes the name next takes nothing else.
        again = tx.accounts.add_user("ada", password=None)
        assert again.id != ada.id
        assert tx.grants.of(bob.id).namespaces == {"team": 1}
