"""The filters of `docker images`, and Go's patterns and moments in them."""

import pytest

from runtime.errors import BadParameter, NotFound
from runtime.images.history import history
from runtime.images.listing import listed, matches, moment
from tests.runtime.images.conftest import Store
from tests.runtime.images.made import config_of, image, layer

YEAR = "20{}-01-01T00:00:00Z"


@pytest.fixture
def shelf(store: Store) -> Store:
    """Three images of three years, the oldest without a name."""
    image(store, files=["a"], created=YEAR.format(20), Labels={"stage": "test"})
    image(store, "busybox:1", "busybox:2", files=["b"], created=YEAR.format(21), Labels={"stage": "prod", "x": ""})
    image(store, "team/app", files=["c"], created=YEAR.format(22))
    return store


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["team/app:latest", "busybox:1 busybox:2", ""]),
        ({"dangling": ["true"]}, [""]),
        ({"dangling": ["0"]}, ["team/app:latest", "busybox:1 busybox:2"]),
        ({"reference": ["busybox"]}, ["busybox:1 busybox:2"]),
        ({"reference": ["busybox:2"]}, ["busybox:2"]),
        ({"reference": ["busy*:1", "team/*"]}, ["team/app:latest", "busybox:1"]),
        ({"reference": ["*"]}, ["busybox:1 busybox:2"]),
        ({"reference": ["*/*"]}, ["team/app:latest"]),
        ({"before": ["team/app"]}, ["busybox:1 busybox:2", ""]),
        ({"since": ["busybox:1"]}, ["team/app:latest"]),
        ({"until": ["2021-06-01"]}, ["busybox:1 busybox:2", ""]),
        ({"until": ["1h"]}, ["team/app:latest", "busybox:1 busybox:2", ""]),
        ({"label": ["stage"]}, ["busybox:1 busybox:2", ""]),
        ({"label": ["stage=prod", "x"]}, ["busybox:1 busybox:2"]),
        ({"label": ["x="]}, ["busybox:1 busybox:2"]),
        ({"label!": ["stage=prod"]}, ["team/app:latest", ""]),
        ({"label": ["stage"], "dangling": ["true"]}, [""]),
    ],
)
def test_filters(shelf: Store, filters: dict[str, list[str]], expected: list[str]) -> None:
    found = listed(shelf.images, filters)
    assert [" ".join(shelf.images.familiar(tag) for tag in image.tags) for image in found] == expected


def test_filters_that_mean_nothing_are_refused(shelf: Store) -> None:
    for filters, sentence in (
        ({"nope": ["x"]}, "invalid filter 'nope'"),
        ({"dangling": ["maybe"]}, "invalid filter 'dangling="),
        ({"until": ["tomorrow"]}, "neither a time nor a duration"),
        ({"reference": ["[a"]}, "syntax error in pattern"),
    ):
        with pytest.raises(BadParameter, match=sentence):
            listed(shelf.images, filters)
    with pytest.raises(NotFound):
        listed(shelf.images, {"before": ["nope"]})


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*", "a/b", False),
        ("*c", "abc", True),
        ("a*/b", "a/c/b", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[a-c]c", "abc", True),
        ("a[^a-c]c", "abc", False),
        ("a[^a]c", "a/c", False),
        ("a.c", "abc", False),
        (r"a\*c", "a*c", True),
        (r"a\*c", "abc", False),
        ("", "", True),
    ],
)
def test_patterns_are_go_s(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize("pattern", ["[", "[]", "a[b", "\\", "[a-"])
def test_malformed_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(BadParameter, match="syntax error in pattern"):
        matches(pattern, "a")


def test_moments() -> None:
    assert moment("1h30m", now=10**13) == 10**13 - 5400 * 10**9
    assert moment("1.5s", now=10**13) == 10**13 - 1_500_000_000
    assert moment("1700000000.5") == 1_700_000_000_500_000_000
    assert moment("2026-01-02T03:04:05") == moment("2026-01-02T04:04:05+01:00")
    for text in ("", "h", "1x", "-5", "1h now", "2026-13-01"):
        with pytest.raises(BadParameter):
            moment(text)


def test_history_joins_steps_and_layers(store: Store) -> None:
    made = store.images.register(
        config_of([layer(store, "abc"), layer(store, "de")]).replace(
            b'"config": {}',
            b'"config": {}, "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "ADD"},'
            b' {"created_by": "ENV", "empty_layer": true}, {"comment": "c"}, {"created": "?"}]',
        ),
        references=[store.images.parse("app")],
    )
    steps = history(store.images, made)
    assert [(step.size, step.created_by, step.comment) for step in steps] == [
        (0, "", ""),
        (2, "", "c"),
        (0, "ENV", ""),
        (3, "ADD", ""),
    ]
    assert steps[0].id == str(made.id) and steps[0].tags == ("app:latest",) and steps[1].id == "<missing>"
    assert steps[3].created == 1_767_225_600 * 10**9


def test_an_image_without_history_shows_its_layers(store: Store) -> None:
    assert [step.size for step in history(store.images, image(store, "app", files=["ab"]))] == [2]


def test_a_history_that_begins_late_tells_of_the_topmost_layers(store: Store) -> None:
    content = config_of([layer(store, "abc"), layer(store, "de")])
    content = content.replace(b'"config": {}', b'"config": {}, "history": [{"created_by": "late"}]')
    steps = history(store.images, store.images.register(content))
    assert [(step.size, step.created_by) for step in steps] == [(2, "late"), (3, "")]
