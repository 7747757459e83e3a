"""A machine that fails on purpose: each call to the operating system can be counted, recorded and made to fail."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHANGING = (
    "open",
    "write",
    "fsync",
    "link",
    "unlink",
    "mkdir",
    "ftruncate",
    "truncate",
    "lseek",
    "pread",
    "close",
    "fstat",
)
"""The calls of `os` that storage makes on an upload's way."""


class Machine:
    """Stands between storage and the operating system while `watching`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch nothing yet."""
        self._monkeypatch = monkeypatch
        self.calls: list[tuple[str, str]] = []
        self.fails: Callable[[int, str, str], int] = lambda _number, _call, _path: 0
        """Given a call's number, name and file, says with which errno it fails; 0 lets it through."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record calls, and let those fail that shall."""
        with self._monkeypatch.context() as patch:
            for name in CHANGING:
                patch.setattr(os, name, self._watched(name, getattr(os, name)))
            patch.setattr(fcntl, "flock", self._watched("flock", fcntl.flock))
            yield

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(target: Any, *arguments: Any, **options: Any) -> Any:
            path = _path_of(target if name != "link" else arguments[0])
            self.calls.append((name, path))
            number = self.fails(len(self.calls), name, path)
            if number and name == "close":
                real(target)  # Linux frees the descriptor whatever close says
            if number:
                raise OSError(number, os.strerror(number), path)
            return real(target, *arguments, **options)

        return call


def _path_of(target: Any) -> str:
    return str(Path(f"/proc/self/fd/{target}").readlink()) if isinstance(target, int) else str(target)


def open_files() -> set[str]:
    """List the descriptors of this process, to see that none was left open."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {entry.readlink()}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found
