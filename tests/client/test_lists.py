"""Lists: pages that end, pages that do not, and searches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.client.credentials import Credentials
from registry.client.errors import Answered, Untrusted
from registry.client.limits import Limits
from registry.client.registry import Registry
from registry.oci.names import RepositoryName, Tag
from tests.runtime.images.hostile_registry import HostileRegistry, Request, answer, document, hostile_registry

HERE = RepositoryName("team/app")
LIST = "/v2/team/app/tags/list"
LIMITS = Limits(connect=2, head=2, document=2, pages=10, items=50, document_size=20_000)


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    """A registry."""
    with hostile_registry() as running:
        yield running


@pytest.fixture
def registry(server: HostileRegistry) -> Iterator[Registry]:
    """Its client."""
    with Registry(server.host, Credentials("somebody", "secret"), certificates=None, limits=LIMITS) as client:
        yield client


@pytest.mark.parametrize("link", ['</next?last=b>; rel="next"', "<{url}/next>; rel=next", "<./next>; rel=next"])
def test_pages_are_followed(link: str, server: HostileRegistry, registry: Registry) -> None:
    server.table["GET", LIST] = document({"tags": ["a", "b"]}, link=link.format(url=server.url))
    server.table |= {("GET", "/next"): document({"tags": ["c"]}), ("GET", "/v2/next"): document({"tags": ["c"]})}
    assert registry.tags(HERE) == [Tag("a"), Tag("b"), Tag("c")]


def test_no_tags_at_all(server: HostileRegistry, registry: Registry) -> None:
    server.table["GET", LIST] = document({"name": "team/app", "tags": None})
    assert registry.tags(HERE) == []


@pytest.mark.parametrize(
    "page",
    [
        document({"tags": ["a"]}, link=f"<{LIST}>; rel=next"),
        document({"tags": []}, link=f"<{LIST}>; rel=next"),
        document({"tags": ["a"] * 100}, link=f"<{LIST}>; rel=next"),
        document({"tags": ["../../etc/passwd"]}),
        document({"tags": [{}]}),
        document({"tags": "abc"}),
        document([]),
        document({"tags": ["a" * 19_000] * 2}),
        answer(200, b"<html>"),
        document({"tags": ["a"]}, link="<https://evil.example.org/v2/x>; rel=next"),
        document({"tags": ["a"]}, link="<file:///etc/passwd>; rel=next"),
    ],
)
def test_lists_that_are_refused(page: bytes, server: HostileRegistry, registry: Registry) -> None:
    server.table["GET", LIST] = page
    with pytest.raises(Untrusted):
        registry.tags(HERE)
    assert len(server.requests) <= LIMITS.pages + 1


def test_pages_elsewhere_are_not_asked_for(server: HostileRegistry, registry: Registry) -> None:
    with hostile_registry() as elsewhere:
        server.table["GET", LIST] = document({"tags": ["a"]}, link=f"<{elsewhere.url}/next>; rel=next")
        with pytest.raises(Untrusted, match="not itself"):
            registry.tags(HERE)
        assert elsewhere.requests == []


def test_searches(server: HostileRegistry, registry: Registry) -> None:
    rows = [{"name": "a\x1b[2J", "star_count": 3, "is_official": True}, {"name": None, "star_count": "x"}, 5]
    server.table["GET", "/v1/search"] = document({"results": rows})
    found = registry.search("a b&c", 5)
    assert [(each.name, each.stars, each.official) for each in found] == [("a [2J", 3, True), ("", 0, False)]
    assert server.requests[-1].target == "/v1/search?q=a+b%26c&n=5"
    server.table["GET", "/v1/search"] = document({"results": "many"})
    with pytest.raises(Untrusted, match="no list"):
        registry.search("a", 5)
    server.table["GET", "/v1/search"] = answer(404)
    with pytest.raises(Answered, match="404"):
        registry.search("a", 5)


def test_a_broken_kept_connection_is_made_again(server: HostileRegistry, registry: Registry) -> None:
    def once(connection: object, _: Request) -> None:
        server.table["GET", LIST] = document({"tags": ["a"]})

    server.table["GET", LIST] = once
    assert registry.tags(HERE) == [Tag("a")]
