"""The accounts of these tests, made with `moorage`, and the two registries that have them.

ada owns the organisation acme, the robot acme+ci may push there, bob may pull acme/app; acme/open is public. The others
have one failing secret each, for ten failures of one name are the most that five minutes allow.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from registry.cli import app
from tests.e2e.clients import Samples
from tests.parts.commands import run
from tests.parts.containerd import Containerd
from tests.parts.dockerd import Docker
from tests.parts.podman import Store

MOORAGE = Path(sys.executable).with_name("moorage")


def password_of(name: str) -> str:
    """A user's password."""
    return f"the long password of {name}"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A name and a secret."""

    name: str
    secret: str


ADA = SignIn("ada", password_of("ada"))
BOB = SignIn("bob", password_of("bob"))


@dataclass(frozen=True, slots=True)
class Accounts:
    """The command line on one data directory, and the secrets that it printed."""

    data: Path
    secrets: Mapping[str, SignIn]

    def moorage(self, *words: str, stdin: str = "") -> str:
        """Run an administration command, in this process, for many of them are needed; what it prints."""
        done = CliRunner().invoke(app, [*words, "--data", str(self.data)], input=stdin)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def token(self, owner: str, *options: str) -> SignIn:
        """Make a personal access token, or a robot's secret."""
        return SignIn(owner, self.moorage("token", "create", owner, "--quiet", *options))


def make_accounts(data: Path) -> Accounts:
    """Fill a data directory that a server has prepared."""
    here = Accounts(data, {})
    for name in ("ada", "bob", "carl", "dora", "eve"):
        here.moorage("user", "add", name, "--password-stdin", stdin=password_of(name))
    here.moorage("user", "disable", "eve")
    here.moorage("org", "add", "acme", "--owner", "ada")
    here.moorage("robot", "add", "acme+ci")
    here.moorage("grant", "add", "acme+ci", "write", "acme")
    here.moorage("repo", "create", "acme/open", "--visibility", "public", "--description", "For everybody")
    here.moorage("repo", "create", "acme/app")
    here.moorage("grant", "add", "bob", "read", "acme/app")
    expired = here.token("carl", "--expires=1s")
    revoked = here.token("dora")
    here.moorage("token", "revoke", revoked.secret)
    secrets = {
        "password": ADA,
        "pat": here.token("ada"),
        "robot": here.token("acme+ci"),
        "reader": here.token("ada", "--rights=pull"),
        "expired": expired,
        "revoked": revoked,
        "disabled": SignIn("eve", password_of("eve")),
        "unknown": SignIn("nobody-of-that-name", password_of("nobody")),
        "wrong": SignIn("bob", "not the password of bob"),
    }
    time.sleep(1.1)  # until the expired one has
    return Accounts(data, secrets)


@dataclass(frozen=True, slots=True)
class Site:
    """A registry and the clients' side of it: daemons and stores that see it, and what runs a command there."""

    host: str
    secure: bool
    docker: Docker
    store: Store
    containerd: Containerd
    samples: Samples
    launcher: tuple[str, ...]
    accounts: Accounts
    log: Path
    certificate: Path | None = None

    @property
    def trust(self) -> dict[str, str]:
        """What makes a program trust the certificate that trusts what the system trusts."""
        return {"SSL_CERT_FILE": str(self.certificate)} if self.certificate else {}

    def asked(self, after: int, path: str) -> list[tuple[str, str]]:
        """The requests for a path since the log was that long: method and status."""
        lines = self.log.read_text(errors="replace")[after:].splitlines()
        found = [re.search(rf" method=(\S+) path={re.escape(path)} status=(\d+)", line) for line in lines]
        return [(match[1], match[2]) for match in found if match]

    def logged(self) -> int:
        """How long the log is."""
        return len(self.log.read_text(errors="replace"))

    def program(self, name: str, environment: Mapping[str, str], *options: str) -> Callable[..., str]:
        """A program with its global options."""

        def call(*words: str | Path, stdin: str = "", cwd: Path | None = None) -> str:
            return run(*self.launcher, name, *options, *words, stdin=stdin, cwd=cwd, environment=environment)

        return call
