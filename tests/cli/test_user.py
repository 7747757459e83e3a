"""`moorage user`: people, and where their passwords come from."""

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest

from auth.passwords import PasswordHasher
from registry.catalog.catalog import Catalog
from registry.parts import database_for
from registry.settings import load
from tests.cli.desk import PASSWORD, Desk
from tests.house.sources import ROOT

ROW = {"name", "administrator", "disabled", "created_at", "last_login_at", "last_login_network"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def signs_in(desk: Desk, name: str, password: str) -> bool:
    """Tell whether a password is the stored one."""
    settings, _ = load(None, {"storage": {"path": desk.data}})
    catalog = Catalog(database_for(settings))
    with catalog.read() as tx:
        stored = tx.accounts.get(name).password
    catalog.close()
    return stored is not None and PasswordHasher().verify(stored, password)


def test_a_user_with_a_password_from_standard_input(desk: Desk) -> None:
    result = desk.ok("user", "add", "ada", "--password-stdin", stdin=f"{PASSWORD}\r\n")
    assert (result.stdout, result.stderr) == ("", "Added the user ada.\n")
    assert signs_in(desk, "ada", PASSWORD)


def test_a_user_with_a_generated_password(desk: Desk) -> None:
    result = desk.ok("user", "add", "ada", "--generate", "--administrator")
    assert result.stderr == "Added the user ada, an administrator.\nThe password, which is shown only now:\n"
    assert signs_in(desk, "ada", result.stdout.removesuffix("\n"))
    quiet = desk.ok("user", "add", "bob", "--generate", "-q")
    assert quiet.stderr == ""
    assert signs_in(desk, "bob", quiet.stdout.removesuffix("\n"))
    document = desk.json("user", "add", "eve", "--generate")
    assert document.keys() == ROW | {"password"}
    assert signs_in(desk, "eve", document["password"])
    assert desk.json("user", "add", "kim", "--password-stdin", stdin=PASSWORD).keys() == ROW


def test_the_list(desk: Desk) -> None:
    desk.add("ada")
    rows = desk.json("user", "list")
    assert [(row["name"], row["administrator"], row["disabled"]) for row in rows] == [
        ("ada", False, False),
        ("admin", True, False),
    ]
    assert rows[0].keys() == ROW
    assert MOMENT.fullmatch(rows[0]["created_at"])
    head, ada, admin = desk.ok("user", "list").stdout.splitlines()
    assert head.split("  ")[0] == "NAME"
    assert re.split(r" {2,}", head) == [
        "NAME",
        "ADMINISTRATOR",
        "DISABLED",
        "CREATED AT",
        "LAST LOGIN AT",
        "LAST LOGIN NETWORK",
    ]
    assert re.split(r" {2,}", ada) == ["ada", "no", "no", rows[0]["created_at"], "-", "-"]
    assert admin.startswith("admin  yes ")


def test_a_user_with_all_that_is_theirs(desk: Desk) -> None:
    desk.add("ada")
    desk.ok("org", "add", "acme", "--owner", "ada")
    desk.ok("team", "add", "acme/devs")
    desk.ok("team", "member-add", "acme/devs", "ada")
    desk.ok("grant", "add", "ada", "read", "admin")
    token = desk.json("token", "create", "ada", "--label", "laptop")
    document = desk.json("user", "show", "ada")
    assert document["organizations"] == [{"organization": "acme", "role": "owner"}]
    assert document["teams"] == ["acme/devs"]
    assert [(grant["target"], grant["rights"]) for grant in document["grants"]] == [("admin/*", ["pull"])]
    assert [each["id"] for each in document["tokens"]] == [token["id"]]
    text = desk.ok("user", "show", "ada").stdout
    for line in (
        "organizations       acme owner",
        "teams               acme/devs",
        "grants              pull on admin/*",
        f"tokens              {token['id']} laptop",
    ):
        assert line in text.splitlines()


def test_a_password_is_changed_and_ends_logins(desk: Desk) -> None:
    desk.add("ada")
    result = desk.ok("user", "password", "ada", "--generate")
    assert (
        result.stderr == "Changed the password of ada; 0 docker logins ended.\nThe password, which is shown only now:\n"
    )
    assert signs_in(desk, "ada", result.stdout.strip())
    assert desk.ok("user", "password", "ada", "--password-stdin", stdin=PASSWORD).stdout == ""
    assert signs_in(desk, "ada", PASSWORD)
    quiet = desk.ok("user", "password", "ada", "--generate", "--quiet")
    assert (quiet.stderr, signs_in(desk, "ada", quiet.stdout.strip())) == ("", True)
    document = desk.json("user", "password", "ada", "--generate")
    assert (document["name"], document["logins_ended"]) == ("ada", 0)
    assert signs_in(desk, "ada", document["password"])


def test_people_come_and_go(desk: Desk) -> None:
    desk.add("ada")
    for command, told in (
        ("promote", "ada is an administrator."),
        ("demote", "ada is no administrator any more."),
        ("disable", "ada is shut out; tokens that were given out already are good for auth.token_lifetime at most."),
        ("enable", "ada may sign in."),
        ("remove", "Removed the user ada."),
    ):
        result = desk.ok("user", command, "ada")
        assert (result.stdout, result.stderr) == ("", f"{told}\n")
    for command in ("disable", "demote", "remove"):
        assert desk.refused("user", command, "admin").startswith("admin is the only administrator who can sign in")
    for command in ("show", "password", "enable", "promote"):
        assert desk.refused("user", command, "ada", *(["--generate"] if command == "password" else [])) == (
            "there is no user ada; `moorage user list` shows who there is"
        )


def test_passwords_that_cannot_be(desk: Desk) -> None:
    assert "12 to 1024 characters" in desk.refused("user", "add", "ada", "--password-stdin", stdin="short")
    both = desk.refused("user", "add", "ada", "--password-stdin", "--generate", status=2)
    assert both == "--password-stdin and --generate exclude each other"
    nobody = desk.refused("user", "add", "ada", status=2)
    assert nobody == "there is nobody to ask for the password; say --password-stdin or --generate"
    assert desk.json("user", "list")[0]["name"] == "admin"


def test_a_password_that_is_no_text(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "registry", "user", "add", "ada", "--password-stdin", "--data", str(desk.data)],
        input=b"\xff" * 12,
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"moorage: the password on standard input is not UTF-8\n"


def answered(desk: Desk, answers: list[str]) -> tuple[int, str]:
    """Run `user add ada` at a terminal, and answer each prompt; gives its status and all that was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "registry", "user", "add", "ada", "--data", str(desk.data)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for answer in [*answers, None]:
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 1000)
            except OSError:  # so a terminal says that nobody is at its other end
                break
            if answer is not None and shown.endswith(b": "):
                os.write(ours, f"{answer}\n".encode())
                break
    os.close(ours)
    return process.wait(60), shown.decode()


def test_at_a_terminal_a_password_is_asked_for_twice_and_never_shown(desk: Desk) -> None:
    status, shown = answered(desk, [PASSWORD, "something else now", PASSWORD, PASSWORD])
    assert status == 0, shown
    assert shown.count("Password: ") == shown.count("The same again: ") == 2
    assert "do not match" in shown
    assert PASSWORD not in shown
    assert signs_in(desk, "ada", PASSWORD)


def test_an_htpasswd_file(desk: Desk, tmp_path: Path) -> None:
    stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    file = tmp_path / "htpasswd"
    file.write_text(f"ada:{stored}\nbob:$apr1$x$y\nadmin:{stored}\n\xff:{stored}\n", encoding="latin-1")
    dry = desk.ok("user", "import", file, "--dry-run")
    assert dry.stderr == "Would add 1 of 4 users.\n"
    assert len(desk.json("user", "list")) == 1
    rows = desk.json("user", "import", file)
    assert [(row["line"], row["result"]) for row in rows] == [
        (1, "added"),
        (2, "skipped"),
        (3, "exists"),
        (4, "skipped"),
    ]
    assert rows[1].keys() == {"line", "name", "result", "reason"}
    assert signs_in(desk, "ada", PASSWORD)
    table = desk.ok("user", "import", file).stdout
    assert "left as it is" in table and stored not in table
    assert desk.refused("user", "import", tmp_path / "absent").endswith(
        "absent cannot be read: No such file or directory"
    )


@pytest.mark.parametrize("adopt", [False, True])
def test_repositories_that_are_there_are_adopted_when_that_is_said(desk: Desk, tmp_path: Path, adopt: bool) -> None:
    desk.ok("repo", "create", "ada/app")
    file = tmp_path / "htpasswd"
    file.write_text("ada:" + bcrypt.hashpw(b"x" * 12, bcrypt.gensalt(4)).decode())
    flags = ["--adopt"] if adopt else []
    (row,) = desk.json("user", "import", file, "--dry-run", *flags)
    assert row["result"] == ("added" if adopt else "skipped")
    assert desk.run("user", "add", "ada", "--generate", *flags).exit_code == (0 if adopt else 1)
