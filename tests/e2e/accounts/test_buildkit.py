"""BuildKit pulls private base images and pushes what it builds: docker 20.10's own, and a buildkitd of today.

They ask for tokens in ways that no other client does. docker 20.10's sends an identity token as a password first, and
POSTs it after the 401; today's POSTs first, and sends GET after 401, 404 or 405.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.accounts.clients import client_of, config_of, write_login
from tests.e2e.accounts.world import Site
from tests.e2e.clients import CraneClient
from tests.e2e.conftest import short_directory
from tests.parts.commands import CommandFailed
from tests.parts.dockerd import Docker, start_dockerd
from tests.parts.tools import require, search_path

pytestmark = pytest.mark.e2e

NEWER = (23,)  # from here on docker's command needs the plugin buildx for BuildKit


@pytest.fixture(scope="module")
def old_docker() -> str:
    """A docker command that speaks BuildKit by itself."""
    for directory in search_path().split(os.pathsep):
        path = shutil.which("docker", path=directory)
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout if path else ""
        found = re.search(r"version (\d+)\.(\d+)", said)
        if path and found and (20, 10) <= (int(found[1]), int(found[2])) < NEWER:
            return path
    require("docker")
    pytest.skip("this docker needs the plugin buildx; Debian 12's docker.io is 20.10. buildkitd is tested all the same")


@pytest.fixture(scope="module")
def restarted(secure: Site) -> Iterator[Docker]:
    """A docker daemon that has been started since the system trusts the certificate, as the guide says for BuildKit."""
    trust = (*secure.launcher, "env", *(f"{name}={value}" for name, value in secure.trust.items()))
    with short_directory() as directory, start_dockerd(directory, secure.containerd, trust) as docker:
        yield docker


@pytest.fixture
def building(site: Site, request: pytest.FixtureRequest) -> Docker:
    """The docker daemon that builds."""
    docker: Docker = request.getfixturevalue("restarted") if site.secure else site.docker
    return docker


def context(tmp_path: Path, base: str) -> Path:
    """A directory to build an image from, whose second layer nobody has seen."""
    directory = tmp_path / "context"
    directory.mkdir(exist_ok=True)
    (directory / "content").write_text(secrets.token_hex(16))
    (directory / "Dockerfile").write_text(f"FROM {base}\nCOPY content /content\nLABEL built=yes\n")
    return directory


@pytest.mark.parametrize("credential", ["password", "pat", "robot"])
def test_docker_builds_on_a_private_image_and_pushes(
    credential: str, site: Site, building: Docker, tmp_path: Path, old_docker: str, judge: CraneClient
) -> None:
    who, docker = site.accounts.secrets[credential], replace(building, client=old_docker, config=config_of(tmp_path))
    client_of("docker", site, tmp_path).login(who.name, who.secret)
    name = f"{site.host}/acme/built-by-docker:{credential}"
    build(docker, name, context(tmp_path, f"{site.host}/acme/app:1"))
    docker("push", "--quiet", name)
    assert judge.crane("digest", name) == docker.digest(name)


def build(docker: Docker, name: str, directory: Path) -> str:
    """Build with BuildKit, from nothing that is remembered."""
    return docker("build", "--quiet", "--no-cache", "--tag", name, directory, environment={"DOCKER_BUILDKIT": "1"})


def test_docker_s_buildkit_posts_what_is_refused_as_a_password(plain: Site, tmp_path: Path, old_docker: str) -> None:
    """However often: trying an identity token as a password is no failed sign-in."""
    client = client_of("docker", plain, tmp_path)
    who = plain.accounts.secrets["password"]
    client.login(who.name, who.secret)
    docker = replace(plain.docker, client=old_docker, config=config_of(tmp_path))
    crane = plain.program(require("crane"), {"DOCKER_CONFIG": signed(plain, tmp_path)})
    for number in range(12):
        base = f"{plain.host}/acme/base-{number}:1"  # another name each time, for tokens are kept
        crane("copy", f"{plain.host}/acme/app:1", base)
        before = plain.logged()
        build(docker, f"{plain.host}/acme/again:1", context(tmp_path, base))
        assert plain.asked(before, "/token") == [("GET", "401"), ("POST", "200")]


def signed(site: Site, tmp_path: Path) -> str:
    """A configuration with ada's personal access token."""
    config = tmp_path / "signed"
    config.mkdir(exist_ok=True)
    who = site.accounts.secrets["pat"]
    write_login(config, site.host, username=who.name, password=who.secret)
    return str(config)


def test_docker_s_buildkit_is_refused_without_a_login(plain: Site, tmp_path: Path, old_docker: str) -> None:
    docker = replace(plain.docker, client=old_docker, config=config_of(tmp_path))
    plain.accounts.moorage("repo", "create", "acme/unseen")
    with pytest.raises(CommandFailed, match=r"pull access denied|authorization failed"):
        build(docker, f"{plain.host}/acme/never:1", context(tmp_path, f"{plain.host}/acme/unseen:1"))


@pytest.mark.parametrize("credential", ["password", "pat", "robot"])
def test_buildkitd_builds_on_a_private_image_and_pushes(
    credential: str, secure: Site, buildkitd: str, tmp_path: Path
) -> None:
    who = secure.accounts.secrets[credential]
    client_of("docker", secure, tmp_path).login(who.name, who.secret)
    name, before = f"{secure.host}/acme/built-by-buildkitd:{credential}", secure.logged()
    buildctl(secure, buildkitd, tmp_path, f"--output=type=image,name={name},push=true")
    assert client_of("crane", secure, tmp_path).pull(name).startswith("sha256:")
    assert set(secure.asked(before, "/token")) >= {("POST", "200")}


def test_buildkitd_goes_on_with_get_where_a_post_is_refused(secure: Site, buildkitd: str, tmp_path: Path) -> None:
    """As with a password that is wrong: both are refused, and the person is told."""
    write_login(config_of(tmp_path), secure.host, username="nobody-with-buildkit", password="no password at all")
    before = secure.logged()
    with pytest.raises(CommandFailed, match="401 Unauthorized"):
        buildctl(secure, buildkitd, tmp_path)
    assert secure.asked(before, "/token")[:2] == [("POST", "401"), ("GET", "401")]


def buildctl(site: Site, buildkitd: str, tmp_path: Path, *options: str) -> None:
    """Build on the private image, with the login in the test's directory."""
    directory = context(tmp_path, f"{site.host}/acme/app:1")
    environment = {"DOCKER_CONFIG": str(config_of(tmp_path)), **site.trust}
    program = site.program(require("buildctl"), environment, f"--addr={buildkitd}")
    contexts = (f"--local=context={directory}", f"--local=dockerfile={directory}")
    program("build", "--frontend=dockerfile.v0", *contexts, "--no-cache", *options)
