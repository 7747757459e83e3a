"""A data directory, and the commands that administer it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from registry.cli import app
from registry.settings import PREFIX

PASSWORD = "a good long password"


def without_settings(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """Take all settings out of the environment."""
    for name in names:
        if name.startswith(PREFIX) and "__" in name:
            monkeypatch.delenv(name)


@dataclass(frozen=True)
class Desk:
    """Runs commands on the registry in `data`."""

    data: Path

    def run(self, *args: str | Path, stdin: str | None = None) -> Result:
        """Run a command to its end."""
        return CliRunner().invoke(app, [*map(str, args), "--data", str(self.data)], input=stdin)

    def ok(self, *args: str | Path, stdin: str | None = None) -> Result:
        """Run a command that has to succeed."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result

    def json(self, *args: str | Path, stdin: str | None = None) -> Any:
        """Run a command with --json and give what it printed, which has to be one document and nothing else."""
        return orjson.loads(self.ok(*args, "--json", stdin=stdin).stdout)

    def refused(self, *args: str | Path, stdin: str | None = None, status: int = 1) -> str:
        """Run a command that has to be refused, and give what it said."""
        result = self.run(*args, stdin=stdin)
        assert (result.exit_code, result.stdout) == (status, ""), result.output
        assert "Traceback" not in result.stderr
        return result.stderr.removeprefix("moorage: ").strip()

    def add(self, *names: str) -> None:
        """Add users with one password."""
        for name in names:
            self.ok("user", "add", name, "--password-stdin", stdin=f"{PASSWORD}\n")


def copied(template: Path, place: Path) -> Desk:
    """Give a desk on a copy of a data directory."""
    shutil.copytree(template, place)
    return Desk(place)
