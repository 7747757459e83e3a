"""The floors compare what they should: the longest path counts, a gap is shown, a file without a floor is refused."""

from typing import Any

import pytest

from tests.house.coverage_floors import rooms


def report(ran: int, could: int) -> dict[str, Any]:
    """A file's part of coverage's report, with every line a statement and no branch."""
    missing = list(range(ran + 1, could + 1))
    summary = {"covered_lines": ran, "num_statements": could, "covered_branches": 0, "num_branches": 0}
    return {"summary": summary, "missing_lines": missing, "missing_branches": []}


def test_a_file_counts_for_the_longest_path_that_holds_it() -> None:
    files = {"registry/oci/names.py": report(9, 10), "registry/app.py": report(1, 2), "registry/oci2.py": report(1, 1)}
    oci, rest = rooms(files, {"registry/oci": 100, "registry": 50})
    assert (oci.ran, oci.could, rest.ran, rest.could) == (9, 10, 2, 3)
    assert oci.gaps == ["registry/oci/names.py: 10"]


def test_below_the_floor_is_said() -> None:
    (room,) = rooms({"auth/policy.py": report(19, 20)}, {"auth": 100})
    assert room.percent < room.floor
    assert "below its floor of 100 %" in room.line()


def test_far_above_the_floor_is_said() -> None:
    (room,) = rooms({"auth/policy.py": report(19, 20)}, {"auth": 90})
    assert "raise it" in room.line()


def test_branches_count() -> None:
    entry = report(4, 4)
    entry["summary"] |= {"covered_branches": 1, "num_branches": 2}
    entry["missing_branches"] = [[3, -1]]
    (room,) = rooms({"auth/policy.py": entry}, {"auth": 100})
    assert (room.ran, room.could, room.gaps) == (5, 6, ["auth/policy.py: 3->exit"])


def test_a_file_without_a_floor_is_refused() -> None:
    with pytest.raises(KeyError, match=r"runtime/run\.py"):
        rooms({"runtime/run.py": report(1, 1)}, {"registry": 90})
