"""The administrator's guide is true: its commands are run in order, against a registry that is being served."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.settings import PREFIX
from tests.house.sources import ROOT
from tests.parts.server import start_moorage

GUIDE = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.+?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


def environment(data: Path) -> dict[str, str]:
    """What a shell has in which `moorage` is the one under test, and finds its data."""
    clean = {name: value for name, value in os.environ.items() if not (name.startswith(PREFIX) and "__" in name)}
    path = os.pathsep.join([str(Path(sys.executable).parent), clean["PATH"]])
    return {**clean, "PATH": path, "MOORAGE_STORAGE__PATH": str(data), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block of the guide printed, on both streams."""
    place = tmp_path_factory.mktemp("guide")
    script = "".join(f"echo '=== {number}'\n{block}" for number, block in enumerate(BLOCKS))
    with start_moorage(place / "data", accounts=True):
        done = subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=place,
            env=environment(place / "data"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    return re.split(r"^=== [0-9]+\n", done.stdout, flags=re.MULTILINE)[1:]


def of(said: list[str], command: str) -> str:
    """What the block that holds a command printed."""
    (number,) = (number for number, block in enumerate(BLOCKS) if command in block)
    return said[number]


def test_every_block_runs(said: list[str]) -> None:
    assert len(said) == len(BLOCKS) >= 15
    assert "moorage: " not in "".join(said)  # so begins what tells of a refusal


def test_the_import_tells_what_it_took_and_what_not(said: list[str]) -> None:
    told = of(said, "user import")
    assert told.count("only bcrypt is taken over") == 2
    assert "Would add 1 of 2 users." in told and "Added 1 of 2 users." in told


def test_the_reasons_are_what_the_guide_leads_one_to_expect(said: list[str]) -> None:
    told = of(said, "explain bob push")
    assert "yes: bob has push on all of acme" in told
    assert "no: nothing gives bob delete on acme/api" in told
    assert "To change that: ada, carol, or an administrator can grant it: moorage grant add bob delete acme/api" in told
    assert "yes: the repository is public" in told


def test_a_secret_comes_alone_where_it_is_to_be_handed_on(said: list[str]) -> None:
    assert of(said, "wc -c").strip() == "51"


def test_the_trail_tells_of_what_the_guide_did(said: list[str]) -> None:
    told = of(said, "audit list --limit 5")
    assert told.count("token.create") >= 3
    assert "mrg_" not in told


def test_a_rotated_secret_leaves_the_next_one(said: list[str]) -> None:
    assert re.search(r"Revoked the token [0-9a-f]{16} of acme\+ci", of(said, "first="))


def test_every_group_of_commands_is_in_the_guide() -> None:
    for group in ("user", "org", "team", "robot", "token", "repo", "grant", "key", "audit", "explain"):
        assert f"moorage {group} " in GUIDE
