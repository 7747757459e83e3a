"""What `docker login` keeps: an identity token in the password's place, which every client's library knows to use."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.accounts.clients import client_of, config_of
from tests.e2e.accounts.world import ADA, Accounts, SignIn, Site
from tests.parts.commands import CommandFailed
from tests.parts.server import start_moorage

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def passwords_only(tmp_path_factory: pytest.TempPathFactory, prepared: Accounts, plain: Site) -> Iterator[Site]:
    """A registry with `auth.refresh_tokens = false`."""
    data = tmp_path_factory.mktemp("passwords") / "data"
    shutil.copytree(prepared.data, data)
    with start_moorage(data, accounts=True, config="[auth]\nrefresh_tokens = false\n") as server:
        yield replace(plain, host=server.host, log=server.log)


def kept(site: Site, scratch: Path, who: SignIn) -> Any:
    """Sign in with docker, and give what it wrote down."""
    client_of("docker", site, scratch).login(who.name, who.secret)
    return json.loads((config_of(scratch) / "config.json").read_text())["auths"][site.host]


def encoded(name: str, secret: str) -> str:
    """How docker writes a name and a secret."""
    return base64.b64encode(f"{name}:{secret}".encode()).decode()


def test_docker_login_keeps_a_refresh_token_and_pulls_with_it(site: Site, tmp_path: Path) -> None:
    entry = kept(site, tmp_path, ADA)
    assert entry["identitytoken"].startswith("mrg_ref_")
    assert entry["auth"] == encoded("ada", "")
    docker = client_of("docker", site, tmp_path)
    docker.push(f"{site.host}/acme/identity:1")
    assert docker.pull(f"{site.host}/acme/app:1") == site.samples.digests["busybox"]


@pytest.mark.parametrize("credential", ["pat", "robot"])
def test_docker_login_keeps_other_secrets_as_they_are(credential: str, plain: Site, tmp_path: Path) -> None:
    who = plain.accounts.secrets[credential]
    assert kept(plain, tmp_path, who) == {"auth": encoded(who.name, who.secret)}


@pytest.mark.parametrize("name", ["podman", "buildah", "skopeo", "crane", "oras"])
def test_others_pull_with_docker_s_login(name: str, site: Site, tmp_path: Path) -> None:
    kept(site, tmp_path, ADA)
    other = client_of(name, site, tmp_path)
    shutil.copy(config_of(tmp_path) / "config.json", tmp_path / "auth.json")
    assert other.pull(f"{site.host}/acme/app:1") == site.samples.digests["busybox"]


def test_a_revoked_login_ends(plain: Site, tmp_path: Path) -> None:
    entry = kept(plain, tmp_path, ADA)
    plain.accounts.moorage("token", "revoke", entry["identitytoken"])
    with pytest.raises(CommandFailed, match="wrong user name or password, or the token has expired or was revoked"):
        client_of("docker", plain, tmp_path).pull(f"{plain.host}/acme/app:1")


def test_without_refresh_tokens_docker_keeps_the_password(passwords_only: Site, tmp_path: Path) -> None:
    assert kept(passwords_only, tmp_path, ADA) == {"auth": encoded(ADA.name, ADA.secret)}
    docker = client_of("docker", passwords_only, tmp_path)
    assert docker.pull(f"{passwords_only.host}/acme/app:1") == passwords_only.samples.digests["busybox"]
