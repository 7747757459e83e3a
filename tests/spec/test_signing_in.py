"""What a client meets that signs in wrongly or may not do what it wants: one refusal, and words that help.

The real clients' side of this is in tests/e2e/accounts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from auth.policy import Right
from registry.audit import Origin
from registry.cli.administration import Administration, opened
from registry.settings import Settings
from tests.spec.asgi import Answer
from tests.spec.registry import Registry, running

PASSWORD = "mooring-lines-and-bollards"
FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data are."""
    return tmp_path_factory.mktemp("accounts") / "data"


@pytest.fixture(scope="module")
def guarded(place: Path) -> Iterator[Registry]:
    """A server with accounts: ada owns acme, bob may pull acme/app and nothing else."""
    sections = {"auth": {"mode": "accounts"}, "admin": {"password": PASSWORD}}
    with running(place, sections) as registry:
        with opened(Settings.model_validate({"storage": {"path": place}}), 1) as here:
            fill(here)
        yield registry


def fill(here: Administration) -> None:
    """Add the accounts."""
    origin = Origin("root", "operator")
    for name in ("ada", "bob"):
        here.people.add(name, PASSWORD, origin)
    here.organizations.add("acme", origin, owners=["ada"])
    for name in ("acme/app", "acme/hidden"):
        here.repositories.create(name, "private", origin)
    here.grants.put("bob", Right.PULL, "acme/app", origin)


def basic(name: str, secret: str) -> dict[str, str]:
    """The header of a name and a secret."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def bearer(registry: Registry, name: str, scope: str, secret: str = PASSWORD) -> dict[str, str]:
    """The header of a token."""
    answer = registry.get(f"/token?service=moorage&scope={scope}", **basic(name, secret))
    return {"authorization": f"Bearer {answer.expect(200).json()['token']}"}


def message(answer: Answer) -> str:
    """The sentence for the person."""
    return str(answer.json()["errors"][0]["message"])


def test_a_good_refresh_token_as_a_password_is_refused_and_no_failure(guarded: Registry, place: Path) -> None:
    """The BuildKit of docker 20.10 tries that in each build, and POSTs it when it is refused with 401."""
    refresh = guarded.get("/token?offline_token=true", **basic("ada", PASSWORD)).json()["refresh_token"]
    for _ in range(12):
        guarded.get("/token?scope=repository:acme/app:pull", **basic("", refresh)).expect(401)
    form = urlencode({"grant_type": "refresh_token", "service": "moorage", "refresh_token": refresh})
    guarded.post("/token", form.encode(), **FORM).expect(200)
    assert "wrong" not in (place / "audit.jsonl").read_text()


def test_a_revoked_refresh_token_as_a_password_is_a_failure(guarded: Registry, place: Path) -> None:
    refresh = guarded.get("/token?offline_token=true", **basic("bob", PASSWORD)).json()["refresh_token"]
    with opened(Settings.model_validate({"storage": {"path": place}}), 1) as here:
        here.secrets.revoke(refresh, Origin("root", "operator"))
    guarded.get("/token", **basic("", refresh)).expect(401)
    assert (place / "audit.jsonl").read_text().count("wrong secret") == 1


def test_who_signs_in_nowhere_is_told_where(guarded: Registry) -> None:
    assert message(guarded.get("/v2/").expect(401)) == "sign in first: docker login registry.test:5000"


def test_who_may_know_of_a_repository_is_told_what_is_missing(guarded: Registry) -> None:
    token = bearer(guarded, "bob", "repository:acme/app:pull,push")
    answer = guarded.request("POST", "/v2/acme/app/blobs/uploads/", headers=token).expect(401, "DENIED")
    assert message(answer) == "bob lacks the right push on acme/app; ada can grant it"
    assert f'error="insufficient_scope",error_description="{message(answer)}"' in answer["www-authenticate"]
    headers = basic("bob", PASSWORD)
    by_basic = guarded.request("POST", "/v2/acme/app/blobs/uploads/", headers=headers).expect(403, "DENIED")
    assert message(by_basic) == message(answer)
    assert by_basic.get("www-authenticate") is None


@pytest.mark.parametrize("name", ["acme/hidden", "acme/absent"])
def test_who_may_not_know_of_a_repository_is_challenged(guarded: Registry, name: str) -> None:
    token = bearer(guarded, "bob", f"repository:{name}:pull,push")
    answer = guarded.request("POST", f"/v2/{name}/blobs/uploads/", headers=token).expect(401)
    assert message(answer) == (f"bob may not push to {name}, or there is no such repository; ask its owner for access")
    assert 'error="insufficient_scope"' in answer["www-authenticate"]


def test_a_token_of_too_small_a_scope_is_challenged(guarded: Registry) -> None:
    token = bearer(guarded, "ada", "repository:acme/app:pull")
    answer = guarded.request("POST", "/v2/acme/app/blobs/uploads/", headers=token).expect(401)
    assert 'scope="repository:acme/app:pull,push",error="insufficient_scope"' in answer["www-authenticate"]


def test_who_has_the_right_but_not_with_this_secret_is_told_so(guarded: Registry, place: Path) -> None:
    with opened(Settings.model_validate({"storage": {"path": place}}), 1) as here:
        secret = here.secrets.issue(
            "ada", Origin("root", "operator"), label="", rights=Right.PULL, repositories=(), lifetime=None
        ).secret
    token = bearer(guarded, "ada", "repository:acme/app:pull,push", secret)
    answer = guarded.request("POST", "/v2/acme/app/blobs/uploads/", headers=token).expect(401, "DENIED")
    assert message(answer) == "the token is limited to pull; to push to acme/app, sign in with one that may"
