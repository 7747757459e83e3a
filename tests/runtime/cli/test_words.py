"""Sizes, ages and tables as Docker words them. The figures are those of docker/go-units' own tests."""

from __future__ import annotations

import pytest

from runtime.cli import words
from runtime.cli.tables import Listing, aligned

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0B"),
        (1000, "1kB"),
        (1024, "1.024kB"),
        (1_000_000, "1MB"),
        (1_048_576, "1.049MB"),
        (2e12, "2TB"),
        (5.5e15, "5.5PB"),
    ],
)
def test_sizes_are_in_powers_of_a_thousand(number: float, text: str) -> None:
    assert words.size(number) == text


def test_sizes_of_memory_are_in_powers_of_1024() -> None:
    assert [words.binary_size(n) for n in (0, 1023, 1024, 1024**2 * 1.5)] == ["0B", "1023B", "1KiB", "1.5MiB"]


def test_images_and_containers_show_three_digits() -> None:
    assert words.size(1_982_354, 3) == "1.98MB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (45, "45 seconds"),
        (MINUTE, "About a minute"),
        (3 * MINUTE, "3 minutes"),
        (HOUR, "About an hour"),
        (3 * HOUR, "3 hours"),
        (46 * HOUR, "46 hours"),
        (2 * DAY, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_ages_are_rough(seconds: float, text: str) -> None:
    assert words.age(seconds) == text


def test_texts_are_cut_and_quoted() -> None:
    assert words.cut("0123456789" * 3, 20) == "0123456789012345678…"
    assert words.quoted('sh -c "ls"') == '"sh -c \\"ls\\""'
    assert words.short_id("sha256:" + "ab" * 32) == "abababababab"
    assert words.go_time("2026-01-02T03:04:05.120000000Z") == "2026-01-02 03:04:05.12 +0000 UTC"
    assert words.go_time("2026-01-02T03:04:05Z") == "2026-01-02 03:04:05 +0000 UTC"


def test_columns_are_as_wide_as_their_widest_cell_and_the_last_is_not_padded() -> None:
    assert aligned([["A", "B", "C"], ["much-longer-than-ten", "x", "y"]]) == [
        "A                      B         C",
        "much-longer-than-ten   x         y",
    ]
    assert aligned([]) == []


ROWS = [{"ID": "1", "Name": "one"}, {"ID": "2", "Name": "two"}]
LISTING = Listing(("ID", "Name"), {"ID": "THING ID", "Name": "NAME"})


@pytest.mark.parametrize(
    ("form", "quiet", "text"),
    [
        (None, False, "THING ID   NAME\n1          one\n2          two\n"),
        ("table", True, "THING ID   NAME\n1          one\n2          two\n"),
        (None, True, "1\n2\n"),
        ("json", False, '{"ID":"1","Name":"one"}\n{"ID":"2","Name":"two"}\n'),
        ("{{.Name}}={{.ID}}", False, "one=1\ntwo=2\n"),
        (r"table {{.Name}}\t{{.ID}}", False, "NAME      THING ID\none       1\ntwo       2\n"),
    ],
)
def test_a_listing_takes_every_form(
    capsys: pytest.CaptureFixture[str], form: str | None, quiet: bool, text: str
) -> None:
    LISTING.show(ROWS, form, quiet=quiet)
    assert capsys.readouterr().out == text
