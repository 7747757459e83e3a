"""Search: what is found, in which order, and that a term is text and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.policy import ANONYMOUS, Holder, Kind, reach
from registry.catalog.catalog import Catalog
from registry.catalog.search import TERM_LIMIT, Found
from registry.catalog.trigrams import TEXT_LIMIT, trigrams
from registry.oci.names import RepositoryName
from tests.catalog.contents import NAME, add_repository

EVERYTHING = reach(Holder("root", Kind.USER, administrator=True))


def found(catalog: Catalog, term: str, limit: int = 100) -> list[str]:
    with catalog.read() as tx:
        return [line.name for line in tx.search.find(term, EVERYTHING, limit)]


def test_trigrams_are_those_of_words() -> None:
    assert trigrams("Tide-app", "") == {"  t", " ti", "tid", "ide", "de ", "  a", " ap", "app", "pp "}
    assert trigrams("a") == {"  a", " a "}
    assert trigrams("", "/._-%") == set()
    assert trigrams("ébène") == trigrams("ÉBÈNE") != set()
    assert trigrams("x" * TEXT_LIMIT + " tail") == trigrams("xxxx")


@given(st.text(max_size=50), st.text(max_size=50))
def test_trigrams_have_three_characters_and_one_text_does_not_change_another(one: str, two: str) -> None:
    assert trigrams(one, two) == trigrams(one) | trigrams(two)
    assert all((len(part) == 3 and part == part.lower()) or not part.isascii() for part in trigrams(one))


def test_the_best_comes_first(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_repository(tx, "nginx", pulls=1)
        add_repository(tx, "team/nginx", pulls=2)
        add_repository(tx, "other/nginx", pulls=3)
        add_repository(tx, "nginx-tools/lint", pulls=900)
        add_repository(tx, "team/nginx-exporter", pulls=901)
        add_repository(tx, "team/my-nginx", pulls=902)
        described = add_repository(tx, "team/proxy", pulls=903)
        tx.repositories.describe(described, "nginx and what belongs to it", "operator")
        add_repository(tx, "team/ngnix", pulls=904)
        add_repository(tx, "team/postgres", pulls=905)
        tx.repositories.create(RepositoryName.parse("empty/nginx"), "public")
    assert found(catalog, "nginx") == [
        "nginx",  # the whole name
        "other/nginx",  # a last part; more pulls
        "team/nginx",
        "team/nginx-exporter",  # the beginning of a part; more pulls
        "nginx-tools/lint",
        "team/proxy",  # all trigrams; more pulls
        "team/my-nginx",
        "team/ngnix",  # some trigrams
    ]
    assert found(catalog, "nginx", 2) == ["nginx", "other/nginx"]
    assert found(catalog, " NGINX ") == found(catalog, "nginx")
    assert found(catalog, "team/nginx")[0] == "team/nginx"
    assert found(catalog, "zzz") == []


def test_a_line_tells_name_description_and_pulls(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        repository = add_repository(tx, "team/app", pulls=7)
        tx.repositories.describe(repository, "The tide table.", "operator")
        assert tx.search.find("tide", EVERYTHING, 1) == [Found("team/app", "The tide table.", 7)]
        tx.repositories.describe(repository, "An almanac.", "operator")
        assert tx.search.find("tide", EVERYTHING, 1) == []
        assert tx.search.find("almanac", EVERYTHING, 1) == [Found("team/app", "An almanac.", 7)]


def test_an_empty_term_finds_everything_by_pulls(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        for pulls, (name, visibility) in enumerate([("b/b", "private"), ("a/a", "public"), ("c/c", "internal")]):
            add_repository(tx, name, visibility, pulls=pulls)
        add_repository(tx, "a/b", "private")
        ada = reach(Holder("ada", Kind.USER))
        assert [line.name for line in tx.search.find("", ada, 9)] == ["c/c", "a/a"]
        assert [line.name for line in tx.search.find("", reach(ANONYMOUS), 9)] == ["a/a"]
    assert found(catalog, "") == found(catalog, "  ") == ["c/c", "a/a", "a/b", "b/b"]
    assert found(catalog, "", 2) == ["c/c", "a/a"]


@pytest.mark.parametrize("term", ["%", "_", "%%%", "\\", "'", '"; --', "\x00", "*", "[]", "/"])
def test_a_term_without_a_word_finds_nothing(catalog: Catalog, term: str) -> None:
    with catalog.begin() as tx:
        add_repository(tx, "team/other")
    assert found(catalog, term) == []


@pytest.mark.parametrize(
    ("term", "first"),
    [("app_lib", "team/app_lib"), ("app%lib", "team/lib-app"), ("app\\lib", "team/lib-app")],
)
def test_wildcards_stand_for_themselves(catalog: Catalog, term: str, first: str) -> None:
    """They would put the last two in front, whose names fit the pattern and share fewer trigrams with the term."""
    with catalog.begin() as tx:
        add_repository(tx, "team/lib-app", pulls=2)
        add_repository(tx, "team/app_lib", pulls=1)
        add_repository(tx, "team/app-lib", pulls=1)
        add_repository(tx, "team/app-xlib", pulls=9)
        add_repository(tx, "team/applib", pulls=9)
    assert found(catalog, term)[0] == first
    assert set(found(catalog, term)[-2:]) == {"team/app-xlib", "team/applib"}


def test_a_term_is_cut(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        add_repository(tx, "team/app")
    assert found(catalog, "app" + " " * TERM_LIMIT + "zzz " * 1000) == ["team/app"]
    assert found(catalog, "x" * 100_000) == []


def test_a_name_is_found_from_its_first_push(catalog: Catalog) -> None:
    with catalog.begin() as tx:
        tx.repositories.ensure(NAME)
    assert found(catalog, "app") == []
    with catalog.begin() as tx:
        add_repository(tx, "team/apple")
    assert found(catalog, "app") == ["team/apple"]
