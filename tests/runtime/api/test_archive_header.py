"""What a file is, in the bits of Go's FileMode that Docker's clients read."""

import base64
import json
import stat

import pytest

from runtime.api.archive import go_mode, header
from runtime.containers.archives.archive_process import PathStat


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o755, 0x80000000 | 0o755),
        (stat.S_IFDIR | 0o1777, 0x80000000 | 0x100000 | 0o777),
        (stat.S_IFLNK | 0o777, 0x8000000 | 0o777),
        (stat.S_IFIFO | 0o600, 0x2000000 | 0o600),
        (stat.S_IFSOCK | 0o600, 0x1000000 | 0o600),
        (stat.S_IFBLK | 0o600, 0x4000000 | 0o600),
        (stat.S_IFCHR | 0o600, 0x4200000 | 0o600),
        (stat.S_IFREG | 0o6755, 0xC00000 | 0o755),
    ],
)
def test_modes_in_go_s_bits(mode: int, shown: int) -> None:
    assert go_mode(mode) == shown


def test_a_header_is_base64_of_json() -> None:
    found = PathStat("name", 5, stat.S_IFREG | 0o600, 1_700_000_000_000_000_001, "/target")
    assert json.loads(base64.b64decode(header(found))) == {
        "name": "name",
        "size": 5,
        "mode": 0o600,
        "mtime": "2023-11-14T22:13:20.000000001Z",
        "linkTarget": "/target",
    }


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**80, "9999-12-31T23:59:59.000000000Z"),
        (-(2**80), "0001-01-01T00:00:00.000000000Z"),
    ],
)
def test_times_that_anyone_may_set(moment: int, shown: str) -> None:
    found = PathStat("name", 5, stat.S_IFREG | 0o600, moment, "")
    assert json.loads(base64.b64decode(header(found)))["mtime"] == shown
