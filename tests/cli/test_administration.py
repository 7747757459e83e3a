"""What holds for all commands that administer: where the data is, what is refused, keys, the trail, the output."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from registry.cli import app
from registry.cli.output import cell
from registry.cli.times import read_moment
from tests.cli.desk import Desk
from tests.house.sources import ROOT

GROUPS = ("user", "org", "team", "robot", "token", "repo", "grant", "key", "audit")
RETURNS = {"add", "create", "list", "show", "import", "password", "revoke", "rotate", "reset", "explain"}


def commands() -> dict[str, Any]:
    """Every command that administers, by its whole name."""
    root: Any = typer.main.get_command(app)
    found = {"explain": root.commands["explain"]}
    for group in GROUPS:
        found |= {f"{group} {name}": command for name, command in root.commands[group].commands.items()}
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_finds_the_data_and_says_what_it_does(name: str) -> None:
    command = commands()[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--data", "--config"} <= options
    assert ("--json" in options) == (name.split()[-1] in RETURNS), name
    assert not {"--password", "--secret"} & options
    assert command.help and all(getattr(each, "help", None) for each in command.params if each.name != "help")


def test_only_serve_makes_a_data_directory(desk: Desk, tmp_path: Path) -> None:
    nowhere = tmp_path / "data"
    assert Desk(nowhere).refused("user", "list") == (
        f"{nowhere} is not a data directory; `moorage serve --data {nowhere}` makes one"
    )
    assert not nowhere.exists()
    (desk.data / "moorage.db").unlink()
    assert desk.refused("user", "list") == (
        f"there is no database yet; start the server once: moorage serve --data {desk.data}"
    )
    assert not (desk.data / "moorage.db").exists()


def test_the_settings_say_where_the_data_is(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "moorage.toml"
    file.write_text(f'[storage]\npath = "{desk.data}"\n')
    result = CliRunner().invoke(app, ["user", "list", "--config", str(file)])
    assert result.stdout.splitlines()[1].startswith("admin")
    monkeypatch.setenv("MOORAGE_STORAGE__PATH", str(desk.data))
    assert CliRunner().invoke(app, ["user", "list"]).stdout == result.stdout
    file.write_text("[storage]\nroot = 1\n")
    wrong = CliRunner().invoke(app, ["user", "list", "--config", str(file)])
    assert (wrong.exit_code, "storage.root" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "a newer Moorage has upgraded it"),
        (
            "UPDATE alembic_version SET version_num = '0001'",
            "the database is older than this version of Moorage; the server brings it up to date when it starts",
        ),
    ],
)
def test_a_database_of_another_version_is_refused(desk: Desk, damage: str, sentence: str) -> None:
    with sqlite3.connect(desk.data / "moorage.db") as connection:
        connection.execute(damage)
    connection.close()
    assert sentence in desk.refused("user", "list")
    assert sentence in desk.refused("explain", "admin", "pull", "x", status=2)


def test_a_database_that_cannot_be_used_is_told(desk: Desk) -> None:
    (desk.data / "moorage.db").write_bytes(b"rubbish" * 1000)
    assert desk.refused("user", "list") == (
        "the database cannot be used now (file is not a database); try again in a moment"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("user", "show"),
        ("user", "add", "--generate"),
        ("org", "add"),
        ("team", "list"),
        ("team", "add"),
        ("robot", "add"),
        ("token", "list"),
        ("token", "revoke"),
        ("token", "create"),
        ("token", "create", "admin", "--label"),
        ("token", "create", "admin", "--repository"),
        ("grant", "list"),
        ("grant", "add", "admin", "read"),
        ("repo", "list"),
        ("repo", "create"),
        ("repo", "describe", "acme/app"),
        ("audit", "list", "--actor"),
        ("explain", "admin", "pull"),
        ("explain", "admin", "pull", "acme/app", "--token"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("text", ["\udcff\udcfe", "\x1b[2J", "a\x00b", "e\u0301\u202e", "x" * 5000, ""])
def test_what_is_no_name_ends_in_a_sentence(desk: Desk, command: tuple[str, ...], text: str) -> None:
    if "explain" not in command:
        desk.ok("repo", "create", "acme/app")
    result = desk.run(*command, text)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert all(character.isprintable() for line in result.output.splitlines() for character in line)
    assert len(result.stderr) < 600


def test_a_trail_that_cannot_be_written_to_its_file_is_told_beside_the_answer(desk: Desk) -> None:
    (desk.data / "audit.jsonl").unlink()
    (desk.data / "audit.jsonl").mkdir()
    result = desk.ok("org", "add", "acme", "--json")
    assert orjson.loads(result.stdout)["name"] == "acme"
    assert "the audit file cannot be opened" in result.stderr


AS_SOMEBODY = """
import os, sys
from contextlib import suppress
from registry.cli import app
become, data = sys.argv[1:]
def run(*arguments):
    with suppress(SystemExit):
        app([*arguments, "--data", data])
run("org", "list")  # loads the modules, which may be for root's eyes only
for directory, _, names in os.walk(data):
    for path in [directory, *(os.path.join(directory, name) for name in names)]:
        os.chown(path, 12345, 23456)
if become == "nameless":
    os.setresgid(23456, 23456, 0)
    os.setresuid(12345, 12345, 0)
run("org", "add", "acme")
os.seteuid(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("who", "actor"), [("root", "root"), ("nameless", "12345")])
def test_what_is_written_belongs_to_whom_the_data_belongs_to(desk: Desk, who: str, actor: str) -> None:
    (desk.data / "audit.jsonl").unlink()
    desk.data.parent.chmod(0o755)
    script = [sys.executable, "-c", AS_SOMEBODY, who, str(desk.data)]
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "Added the organisation acme.\n")
    assert orjson.loads((desk.data / "audit.jsonl").read_bytes())["actor"] == actor
    assert {(path.stat().st_uid, path.stat().st_gid) for path in desk.data.rglob("*")} == {(12345, 23456)}


def test_keys_are_listed_and_rotated(desk: Desk) -> None:
    rows = desk.json("key", "list")
    assert rows[0].keys() == {"id", "state", "created_at", "activated_at", "retired_at", "master_key"}
    states = {row["state"]: row["id"] for row in rows}
    assert states.keys() == {"active", "next"}
    assert desk.ok("key", "rotate").stderr == f"The key {states['next']} signs now.\n"
    after = {row["state"]: row["id"] for row in desk.json("key", "list")}
    assert (after["active"], after["retired"]) == (states["next"], states["active"])
    assert desk.json("key", "rotate") == {"active": after["next"]}
    head, *lines = desk.ok("key", "list").stdout.splitlines()
    assert head.startswith("ID ") and len(lines) == 4
    assert "sealed" not in desk.ok("key", "list", "--json").stdout


def test_keys_are_made_anew_when_that_is_meant(desk: Desk) -> None:
    before = {row["id"] for row in desk.json("key", "list")}
    asked = desk.run("key", "reset", stdin="n\n")
    assert asked.exit_code == 1
    assert "This voids every token at once" in asked.stderr and "nothing was changed" in asked.stderr
    assert {row["id"] for row in desk.json("key", "list")} == before
    done = desk.ok("key", "reset", stdin="y\n")
    assert "signs now, and every earlier token is void.\n" in done.stderr
    assert not {row["id"] for row in desk.json("key", "list")} & before
    active = desk.json("key", "reset", "--yes")["active"]
    assert active in {row["id"] for row in desk.json("key", "list") if row["state"] == "active"}


def test_without_the_master_key_keys_are_only_made_anew(desk: Desk) -> None:
    key = desk.data / "master.key"
    key.unlink()
    assert desk.refused("key", "rotate") == (
        f"there is no master key: {key} does not exist, and secrets.master_key is not set."
        " Put the one back that belongs to this database; if it is lost for good, run `moorage key reset`, which makes"
        " new keys"
    )
    assert not key.exists()
    assert len(desk.json("key", "list")) == 2
    desk.ok("key", "reset", "--yes")
    assert key.stat().st_mode & 0o777 == 0o600
    desk.ok("key", "rotate")


def test_with_another_master_key_nothing_is_rotated(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_SECRETS__MASTER_KEY", "mrg_key_" + "A" * 43)
    told = desk.refused("key", "rotate")
    assert told.startswith("the keys in the database were sealed with another master key")
    assert {row["state"] for row in desk.json("key", "list")} == {"active", "next"}
    desk.ok("key", "reset", "--yes")
    desk.ok("key", "rotate")
    monkeypatch.setenv("MOORAGE_SECRETS__MASTER_KEY", "hunter2")
    assert "hunter2" not in desk.refused("key", "rotate")


def test_the_trail(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("acme", "other"):
        desk.ok("org", "add", name)
    desk.ok("repo", "create", "acme/app")
    rows = desk.json("audit", "list")
    assert [(row["actor"], row["action"]) for row in rows][-1] == ("moorage", "user.add")
    assert [row["action"] for row in rows[:3]] == ["repository.create", "org.add", "org.add"]
    assert rows[0].keys() == {
        "id",
        "time",
        "request_id",
        "actor",
        "actor_kind",
        "credential",
        "address",
        "agent",
        "action",
        "repository",
        "reference",
        "old_digest",
        "new_digest",
        "result",
        "reason",
    }
    assert (rows[0]["repository"], rows[0]["actor_kind"], rows[0]["result"]) == ("acme/app", "operator", "ok")

    def listed(*arguments: str) -> list[str]:
        return [row["reason"] for row in desk.json("audit", "list", *arguments)]

    assert listed("--repository", "acme/app") == ["private"]
    assert listed("--action", "org.add") == ["other", "acme"]
    assert listed("--action", "org.add", "--limit", "1") == ["other"]
    assert len(listed("--actor", "moorage")) == 1
    assert listed("--since", "2100-01-01") == []
    assert len(listed("--since", "1d")) == len(rows)
    monkeypatch.setattr("registry.cli.audit.PAGE", 1)
    assert listed("--action", "org.add") == ["other", "acme"]
    assert listed("--action", "org.add", "--limit", "2") == ["other", "acme"]
    table = desk.ok("audit", "list").stdout.splitlines()
    assert table[0].split()[:4] == ["TIME", "ACTOR", "ACTION", "RESULT"]
    assert "--since takes a moment" in desk.refused("audit", "list", "--since", "yesterday", status=2)


def test_moments() -> None:
    now = 1_800_000_000_000_000
    assert read_moment("90s", "--since", now) == now - 90_000_000
    assert read_moment("2026-01-31", "--since", now) == 1_769_817_600_000_000
    assert read_moment("2026-01-31T01:00:00+01:00", "--since", now) == 1_769_817_600_000_000
    assert read_moment("2026-01-31T00:00:00.5Z", "--since", now) == 1_769_817_600_500_000


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (0, "0"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        ({"name": "ada", "role": "owner"}, "ada owner"),
        ("\x1b[2Jclear\u202e", "?[2Jclear?"),
        ("naïve 船", "naïve 船"),
    ],
)
def test_cells(value: Any, told: str) -> None:
    assert cell(value) == told


def test_commands_work_while_somebody_writes(desk: Desk) -> None:
    """A server that is writing at this moment is waited for."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys, time\n"
            "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "connection.execute('BEGIN IMMEDIATE'); print('held', flush=True); time.sleep(1)\n"
            "connection.execute('COMMIT')",
            str(desk.data / "moorage.db"),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == b"held\n"
        begun = time.monotonic()
        assert desk.json("user", "list")[0]["name"] == "admin"
        desk.ok("org", "add", "acme")
        assert time.monotonic() - begun > 0.5
    shutil.rmtree(desk.data)
