"""`moorage token`, `grant`, `repo` and `explain`."""

import re

import pytest

from tests.cli.desk import Desk
from tests.cli.test_user import MOMENT

TOKEN = {
    "id",
    "owner",
    "kind",
    "label",
    "rights",
    "repositories",
    "state",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "last_used_from",
}
EVERYTHING = ["pull", "push", "create", "delete", "admin"]


@pytest.fixture(autouse=True)
def _world(desk: Desk) -> None:
    desk.add("ada")
    desk.ok("org", "add", "acme")
    desk.ok("robot", "add", "acme+ci")


def test_a_token_is_shown_once(desk: Desk) -> None:
    result = desk.ok("token", "create", "acme+ci")
    assert re.fullmatch(r"mrg_rob_[A-Za-z0-9_-]{43}\n", result.stdout)
    made, use = result.stderr.splitlines()
    assert re.fullmatch(rf"Made the token [0-9a-f]{{16}} of acme\+ci, good until {MOMENT.pattern}\.", made)
    assert use == ("Use it as the password: docker login -u acme+ci --password-stdin HOST. It is shown only now:")
    quiet = desk.ok("token", "create", "ada", "-q", "--expires", "never")
    assert re.fullmatch(r"mrg_pat_[A-Za-z0-9_-]{43}\n", quiet.stdout)
    assert quiet.stderr == ""
    document = desk.json("token", "create", "ada", "--label", "ci", "--rights", "read,push", "--repository", "acme/*")
    assert document.keys() == TOKEN | {"secret"}
    assert (document["rights"], document["repositories"]) == (["pull", "push"], ["acme/*"])
    for secret in (result.stdout, quiet.stdout, document["secret"]):
        for listing in ("token list --all", "audit list", "user show ada"):
            assert secret.strip() not in desk.ok(*listing.split(), "--json").output
        assert secret.strip() not in (desk.data / "audit.jsonl").read_text()


def test_tokens_are_listed_and_revoked(desk: Desk) -> None:
    first = desk.json("token", "create", "ada", "--expires", "never", "--label", "laptop")
    second = desk.json("token", "create", "acme+ci", "--expires", "1h", "--rights", "pull")
    rows = desk.json("token", "list")
    assert [(row["id"], row["owner"], row["kind"], row["state"]) for row in rows] == [
        (first["id"], "ada", "pat", "live"),
        (second["id"], "acme+ci", "robot", "live"),
    ]
    assert rows[0].keys() == TOKEN
    assert (rows[0]["rights"], rows[0]["repositories"], rows[0]["expires_at"]) == (EVERYTHING, ["*"], None)
    head, line = desk.ok("token", "list", "acme+ci").stdout.splitlines()
    assert re.split(r" {2,}", head)[:5] == ["ID", "OWNER", "KIND", "LABEL", "RIGHTS"]
    assert re.split(r" {2,}", line)[:5] == [second["id"], "acme+ci", "robot", "-", "pull"]
    assert desk.ok("token", "revoke", first["id"]).stderr == f"Revoked the token {first['id']} of ada.\n"
    assert desk.json("token", "revoke", second["secret"])["state"] == "revoked"
    assert desk.json("token", "list") == []
    gone = desk.json("token", "list", "--all")
    assert [row["state"] for row in gone] == ["revoked", "revoked"]
    assert MOMENT.fullmatch(gone[0]["revoked_at"])
    told = desk.refused("token", "revoke", "mrg_pat_" + "x" * 43)
    assert told.startswith("there is no token with that id") and "mrg_" not in told
    assert desk.ok("token", "create", "ada", "--expires", "never").stderr.count("good until it is revoked") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("ada", "--expires", "soon"), 2, "--expires takes a number and a unit out of s, m, h, d and w, such as 30d"),
        (("ada", "--expires", "30"), 2, "--expires takes a number and a unit"),
        (("ada", "--expires", "0d"), 1, "a token expires after 3650 days at the latest, and not at once"),
        (("ada", "--rights", "fly"), 2, "rights are one or more of pull, push, create, delete, admin, read, write"),
        (("ada", "--repository", "*"), 1, "a token is limited to repositories such as team/app"),
        (("acme+ci", "--expires", "never"), 1, "a robot's secret has to expire"),
        (("acme",), 1, "acme is an organisation, and nobody signs in as one"),
    ],
)
def test_tokens_that_cannot_be(desk: Desk, arguments: tuple[str, ...], status: int, sentence: str) -> None:
    assert desk.refused("token", "create", *arguments, status=status).startswith(sentence)


def test_grants(desk: Desk) -> None:
    desk.ok("repo", "create", "acme/app")
    assert desk.ok("grant", "add", "ada", "write", "acme").stderr == "ada has pull, push, create on acme/*.\n"
    document = desk.json("grant", "add", "acme+ci", "pull,push", "acme/app")
    assert document.keys() == {"subject", "kind", "target", "rights", "granted_at", "granted_by"}
    assert (document["subject"], document["kind"], document["rights"]) == ("acme+ci", "robot", ["pull", "push"])
    assert [row["subject"] for row in desk.json("grant", "list")] == ["ada", "acme+ci"]
    assert [row["subject"] for row in desk.json("grant", "list", "acme")] == ["ada"]
    head, line = desk.ok("grant", "list", "acme+ci").stdout.splitlines()
    assert re.split(r" {2,}", head) == ["SUBJECT", "RIGHTS", "TARGET", "GRANTED BY", "GRANTED AT"]
    assert re.split(r" {2,}", line)[:3] == ["acme+ci", "pull, push", "acme/app"]
    assert desk.ok("grant", "remove", "ada", "acme/").stderr == "ada has no grant on acme/ any more.\n"
    assert desk.refused("grant", "remove", "ada", "acme").startswith("nothing is granted to ada on acme itself")
    assert "rights are one or more of" in desk.refused("grant", "add", "ada", "fly", "acme", status=2)


def test_repositories(desk: Desk) -> None:
    made = desk.ok("repo", "create", "acme/app", "--visibility", "internal", "--description", "An app")
    assert made.stderr == "Created the internal repository acme/app.\n"
    row = desk.json("repo", "create", "acme/other")
    assert row == {
        "name": "acme/other",
        "visibility": "private",
        "description": "",
        "description_by": None,
        "pulls": 0,
        "pulled_at": None,
    }
    assert desk.json("repo", "list", "acme")[1] == row
    assert [each["name"] for each in desk.json("repo", "list")] == ["acme/app", "acme/other"]
    assert desk.ok("repo", "visibility", "acme/app", "public").stderr == "acme/app is public; it was internal.\n"
    assert desk.ok("repo", "describe", "acme/app", "The app").stderr == "Described acme/app.\n"
    desk.ok("grant", "add", "ada", "read", "acme")
    shown = desk.json("repo", "show", "acme/app")
    assert shown.keys() == row.keys() | {"grants"}
    assert (shown["visibility"], shown["description"], shown["description_by"]) == ("public", "The app", "operator")
    assert [grant["subject"] for grant in shown["grants"]] == ["ada"]
    assert "grants          ada pull (acme/*)\n" in desk.ok("repo", "show", "acme/app").stdout
    assert desk.ok("repo", "describe", "acme/app", "").stderr == "acme/app is described by its images.\n"
    assert desk.ok("repo", "list").stdout.splitlines()[1].split() == ["acme/app", "public", "0", "-", "-"]
    assert desk.refused("repo", "visibility", "acme/app", "open").startswith("a repository is public")


def test_explain(desk: Desk) -> None:
    desk.ok("repo", "create", "acme/app")
    no = desk.run("explain", "ada", "pull", "acme/app")
    assert (no.exit_code, no.stdout) == (
        1,
        "no: nothing gives ada pull on acme/app\n"
        "  acme/app is private\n"
        "To change that: an administrator can grant it: moorage grant add ada pull acme/app\n",
    )
    desk.ok("grant", "add", "ada", "read", "acme/app")
    yes = desk.run("explain", "ada", "pull", "acme/app")
    assert (yes.exit_code, yes.stdout) == (
        0,
        "yes: ada has pull on acme/app\n  acme/app is private\n  ada has pull on acme/app\n",
    )
    assert desk.json("explain", "ada", "pull", "acme/app") == {
        "allowed": True,
        "because": "ada has pull on acme/app",
        "facts": ["acme/app is private", "ada has pull on acme/app"],
        "advice": None,
    }
    token = desk.json("token", "create", "ada", "--rights", "push")["id"]
    limited = desk.run("explain", "ada", "pull", "acme/app", "--token", token)
    assert (limited.exit_code, limited.stdout.splitlines()[0]) == (1, "no: the token is limited to push")
    assert "there is no user nobody" in desk.refused("explain", "nobody", "pull", "acme/app", status=2)
    assert "the right is one of" in desk.refused("explain", "ada", "fly", "acme/app", status=2)
