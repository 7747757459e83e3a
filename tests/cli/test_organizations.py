"""`moorage org`, `team` and `robot`."""

import pytest

from tests.cli.desk import Desk


@pytest.fixture(autouse=True)
def _people(desk: Desk) -> None:
    desk.add("ada", "bob")


def test_organizations(desk: Desk) -> None:
    assert desk.ok("org", "add", "acme", "--owner", "ada", "--owner", "bob").stderr == (
        "Added the organisation acme, owned by ada, bob.\n"
    )
    assert desk.ok("org", "add", "other").stderr == "Added the organisation other.\n"
    assert desk.json("org", "add", "third").keys() == {"name", "created_at"}
    assert [row["name"] for row in desk.json("org", "list")] == ["acme", "other", "third"]
    assert desk.ok("org", "list").stdout.split()[:4] == ["NAME", "CREATED", "AT", "acme"]
    assert desk.ok("org", "member-add", "acme", "bob").stderr == "bob is a member of acme.\n"
    assert desk.ok("org", "member-add", "other", "bob", "--role", "owner").stderr == "bob is an owner of other.\n"
    assert desk.ok("org", "member-remove", "other", "bob").stderr == "bob is in other no more.\n"
    assert desk.ok("org", "remove", "other").stderr == "Removed the organisation other.\n"
    assert desk.refused("org", "remove", "other").startswith("there is no organisation other")
    assert desk.refused("org", "member-add", "acme", "bob", "--role", "boss") == (
        "a member's role is owner or member; got boss"
    )
    desk.ok("team", "add", "acme/devs")
    desk.ok("robot", "add", "acme+ci")
    document = desk.json("org", "show", "acme")
    assert document.keys() == {"name", "created_at", "members", "teams", "robots"}
    assert document["members"] == [{"name": "ada", "role": "owner"}, {"name": "bob", "role": "member"}]
    assert (document["teams"], document["robots"]) == (["acme/devs"], ["acme+ci"])
    assert "members     ada owner, bob member\n" in desk.ok("org", "show", "acme").stdout


def test_teams(desk: Desk) -> None:
    desk.ok("org", "add", "acme", "--owner", "ada")
    desk.ok("org", "add", "other")
    assert desk.ok("team", "add", "acme/devs").stderr == "Added the team acme/devs.\n"
    assert desk.json("team", "add", "other/ops") == {"name": "other/ops", "members": []}
    assert desk.ok("team", "member-add", "acme/devs", "ada").stderr == "ada is in the team acme/devs.\n"
    assert desk.json("team", "list") == [
        {"name": "acme/devs", "members": ["ada"]},
        {"name": "other/ops", "members": []},
    ]
    assert desk.ok("team", "list", "other").stdout == "NAME       MEMBERS\nother/ops  -\n"
    assert desk.ok("team", "member-remove", "acme/devs", "ada").stderr == "ada is in the team acme/devs no more.\n"
    assert desk.ok("team", "remove", "acme/devs").stderr == "Removed the team acme/devs.\n"
    assert desk.refused("team", "member-add", "acme/devs", "bob").startswith("acme has no team devs")


def test_robots(desk: Desk) -> None:
    desk.ok("org", "add", "acme")
    assert desk.ok("robot", "add", "acme+ci").stderr == (
        "Added the robot acme+ci; next: moorage grant add acme+ci RIGHTS TARGET, moorage token create acme+ci\n"
    )
    assert desk.json("robot", "add", "acme+cd").keys() == {"name", "organization", "disabled", "created_at"}
    assert [row["name"] for row in desk.json("robot", "list", "acme")] == ["acme+cd", "acme+ci"]
    assert desk.ok("robot", "disable", "acme+ci").stderr == (
        "acme+ci is shut out; tokens that were given out already are good for auth.token_lifetime at most.\n"
    )
    assert [row["disabled"] for row in desk.json("robot", "list")] == [False, True]
    assert desk.ok("robot", "enable", "acme+ci").stderr == "acme+ci may sign in.\n"
    assert desk.ok("robot", "remove", "acme+cd").stderr == "Removed the robot acme+cd.\n"
    head, line = desk.ok("robot", "list").stdout.splitlines()
    assert (head.split()[:2], line.split()[:2]) == (["NAME", "DISABLED"], ["acme+ci", "no"])
