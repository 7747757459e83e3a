"""`_catalog`: the list of repositories, an extension whose name the specification reserves."""

import re

import pytest

from tests.spec.conftest import Start
from tests.spec.contents import EMPTY, image
from tests.spec.registry import Registry

NAMES = ["0", "a", "a-b", "a/b", "a/b/c", "a.b", "a0", "b", "team/app"]


@pytest.fixture
def stocked(start: Start) -> Registry:
    registry = start()
    for name in reversed(NAMES):
        registry.push(name, "latest", image())
    registry.push_blob("only/blobs", EMPTY)
    return registry


def test_lists_repositories_that_hold_a_manifest_in_order(stocked: Registry) -> None:
    answer = stocked.get("/v2/_catalog").expect(200)
    assert answer.json() == {"repositories": sorted(NAMES)}
    assert (answer["content-type"], answer.get("link")) == ("application/json", None)
    stocked.head("/v2/_catalog").expect(200)


def test_pages(stocked: Registry) -> None:
    for n in (1, 2, 4, 9, 5000):
        target, found = f"/v2/_catalog?n={n}", []
        while target:
            answer = stocked.get(target).expect(200)
            found += answer.json()["repositories"]
            link = re.fullmatch(r'<([^>]*)>; rel="next"', answer.get("link") or "")
            target = link[1] if link else ""
        assert found == sorted(NAMES)
    assert stocked.get("/v2/_catalog?n=0").json() == {"repositories": []}


def test_last_is_exclusive(stocked: Registry) -> None:
    expected = [name for name in sorted(NAMES) if name > "a/b"]
    assert stocked.get("/v2/_catalog?last=a/b").json() == {"repositories": expected}


def test_a_repository_whose_last_manifest_went_is_not_listed(stocked: Registry) -> None:
    digest = stocked.head("/v2/b/manifests/latest")["docker-content-digest"]
    stocked.delete(f"/v2/b/manifests/{digest}").expect(202)
    assert "b" not in stocked.get("/v2/_catalog").json()["repositories"]


@pytest.mark.parametrize(
    ("query", "code"), [("n=x", "UNSUPPORTED"), ("n=-1", "UNSUPPORTED"), ("last=UP", "NAME_INVALID")]
)
def test_bad_queries_are_400(registry: Registry, query: str, code: str) -> None:
    registry.get(f"/v2/_catalog?{query}").expect(400, code)


def test_a_page_has_100_unless_more_are_asked_for(start: Start) -> None:
    registry = start()
    for number in range(101):
        registry.push_blob(f"r{number}", EMPTY)
        registry.put_manifest(f"r{number}", "latest", image()).expect(201)
    first = registry.get("/v2/_catalog").expect(200)
    assert len(first.json()["repositories"]) == 100
    assert "n=100" in first["link"]
    assert len(registry.get("/v2/_catalog?n=101").json()["repositories"]) == 101
