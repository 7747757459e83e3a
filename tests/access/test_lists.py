"""`_catalog` and search show what one may pull and nothing else, page by page; and a pull is one GET of a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.access.world import ADMIN_PASSWORD, OPERATOR, PASSWORD, Accounts, Signed, basic, bearer, harbour, token_for
from tests.spec.contents import EMPTY, OCI_INDEX, OCI_MANIFEST, digest_of, image, index, written
from tests.spec.registry import Registry

KINDS = ("private", "internal", "public")
NAMES = [f"{space}/app-{number:02}" for space in ("alpha", "beta", "gamma") for number in range(20)]
Who = dict[str, tuple[Registry, list[str]]]
DESCRIPTION = "org.opencontainers.image.description"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Sixty repositories in three namespaces; every third is internal, every third public."""

    registry: Registry
    admin: Registry
    accounts: Accounts

    def by(self, name: str, word: str = PASSWORD) -> Registry:
        """Give the registry for somebody."""
        return Signed(self.registry, basic(name, word))


@pytest.fixture(scope="module")
def fleet(fast_directory: Path) -> Iterator[Fleet]:
    with harbour(fast_directory / "fleet") as (registry, accounts):
        admin = Signed(registry, basic("admin", ADMIN_PASSWORD))
        for number, name in enumerate(NAMES):
            admin.put_manifest(name, "latest", index(annotations={"n": name}), OCI_INDEX).expect(201)
            accounts.repositories.set_visibility(name, KINDS[number % 3], OPERATOR)
        accounts.organizations.add("beta", OPERATOR)
        accounts.user("ada", ("pull", "beta"), ("pull", "gamma/app-00"), ("push", "gamma/app-03"))
        accounts.user("eve")
        accounts.robots.add("beta+ci", OPERATOR)
        accounts.grant("beta+ci", ("pull", "beta/app-01"))
        yield Fleet(registry, admin, accounts)


def visible(*more: str, internal: bool = True) -> list[str]:
    """Give the names of what is public, internal, or begins with one of `more`."""
    kinds = ("internal", "public") if internal else ("public",)
    return [name for n, name in enumerate(NAMES) if KINDS[n % 3] in kinds or name.startswith(more or ("-",))]


@pytest.fixture(scope="module")
def who(fleet: Fleet) -> Who:
    """Give everybody with what they may pull."""
    anonymous = bearer(token_for(fleet.registry, {}, "registry:catalog:*"))
    one = fleet.accounts.secret("ada", "pull", "beta/app-00", "alpha/*")
    alpha = {name for name in visible() if name.startswith("alpha/")}
    limited = sorted(alpha | {"beta/app-00"} | set(visible(internal=False)))
    robot = basic("beta+ci", fleet.accounts.secret("beta+ci"))
    return {
        "admin": (fleet.admin, NAMES),
        "ada": (fleet.by("ada"), visible("beta/", "gamma/app-00")),
        "ada with a small secret": (fleet.by("ada", one), limited),
        "ada with a secret to push": (fleet.by("ada", fleet.accounts.secret("ada", "push")), visible(internal=False)),
        "eve": (fleet.by("eve"), visible()),
        "a robot": (Signed(fleet.registry, robot), visible("beta/app-01", internal=False)),
        "nobody": (Signed(fleet.registry, anonymous), visible(internal=False)),
    }


@pytest.mark.parametrize("size", [1, 7, 20, 100])
def test_pages_of_the_catalog_hold_what_one_may_pull(who: Who, size: int) -> None:
    """Every page but the last is full, and no link names what is hidden."""
    for label, (registry, wanted) in who.items():
        found: list[str] = []
        target = f"/v2/_catalog?n={size}"
        while target:
            answer = registry.get(target).expect(200)
            page = answer.json()["repositories"]
            found += page
            link = answer.get("link") or ""
            assert len(page) == size or not link
            target = link.partition("<")[2].partition(">")[0]
            assert not target or target.endswith(f"last={quote(page[-1], safe='')}")
        assert found == wanted, label


def test_a_page_starts_where_it_is_told_also_behind_what_is_hidden(fleet: Fleet) -> None:
    eve = fleet.by("eve")
    for after in ("alpha/app-00", "alpha/app-00x", "alpha/nowhere", "zeta/app"):
        wanted = [name for name in visible() if name > after]
        assert eve.get(f"/v2/_catalog?n=1000&last={after}").json()["repositories"] == wanted


def test_the_catalog_follows_rights_at_once(fleet: Fleet) -> None:
    """A token that is still good lists what its owner may pull now."""
    token = bearer(token_for(fleet.registry, basic("eve", PASSWORD), "registry:catalog:*"))
    eve = Signed(fleet.registry, token)
    fleet.accounts.grant("eve", ("pull", "beta"))
    assert eve.get("/v2/_catalog").json()["repositories"] == visible("beta/")
    fleet.accounts.grants.remove("eve", "beta", OPERATOR)
    assert eve.get("/v2/_catalog").json()["repositories"] == visible()
    fleet.accounts.people.disable("eve", OPERATOR)
    assert eve.get("/v2/_catalog").json()["repositories"] == visible(internal=False)
    fleet.accounts.people.enable("eve", OPERATOR)


def found(registry: Registry, term: str, limit: int = 100) -> list[str]:
    """Search, and give names."""
    document: dict[str, Any] = registry.get(f"/v1/search?q={quote(term)}&n={limit}").expect(200).json()
    assert document["num_results"] == len(document["results"])
    assert document["query"] == term[:256]
    return [line["name"] for line in document["results"]]


def test_a_search_finds_what_one_may_pull(who: Who) -> None:
    for label, (registry, wanted) in who.items():
        for term in ("", "app", "alpha", "beta/app-00", "gamma/app-03"):
            names = found(registry, term)
            assert set(names) <= set(wanted), (label, term)
            if term in wanted:
                assert names[0] == term
        assert set(found(registry, "")) == set(wanted), label


def test_a_search_that_is_limited_is_not_filled_with_what_is_hidden(fleet: Fleet) -> None:
    """The limit counts what may be seen: nothing hidden takes a place and is left out."""
    eve = fleet.by("eve")
    assert len(found(eve, "app", 25)) == 25
    assert len(found(eve, "", 25)) == 25


@pytest.mark.parametrize("headers", [{"x-docker-token": "true"}, basic("", "")], ids=["docker", "empty Basic"])
def test_docker_search_without_a_login_finds_what_is_public(fleet: Fleet, headers: dict[str, str]) -> None:
    assert set(found(Signed(fleet.registry, headers), "app")) <= set(visible(internal=False))
    assert found(Signed(fleet.registry, headers), "alpha/app-00") != ["alpha/app-00"]


def test_a_wrong_login_does_not_search_as_nobody(fleet: Fleet) -> None:
    headers = {**basic("ada", "wrong"), "x-docker-token": "true"}
    fleet.registry.request("GET", "/v1/search?q=app", headers=headers).expect(401)
    fleet.accounts.forgive()


def test_descriptions_are_hidden_with_their_repositories(fleet: Fleet, who: Who) -> None:
    secret = "a treasure that is buried under the old pier"
    fleet.admin.push("alpha/app-00", "told", image(annotations={DESCRIPTION: secret}))
    for registry, wanted in who.values():
        for term in ("treasure", "buried", secret):
            answer = registry.get(f"/v1/search?q={quote(term)}&n=100").expect(200)
            seen = "treasure that" in answer.body.decode().replace(f'"query":"{secret}"', "")
            assert seen is ("alpha/app-00" in wanted)


@pytest.mark.parametrize(
    "term", ["%", "_", "%%%", "'", '"', "\\", "a' OR 1=1 --", "\x00", "\x1b[2J", "\u00e4" * 300, "*"]
)
def test_odd_terms_find_nothing_that_is_hidden(fleet: Fleet, term: str) -> None:
    answer = fleet.by("eve").get(f"/v1/search?q={quote(term)}").expect(200)
    assert {line["name"] for line in answer.json()["results"]} <= set(visible())


def test_a_description_cannot_steer_the_terminal_of_who_searches(fleet: Fleet) -> None:
    """What an image says of itself is printed by `docker search` as it is."""
    text = "a good\x1b[2J\x07\x9b31m image\r\nfor\u202e all\x00"
    fleet.admin.push("gamma/app-02", "told", image(annotations={DESCRIPTION: text}))
    line = fleet.admin.get("/v1/search?q=gamma/app-02").json()["results"][0]
    assert line["name"] == "gamma/app-02"
    assert line["description"].isprintable()
    assert line["description"].startswith("a good")


def pulls_of(fleet: Fleet, name: str) -> int:
    """Write what was counted, and give a repository's pulls."""
    fleet.registry.app._router._services.pulls.flush()  # type: ignore[attr-defined]  # the server's own clock is slow
    return fleet.accounts.repositories.show(name).repository.pulls


def test_a_pull_is_one_get_of_a_manifest(fleet: Fleet) -> None:
    name = "beta/app-05"
    fleet.admin.push(name, "v1", image(EMPTY))
    content = written(image(EMPTY))
    before = pulls_of(fleet, name)
    eve = Signed(fleet.registry, basic("eve", PASSWORD))
    eve.get(f"/v2/{name}/manifests/v1").expect(200)
    assert pulls_of(fleet, name) == before + 1
    eve.get(f"/v2/{name}/manifests/{digest_of(content)}", accept=OCI_MANIFEST).expect(200)
    assert pulls_of(fleet, name) == before + 2
    eve.head(f"/v2/{name}/manifests/v1").expect(200)
    eve.get(f"/v2/{name}/blobs/{digest_of(EMPTY)}").expect(200)
    eve.get(f"/v2/{name}/tags/list").expect(200)
    eve.get(f"/v2/{name}/manifests/none").expect(404)
    fleet.registry.get(f"/v2/{name}/manifests/v1").expect(401)
    assert pulls_of(fleet, name) == before + 2
