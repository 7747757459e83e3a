"""Grants: exactly one row for whom and on what, summed over an account and its teams."""

import pytest

from auth.policy import ALL, Right
from registry.catalog.catalog import Catalog, Transaction
from registry.catalog.grants import ADMINISTRATORS_SHOWN, GrantLine, Grants, GrantTarget
from registry.oci.names import RepositoryName
from tests.catalog.conftest import REFUSED, Clock
from tests.catalog.contents import NAME, OTHER
from tests.catalog.plans import planned, scans

PULL, PUSH, ADMIN = Right.PULL.value, Right.PUSH.value, Right.ADMIN.value


def people(tx: Transaction) -> tuple[int, int, int]:
    """Make ada, the organisation team, and its team core, which ada is in; give their ids."""
    ada, team = tx.accounts.add_user("ada", password=None).id, tx.accounts.add_organization("team").id
    core = tx.teams.add(team, "core").id
    tx.teams.add_member(core, ada)
    return ada, team, core


def test_rights_add_up_over_an_account_and_its_teams(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada, team, core = people(tx)
        edge = tx.teams.add(team, "edge").id
        repository = tx.repositories.ensure(NAME).id
        assert tx.grants.of(ada) == Grants({}, {})
        tx.grants.put(GrantTarget(account_id=ada, repository_id=repository), PULL, by="root")
        tx.grants.put(GrantTarget(team_id=core, repository_id=repository), PUSH, by="root")
        tx.grants.put(GrantTarget(team_id=core, namespace="team"), PULL, by="root")
        tx.grants.put(GrantTarget(account_id=ada, namespace="bob"), ALL.value, by="root")
        tx.grants.put(GrantTarget(team_id=edge, namespace="other"), ALL.value, by="root")
        with planned(catalog) as plan:
            assert tx.grants.of(ada) == Grants({"team": PULL, "bob": ALL.value}, {NAME.value: PULL | PUSH})
        assert scans(plan) == []


def test_a_grant_is_replaced_and_nothing_takes_it_away(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        ada, _, core = people(tx)
        repository = tx.repositories.ensure(NAME).id
        targets = [
            GrantTarget(account_id=ada, repository_id=repository),
            GrantTarget(account_id=ada, namespace="team"),
            GrantTarget(team_id=core, repository_id=repository),
            GrantTarget(team_id=core, namespace="team"),
        ]
        for rights in (PULL, PUSH):
            for target in targets:
                tx.grants.put(target, rights, by="root")
        assert [line.rights for line in tx.grants.page(0, 9)] == [PUSH] * 4
        for left, target in zip((3, 2, 1, 0, 0), [*targets, targets[0]], strict=True):
            tx.grants.put(target, 0, by="root")
            assert len(tx.grants.page(0, 9)) == left


@pytest.mark.parametrize(
    "target",
    [
        GrantTarget(),
        GrantTarget(account_id=1),
        GrantTarget(namespace="team"),
        GrantTarget(account_id=1, team_id=1, namespace="team"),
        GrantTarget(account_id=1, namespace="team", repository_id=1),
    ],
)
def test_a_grant_is_to_one_and_on_one(catalog: Catalog, target: GrantTarget) -> None:
    with catalog.begin() as tx:
        with pytest.raises(ValueError, match="exactly one"):
            tx.grants.put(target, PULL, by="root")
        with pytest.raises(ValueError, match="exactly one"):
            tx.grants.put(target, 0, by="root")


def test_the_database_says_so_too(catalog: Catalog) -> None:
    for columns in ("account_id, team_id, namespace", "account_id, namespace, repository_id"):
        with pytest.raises(REFUSED), catalog.begin() as tx:
            people(tx)
            tx.repositories.ensure(NAME)
            tx.grants._connection.exec_driver_sql(
                f"INSERT INTO access_grant ({columns}, rights, granted_at, granted_by) VALUES (1, 1, 1, 1, 0, '')"
            )


def test_who_has_rights_on_a_repository_and_its_namespace(catalog: Catalog, clock: Clock) -> None:
    with catalog.begin() as tx:
        ada, team, core = people(tx)
        robot = tx.accounts.add_robot(team, "team+ci").id
        repository, other = tx.repositories.ensure(NAME).id, tx.repositories.ensure(OTHER).id
        tx.grants.put(GrantTarget(account_id=ada, namespace="team"), PULL, by="root")
        tx.grants.put(GrantTarget(team_id=core, repository_id=repository), PUSH, by="ada")
        tx.grants.put(GrantTarget(account_id=robot, repository_id=repository), ADMIN, by="ada")
        tx.grants.put(GrantTarget(account_id=robot, repository_id=other), ADMIN, by="ada")
        with planned(catalog) as plan:
            lines = tx.grants.on(repository, "team")
            assert lines == [
                GrantLine(1, "ada", "user", "team/*", PULL, clock.now, "root"),
                GrantLine(2, "team/core", "team", "team/app", PUSH, clock.now, "ada"),
                GrantLine(3, "team+ci", "robot", "team/app", ADMIN, clock.now, "ada"),
            ]
            assert tx.grants.on(repository, None) == lines[1:]
            assert tx.grants.on(None, "team") == lines[:1]
            assert tx.grants.on(None, "other") == []
            assert [line.target for line in tx.grants.page(2, 9)] == ["team/app", "team/other"]
            assert tx.grants.page(1, 1) == lines[1:2]
        assert scans(plan) == []


def test_administrators_of_a_repository(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        team = tx.accounts.add_organization("team").id
        core = tx.teams.add(team, "core").id
        people = {name: tx.accounts.add_user(name, password=None).id for name in ("ann", "bob", "cy", "dan", "eve")}
        repository = tx.repositories.ensure(NAME).id
        other = tx.repositories.ensure(OTHER).id
        robot = tx.accounts.add_robot(team, "team+ci").id
        tx.teams.set_member(team, people["bob"], "owner")
        tx.teams.set_member(team, people["eve"], "member")
        tx.grants.put(GrantTarget(account_id=people["ann"], repository_id=repository), PULL | ADMIN, by="bob")
        tx.grants.put(GrantTarget(account_id=people["cy"], namespace="team"), ALL.value, by="bob")
        tx.grants.put(GrantTarget(account_id=people["dan"], repository_id=repository), PULL | PUSH, by="bob")
        tx.grants.put(GrantTarget(account_id=people["eve"], repository_id=other), ADMIN, by="bob")
        tx.grants.put(GrantTarget(account_id=robot, repository_id=repository), ADMIN, by="bob")
        tx.grants.put(GrantTarget(team_id=core, repository_id=repository), ADMIN, by="bob")
        with planned(catalog) as plan:
            assert tx.grants.administrators_of(NAME.value, "team") == ["ann", "bob", "cy"]
        assert scans(plan) == []
        tx.accounts.set_disabled(people["bob"], True)
        assert tx.grants.administrators_of(NAME.value, "team") == ["ann", "cy"]
        assert tx.grants.administrators_of("dan/app", "dan") == ["dan"]
        assert tx.grants.administrators_of("app", "") == []


def test_a_few_administrators_are_enough(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        repository = tx.repositories.ensure(RepositoryName.parse("team/app")).id
        for number in range(ADMINISTRATORS_SHOWN + 2):
            account = tx.accounts.add_user(f"user{number}", password=None).id
            tx.grants.put(GrantTarget(account_id=account, repository_id=repository), ADMIN, by="root")
        assert len(tx.grants.administrators_of("team/app", "team")) == ADMINISTRATORS_SHOWN
