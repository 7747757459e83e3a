"""Organisations, their members and teams, and robots."""

import pytest

from auth.policy import Right
from registry.accounts.errors import AccountsError
from tests.accounts.desk import ME, Desk


def test_an_organization_with_what_is_in_it(desk: Desk) -> None:
    desk.user("ada")
    desk.user("bob")
    assert desk.organizations.add("acme", ME, owners=["ada"]).kind == "organization"
    desk.organizations.set_member("acme", "bob", "member", ME)
    desk.teams.add("acme/devs", ME)
    desk.robots.add("acme+ci", ME)
    found = desk.organizations.show("acme")
    assert [(member.name, member.role) for member in found.members] == [("ada", "owner"), ("bob", "member")]
    assert (found.teams, found.robots) == (("acme/devs",), ("acme+ci",))
    desk.organizations.set_member("acme", "bob", "owner", ME)
    desk.organizations.remove_member("acme", "ada", ME)
    assert [(each.name, each.role) for each in desk.organizations.show("acme").members] == [("bob", "owner")]
    assert [each.name for each in desk.organizations.list()] == ["acme"]
    assert desk.trail() == [
        "org.add acme",
        "org.member ada is owner of acme",
        "org.member bob is member of acme",
        "team.add acme/devs",
        "robot.add acme+ci",
        "org.member bob is owner of acme",
        "org.member-remove ada of acme",
    ]


def test_an_organization_goes_with_all_of_its_own_but_not_with_images(desk: Desk) -> None:
    desk.organizations.add("acme", ME)
    desk.teams.add("acme/devs", ME)
    desk.robots.add("acme+ci", ME)
    desk.push("acme/app")
    with pytest.raises(AccountsError, match=r"acme still owns 1 repository with images .* delete the images first"):
        desk.organizations.remove("acme", ME)
    desk.delete_images("acme/app")
    desk.organizations.remove("acme", ME)
    assert (desk.organizations.list(), desk.robots.list(), desk.teams.list()) == ([], [], [])
    assert desk.trail()[-1] == "org.remove acme"


def test_an_organization_is_added_with_its_owners_or_not_at_all(desk: Desk) -> None:
    with pytest.raises(AccountsError, match="there is no user nobody"):
        desk.organizations.add("acme", ME, owners=["nobody"])
    assert (desk.organizations.list(), desk.trail()) == ([], [])


def test_members_are_users_with_one_of_two_roles(desk: Desk) -> None:
    desk.organizations.add("acme", ME)
    desk.user("ada")
    with pytest.raises(AccountsError) as refused:
        desk.organizations.set_member("acme", "ada", "Boss", ME)
    assert str(refused.value) == "a member's role is owner or member; got Boss"
    with pytest.raises(AccountsError, match="acme is an organisation, not a user"):
        desk.organizations.set_member("acme", "acme", "owner", ME)
    with pytest.raises(AccountsError) as refused:
        desk.organizations.remove_member("acme", "ada", ME)
    assert str(refused.value) == "ada is not in acme; `moorage org show acme` shows who is"
    for call in (desk.organizations.show, desk.robots.list, desk.teams.list):
        with pytest.raises(AccountsError) as refused:
            call("other")
        assert str(refused.value) == (
            "there is no organisation other; `moorage org list` shows them, `moorage org add` makes one"
        )


def test_teams_are_made_of_members(desk: Desk) -> None:
    desk.user("ada")
    desk.organizations.add("acme", ME)
    desk.organizations.add("other", ME)
    assert desk.teams.add("acme/devs", ME).members == ()
    desk.teams.add("other/ops", ME)
    with pytest.raises(AccountsError) as refused:
        desk.teams.add_member("acme/devs", "ada", ME)
    assert str(refused.value) == "ada is not in acme, so not in its teams; first: moorage org member-add acme ada"
    desk.organizations.set_member("acme", "ada", "member", ME)
    desk.teams.add_member("acme/devs", "ada", ME)
    assert [(team.name, team.members) for team in desk.teams.list()] == [("acme/devs", ("ada",)), ("other/ops", ())]
    assert [team.name for team in desk.teams.list("other")] == ["other/ops"]
    desk.teams.remove_member("acme/devs", "ada", ME)
    with pytest.raises(AccountsError) as refused:
        desk.teams.remove_member("acme/devs", "ada", ME)
    assert str(refused.value) == "ada is not in the team acme/devs; `moorage team list acme` shows who is"
    desk.teams.remove("acme/devs", ME)
    assert desk.teams.list("acme") == []
    assert desk.trail()[-3:] == [
        "team.member ada is in acme/devs",
        "team.member-remove ada of acme/devs",
        "team.remove acme/devs",
    ]


@pytest.mark.parametrize("name", ["devs", "acme/", "acme/a/b", "/devs"])
def test_a_team_is_written_with_its_organization(desk: Desk, name: str) -> None:
    with pytest.raises(AccountsError):
        desk.teams.add(name, ME)
    desk.organizations.add("acme", ME)
    with pytest.raises(AccountsError, match=r"a team is written ORGANISATION/TEAM|there is no organisation"):
        desk.teams.remove(name, ME)


def test_a_team_is_made_once_and_told_where_it_is_not(desk: Desk) -> None:
    desk.organizations.add("acme", ME)
    desk.teams.add("acme/devs", ME)
    with pytest.raises(AccountsError) as refused:
        desk.teams.add("acme/devs", ME)
    assert str(refused.value) == "there is a team acme/devs already"
    with pytest.raises(AccountsError, match="lower-case"):
        desk.teams.add("acme/DEVS", ME)
    with pytest.raises(AccountsError) as refused:
        desk.teams.remove("acme/ops", ME)
    assert str(refused.value) == "acme has no team ops; `moorage team list acme` shows its teams"


def test_robots_come_and_go_and_are_shut_out(desk: Desk) -> None:
    for name in ("acme", "other"):
        desk.organizations.add(name, ME)
    assert desk.robots.add("acme+ci", ME).organization == "acme"
    desk.robots.add("other+ci", ME)
    assert [robot.name for robot in desk.robots.list()] == ["acme+ci", "other+ci"]
    assert [robot.name for robot in desk.robots.list("acme")] == ["acme+ci"]
    desk.robots.disable("acme+ci", ME)
    assert desk.robots.list("acme")[0].disabled
    desk.robots.enable("acme+ci", ME)
    assert not desk.robots.list("acme")[0].disabled
    desk.robots.remove("acme+ci", ME)
    assert desk.robots.list("acme") == []
    assert desk.trail()[-3:] == ["robot.disable acme+ci", "robot.enable acme+ci", "robot.remove acme+ci"]


def test_robots_that_cannot_be(desk: Desk) -> None:
    desk.user("ada")
    desk.organizations.add("acme", ME)
    desk.robots.add("acme+ci", ME)
    with pytest.raises(AccountsError, match=r"a robot is called ORGANISATION\+NAME"):
        desk.robots.add("ci", ME)
    with pytest.raises(AccountsError, match="ada is a user, not an organisation"):
        desk.robots.add("ada+ci", ME)
    with pytest.raises(AccountsError) as refused:
        desk.robots.add("acme+ci", ME)
    assert str(refused.value) == "there is a robot acme+ci already"
    with pytest.raises(AccountsError) as refused:
        desk.robots.remove("acme+cd", ME)
    assert str(refused.value) == (
        "there is no robot acme+cd; `moorage robot list` shows them, `moorage robot add` makes one"
    )


def test_long_lists_are_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.accounts.lookup.PAGE", 2)
    monkeypatch.setattr("registry.accounts.grants.PAGE", 2)
    names = [f"user{number}" for number in range(5)]
    for name in names:
        desk.user(name)
        desk.push(f"{name}/app")
    desk.organizations.add("acme", ME)
    for name in names:
        desk.teams.add(f"acme/{name}", ME)
        desk.grants.put(name, Right.PULL, "acme", ME)
    assert [account.name for account in desk.people.list()] == names
    assert [team.name for team in desk.teams.list()] == [f"acme/{name}" for name in names]
    assert [each.name.value for each in desk.repositories.list()] == [f"{name}/app" for name in names]
    assert [line.subject for line in desk.grants.list()] == names
    for number in range(3):
        desk.push(f"user0/more{number}")
    with pytest.raises(AccountsError, match="user0 still owns 2 repositories or more with images"):
        desk.people.remove("user0", ME)
