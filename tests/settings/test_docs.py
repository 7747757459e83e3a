"""The documentation is whole: every setting with its default, every error with its status."""

import re
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from registry.oci.errors import ErrorCode
from registry.settings import Settings, every_key

DOCS = Path(__file__).parents[2] / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")


def rows(document: str) -> dict[str, list[str]]:
    """Give the cells of each row of a document's tables by the name in its first."""
    found: dict[str, list[str]] = {}
    for line in document.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            key = cells[0].strip("`")
            assert key not in found, f"{key} stands there twice"
            found[key] = cells[1:]
    return found


def default_of(key: str) -> str:
    value: Any = reduce(getattr, key.split("."), Settings())
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == () else str(value)


def description_of(key: str) -> str:
    *sections, name = key.split(".")
    section: Any = reduce(getattr, sections, Settings())
    return str(type(section).model_fields[name].description)


@pytest.mark.parametrize("key", every_key())
def test_every_setting_is_documented_with_its_default(key: str) -> None:
    default, meaning = rows(CONFIGURATION)[key]
    assert default == f"`{default_of(key)}`"
    assert meaning.replace("\\", "") == description_of(key)


def test_nothing_else_is_documented_as_a_setting() -> None:
    assert sorted(rows(CONFIGURATION)) == sorted(every_key())


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.name)
def test_every_error_is_documented_with_its_status(code: ErrorCode) -> None:
    wire, status, meaning, advice = rows(ERRORS)[code.name]
    assert (wire, status, meaning) == (f"`{code.wire}`", str(code.status), code.message)
    assert len(advice) > 10


def test_nothing_else_is_documented_as_an_error() -> None:
    assert sorted(rows(ERRORS)) == sorted(code.name for code in ErrorCode)
