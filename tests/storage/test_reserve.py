"""The reserve: the smaller of a size and 5 % stays free, and the question is asked oftener the nearer it is."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from storage.errors import Full
from storage.reserve import MOST, Reserve

MIB = 1 << 20


def file_system(monkeypatch: pytest.MonkeyPatch, *, size: int, free: int) -> None:
    """Let every file system have this size and this much free space."""
    status = SimpleNamespace(f_frsize=4096, f_blocks=size // 4096, f_bavail=free // 4096)
    monkeypatch.setattr(os, "statvfs", lambda _path: status)


@pytest.mark.parametrize(
    ("size", "free", "headroom"),
    [
        (1000 * MIB, 500 * MIB, 450 * MIB),  # 5 % is less than 256 MiB
        (100_000 * MIB, 500 * MIB, 244 * MIB),  # 256 MiB is less than 5 %
        (100_000 * MIB, 200 * MIB, -56 * MIB),
    ],
)
def test_headroom(monkeypatch: pytest.MonkeyPatch, size: int, free: int, headroom: int) -> None:
    file_system(monkeypatch, size=size, free=free)
    assert Reserve(Path("/")).room() == (free, headroom)


def test_far_from_the_reserve_it_is_asked_every_64_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    file_system(monkeypatch, size=100_000 * MIB, free=50_000 * MIB)
    assert Reserve(Path("/")).admit(MIB) == 64 * MIB
    assert Reserve(Path("/")).admit(100 * MIB) == 100 * MIB


def test_near_the_reserve_sixteen_writers_cannot_pass_it_together(monkeypatch: pytest.MonkeyPatch) -> None:
    file_system(monkeypatch, size=100_000 * MIB, free=MOST + 160 * MIB)
    assert Reserve(Path("/")).admit(MIB) == 10 * MIB


def test_what_would_touch_the_reserve_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    file_system(monkeypatch, size=100_000 * MIB, free=MOST + MIB)
    assert Reserve(Path("/")).admit(MIB) == MIB
    with pytest.raises(Full):
        Reserve(Path("/")).admit(MIB + 1)
    file_system(monkeypatch, size=100_000 * MIB, free=MOST)
    with pytest.raises(Full, match="reserve"):
        Reserve(Path("/")).admit(0)


def test_size_of_the_reserve_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    file_system(monkeypatch, size=100_000 * MIB, free=5 * MIB)
    assert Reserve(Path("/"), 4 * MIB).admit(MIB) == MIB
    assert Reserve(Path("/"), 0).room() == (5 * MIB, 5 * MIB)
