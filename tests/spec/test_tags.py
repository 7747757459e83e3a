"""Listing tags (end-8a, end-8b; "Listing Tags")."""

import re
from urllib.parse import quote

import pytest

from tests.spec.contents import EMPTY, digest_of, image, written
from tests.spec.registry import Registry

# One driver is enough: this is about the catalog and the words alone.
pytestmark = pytest.mark.parametrize("driver", ["files"], indirect=True, scope="session")

TAGS = ["0", "1.0", "1.0-rc1", "A", "B.2", "_x", "a", "a-b", "a.b", "a_b", "aa", "b", "z" * 128]  # in ASCII order


@pytest.fixture
def tagged(registry: Registry, name: str) -> str:
    """A repository with all of TAGS, pushed in another order."""
    registry.push_blob(name, EMPTY)
    content = written(image())
    query = "?" + "&".join(f"tag={tag}" for tag in reversed(TAGS))
    registry.put_manifest(name, digest_of(content), content, query=query).expect(201)
    return f"/v2/{name}/tags/list"


def walked(registry: Registry, target: str) -> list[list[str]]:
    """Follow the Links from page to page, as a client does."""
    pages = []
    while True:
        answer = registry.get(target).expect(200)
        pages.append(answer.json()["tags"])
        link = answer.get("link")
        if link is None:
            return pages
        found = re.fullmatch(r'<([^>]*)>; rel="next"', link)
        assert found is not None, link
        target = found[1]


def test_end_8a_lists_all_tags_in_order(registry: Registry, tagged: str, name: str) -> None:
    answer = registry.get(tagged).expect(200)
    assert answer.json() == {"name": name, "tags": TAGS}
    assert answer["content-type"] == "application/json"
    assert answer.get("link") is None


def test_end_8a_head(registry: Registry, tagged: str) -> None:
    assert registry.head(tagged).expect(200)["content-length"] == str(len(registry.get(tagged).body))


@pytest.mark.parametrize("query", ["", "?n=0", "?n=5&last=a"])
def test_end_8a_unknown_repository_is_404(registry: Registry, name: str, query: str) -> None:
    answer = registry.get(f"/v2/{name}/tags/list{query}").expect(404, "NAME_UNKNOWN")
    assert answer.errors[0]["detail"] == {"name": name}


def test_end_8a_repository_without_tags_is_an_empty_list(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    assert registry.get(f"/v2/{name}/tags/list").expect(200).json() == {"name": name, "tags": []}


@pytest.mark.parametrize("n", [1, 2, 5, 12, 13, 14, 1000])
def test_end_8b_n_gives_exactly_so_many_and_link_leads_on(registry: Registry, tagged: str, n: int) -> None:
    pages = walked(registry, f"{tagged}?n={n}")
    assert [tag for page in pages for tag in page] == TAGS
    assert all(len(page) == n for page in pages[:-1])
    assert 0 < len(pages[-1]) <= n


def test_end_8b_n_0_is_empty_and_has_no_link(registry: Registry, tagged: str, name: str) -> None:
    answer = registry.get(f"{tagged}?n=0").expect(200)
    assert answer.json() == {"name": name, "tags": []}
    assert answer.get("link") is None


@pytest.mark.parametrize("last", [*TAGS, "0.5", "AA", "a0", "zz"])
def test_end_8b_last_is_exclusive_and_need_not_exist(registry: Registry, tagged: str, last: str) -> None:
    expected = [tag for tag in TAGS if tag > last]
    assert registry.get(f"{tagged}?last={last}").expect(200).json()["tags"] == expected
    assert registry.get(f"{tagged}?n=3&last={last}").expect(200).json()["tags"] == expected[:3]


@pytest.mark.parametrize("n", ["-1", "x", "1.0", "1e3", "0x5", "+5", "", " 5", "5%00", "%D9%A3", "9" * 20])
def test_end_8b_n_that_is_no_number_is_400(registry: Registry, tagged: str, n: str) -> None:
    registry.get(f"{tagged}?n={n}").expect(400, "UNSUPPORTED")


@pytest.mark.parametrize("n", ["1001", "2147483648", "9223372036854775808", "9" * 19])
def test_end_8b_a_huge_n_is_what_fits_on_a_page(registry: Registry, tagged: str, n: str) -> None:
    """CVE-2023-2253: memory must not follow a number that the client names."""
    assert registry.get(f"{tagged}?n={n}").expect(200).json()["tags"] == TAGS


@pytest.mark.parametrize("last", ["-", "a/b", "a b", "x" * 129, "%00", "a%0A"])
def test_end_8b_last_that_is_no_tag_is_400(registry: Registry, tagged: str, last: str) -> None:
    registry.get(f"{tagged}?last={quote(last, safe='%')}").expect(400)


@pytest.mark.parametrize("query", ["n=1&n=2", "last=a&last=b"])
def test_end_8b_a_parameter_that_stands_there_twice_is_400(registry: Registry, tagged: str, query: str) -> None:
    registry.get(f"{tagged}?{query}").expect(400, "UNSUPPORTED")


def test_end_8b_a_page_has_at_most_1000_tags(registry: Registry, name: str) -> None:
    registry.push_blob(name, EMPTY)
    content = written(image())
    tags = [f"t{number:04}" for number in range(1001)]
    for start in range(0, len(tags), 20):
        query = "?" + "&".join(f"tag={tag}" for tag in tags[start : start + 20])
        registry.put_manifest(name, digest_of(content), content, query=query).expect(201)
    assert [len(page) for page in walked(registry, f"/v2/{name}/tags/list")] == [1000, 1]
    assert [len(page) for page in walked(registry, f"/v2/{name}/tags/list?n=5000")] == [1000, 1]


def test_tags_of_one_repository_are_not_anothers(registry: Registry, tagged: str, name: str) -> None:
    registry.push(f"{name}/other", "other", image())
    assert registry.get(tagged).json()["tags"] == TAGS
