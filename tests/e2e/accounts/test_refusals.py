"""What each client tells people who sign in wrongly or may not do what they want; docs/clients.md says the same."""

from __future__ import annotations

import base64
import http.client
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from registry.accounts.sign_in import REFUSAL
from tests.e2e.accounts.clients import NAMES, client_of
from tests.e2e.accounts.world import BOB, SignIn, Site
from tests.parts.commands import CommandFailed
from tests.parts.guides import read_guide

pytestmark = pytest.mark.e2e

REASONS = ("wrong", "unknown", "disabled", "expired", "revoked")
GUIDE = read_guide("clients.md").text
NO_MATCH = "wrong user name or password"
LACKS = "bob lacks the right push on acme/app; ada can grant it"
SAID_OF_A_WRONG_PASSWORD = {
    "docker": REFUSAL,
    "podman": "invalid username/password",
    "buildah": "invalid username/password",
    "skopeo": "invalid username/password",
    "crane": REFUSAL,
    "oras": REFUSAL,
    "ctr": "failed to fetch oauth token: unexpected status: 401",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, without what differs from one to the next."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def ask(site: Site, method: str, path: str, body: str = "", **headers: str) -> Heard:
    """Send one request."""
    connection = http.client.HTTPConnection(site.host, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        varying = {"date", "x-request-id"}
        kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in varying)
        return Heard(answer.status, kept, answer.read())
    finally:
        connection.close()


def basic(who: SignIn) -> str:
    """The header of a name and a secret."""
    return "Basic " + base64.b64encode(f"{who.name}:{who.secret}".encode()).decode()


def failing(site: Site, name: str, tmp_path: Path, who: SignIn) -> str:
    """What a client says when it signs in and then pulls a private image."""
    client = client_of(name, site, tmp_path)
    with pytest.raises(CommandFailed) as failure:
        client.login(who.name, who.secret)
        client.pull(f"{site.host}/acme/app:1")
    return failure.value.said


def test_the_same_401_for_every_reason(plain: Site) -> None:
    """Wrong password, unknown user, disabled user, expired and revoked secret: one answer, wherever they are sent."""
    for method, path in (("GET", "/token"), ("GET", "/v2/"), ("POST", "/token")):
        heard = set()
        for reason in REASONS:
            who = plain.accounts.secrets[reason]
            form = urlencode({"grant_type": "password", "username": who.name, "password": who.secret})
            if method == "POST":
                kind = "application/x-www-form-urlencoded"
                heard.add(ask(plain, method, path, form, content_type=kind))
            else:
                heard.add(ask(plain, method, path, authorization=basic(who)))
        (answer,) = heard
        assert answer.status == 401
        assert REFUSAL.encode() in answer.body


@pytest.mark.parametrize("reason", REASONS)
def test_docker_login_says_what_to_try(reason: str, plain: Site, tmp_path: Path) -> None:
    said = failing(plain, "docker", tmp_path, plain.accounts.secrets[reason])
    assert said.count(REFUSAL) == 1
    assert f"`{NO_MATCH}`" in GUIDE


@pytest.mark.parametrize("name", NAMES)
def test_what_each_client_says_of_a_wrong_password(name: str, site: Site, tmp_path: Path) -> None:
    said = failing(site, name, tmp_path, SignIn(f"nobody-with-{name}", "and not even a password"))
    expected = SAID_OF_A_WRONG_PASSWORD[name]
    assert said.count(expected) >= 1
    assert f"`{NO_MATCH if expected == REFUSAL else expected}`" in GUIDE


@pytest.mark.parametrize("name", NAMES)
def test_a_denied_push_names_the_right_and_who_can_grant_it(name: str, site: Site, tmp_path: Path) -> None:
    client = client_of(name, site, tmp_path)
    client.login(BOB.name, BOB.secret)
    client.pull(f"{site.host}/acme/app:1")
    with pytest.raises(CommandFailed) as failure:
        client.push(f"{site.host}/acme/app:denied")
    expected = ("insufficient_scope", "closed pipe") if name == "ctr" else (LACKS,)
    # podman's kind say it twice: the challenge's description and the message. ctr says what came first.
    assert any(words in failure.value.said for words in expected)
    assert all(f"`{words}`" in GUIDE for words in expected)


def test_who_may_not_know_is_not_told_who_could(plain: Site, tmp_path: Path) -> None:
    """The same sentence for a repository that is there and one that is not."""
    client = client_of("docker", plain, tmp_path)
    client.login(BOB.name, BOB.secret)
    said = []
    for repository in ("acme/hidden", "acme/absent"):
        if repository == "acme/hidden":
            plain.accounts.moorage("repo", "create", repository)
        for act in (client.pull, client.push):
            with pytest.raises(CommandFailed) as failure:
                act(f"{plain.host}/{repository}:1")
            said.append(failure.value.said.replace(repository, "acme/app"))
    assert said[:2] == said[2:]
    assert "bob may not pull acme/app, or there is no such repository" in said[0]
    assert "`bob may not pull acme/app, or there is no such repository`" in GUIDE
    assert not any("ada" in words for words in said)


def test_who_is_not_signed_in_is_told_where_to(plain: Site, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=f"sign in to pull acme/app: docker login {plain.host}"):
        client_of("docker", plain, tmp_path).pull(f"{plain.host}/acme/app:1")
    assert "`sign in to pull acme/app`" in GUIDE


def test_a_limited_token_is_named_as_the_reason(plain: Site, tmp_path: Path) -> None:
    client, who = client_of("docker", plain, tmp_path), plain.accounts.secrets["reader"]
    client.login(who.name, who.secret)
    client.pull(f"{plain.host}/acme/app:1")
    with pytest.raises(CommandFailed, match="the token is limited to pull; to push to acme/app, sign in with one"):
        client.push(f"{plain.host}/acme/app:denied")
    assert "`the token is limited to pull`" in GUIDE


def test_too_many_failures_say_how_long_to_wait(plain: Site, tmp_path: Path) -> None:
    who = SignIn("nobody-at-all", "and not even a password")
    statuses = [ask(plain, "GET", "/token", authorization=basic(who)).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    said = failing(plain, "docker", tmp_path, who)
    assert "too many failed sign-ins; try again in" in said
    assert "`too many failed sign-ins`" in GUIDE
