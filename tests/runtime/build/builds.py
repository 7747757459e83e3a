"""Builds for tests: contexts made in memory, sent to a real engine as any client sends them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.parts.engine import RunningEngine, UnixConnection

PATIENCE = 120.0


@dataclass(frozen=True)
class Built:
    """An answer: its status and lines, or, where it is no 200, its one document."""

    status: int
    lines: tuple[dict[str, Any], ...]

    @property
    def text(self) -> str:
        """All that the build said."""
        return "".join(line.get("stream", "") for line in self.lines)

    @property
    def error(self) -> str:
        """What went wrong, or nothing."""
        return next((str(line.get("error") or line.get("message")) for line in self.lines if _failed(line)), "")

    @property
    def image(self) -> str:
        """The image's id. Raises AssertionError where there is none."""
        assert not self.error, f"{self.error}\n{self.text}"
        return str(next(line["aux"]["ID"] for line in self.lines if "aux" in line))


def _failed(line: Mapping[str, Any]) -> bool:
    return "error" in line or "message" in line


def context(dockerfile: str, files: Mapping[str, bytes] | None = None, more: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """A context: a Dockerfile, files by name, and whatever headers a hostile client thinks of."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in {"Dockerfile": dockerfile.encode(), **(files or {})}.items():
            header = tarfile.TarInfo(name)
            header.size, header.mode = len(content), 0o644
            tar.addfile(header, io.BytesIO(content))
        for header in more:
            tar.addfile(header)
    return written.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A link, or another header without content."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


def build(engine: RunningEngine, body: bytes, **query: str) -> Built:
    """Send a context. Steps have no network, unless the query says so."""
    connection = UnixConnection(engine.socket, PATIENCE)
    try:
        path = f"/v1.47/build?{urlencode({'networkmode': 'none', **query})}"
        connection.request("POST", path, body, {"Content-Type": "application/x-tar"})
        answer = connection.getresponse()
        said = answer.read().decode()
    finally:
        connection.close()
    return Built(answer.status, tuple(json.loads(line) for line in said.splitlines() if line.strip()))


def leftovers(engine: RunningEngine) -> list[str]:
    """What a build should not leave: containers, mounts, scratch directories, marks."""
    _, listed = engine.request("GET", "/containers/json?all=1")
    found = [container["Id"] for container in json.loads(listed)]
    found += [str(path) for path in (engine.data / "layers/staging").iterdir()]
    found += [str(path) for path in (engine.data / "build/steps").iterdir()]
    assert engine.process is not None
    mounts = Path(f"/proc/{engine.process.pid}/mountinfo").read_text().splitlines()
    return found + [row for row in mounts if f"{engine.directory}/run/" in row]
