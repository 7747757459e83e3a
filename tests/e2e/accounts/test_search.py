"""`docker search HOST/term` and `podman search HOST/term`: everybody finds what they may pull."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.accounts.clients import client_of, config_of
from tests.e2e.accounts.test_refusals import ask, basic
from tests.e2e.accounts.world import BOB, SignIn, Site

pytestmark = pytest.mark.e2e

CREDENTIALS = (None, "password", "pat", "robot")


def found_by_docker(site: Site, tmp_path: Path, who: SignIn | None) -> list[str]:
    """The names that docker finds for "acme"."""
    if who:
        client_of("docker", site, tmp_path).login(who.name, who.secret)
    docker = replace(site.docker, config=config_of(tmp_path))
    return docker("search", "--limit=100", "--format={{.Name}}", f"{site.host}/acme").splitlines()


def found_by_podman(site: Site, tmp_path: Path, who: SignIn | None) -> list[str]:
    """The names that podman finds for "acme"."""
    client = client_of("podman", site, tmp_path)
    if who:
        client.login(who.name, who.secret)
    store = replace(site.store, logins=tmp_path / "auth.json")
    tls = () if site.secure else ("--tls-verify=false",)
    said = store.podman("search", *tls, "--limit=100", "--format={{.Name}}", f"{site.host}/acme")
    return [name.removeprefix(f"{site.host}/") for name in said.splitlines()]


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("search", [found_by_docker, found_by_podman])
def test_everybody_finds_what_they_may_pull(
    search: Callable[..., list[str]], credential: str | None, site: Site, tmp_path: Path
) -> None:
    names = search(site, tmp_path, site.accounts.secrets[credential] if credential else None)
    assert "acme/open" in names
    assert ("acme/app" in names) == (credential is not None)


def test_who_may_pull_two_finds_two(site: Site, tmp_path: Path) -> None:
    assert sorted(found_by_docker(site, tmp_path, BOB)) == ["acme/app", "acme/open"]


def test_docker_shows_the_description(site: Site, tmp_path: Path) -> None:
    docker = replace(site.docker, config=config_of(tmp_path))
    assert "For everybody" in docker("search", f"{site.host}/open")


def test_podman_goes_on_to_the_catalog_with_its_token(plain: Site, tmp_path: Path) -> None:
    before = plain.logged()
    found_by_podman(plain, tmp_path, plain.accounts.secrets["robot"])
    assert set(plain.asked(before, "/v1/search")) == {("GET", "401")}
    assert ("GET", "200") in plain.asked(before, "/token")
    assert ("GET", "200") in plain.asked(before, "/v2/_catalog")


def test_the_first_api_s_addresses(plain: Site) -> None:
    """Outside open mode a search with neither Authorization nor X-Docker-Token gets 401."""
    ping = ask(plain, "GET", "/v1/_ping")
    assert (ping.status, ping.body) == (200, b'{"standalone":true}')
    assert ask(plain, "GET", "/v1/search?q=open&n=5").status == 401
    anonymous = ask(plain, "GET", "/v1/search?q=open&n=5", x_docker_token="true")
    assert (anonymous.status, b'"name":"acme/open"' in anonymous.body) == (200, True)
    assert ask(plain, "GET", "/v1/search?q=open&n=5", authorization=basic(SignIn("", ""))).body == anonymous.body
