"""`moor cp`. Source: docker/cli cli/command/container/cp.go, moby/go-archive copy.go for which name a copy gets."""

import base64
import json
import posixpath
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runtime.cli.client import Refused, segment
from runtime.cli.commands.archives import blocks_of
from runtime.cli.options import Failure, command, flag
from runtime.cli.packing import END, packed_tree
from runtime.cli.pumping import write_all
from runtime.cli.session import Session
from runtime.cli.unpacking import unpack
from runtime.cli.words import size

GO_DIRECTORY, GO_LINK = 1 << 31, 1 << 27
"""Bits of Go's FileMode, in which the API tells what a path is."""


@dataclass(frozen=True, slots=True)
class There:
    """What a path in a container is; `path` after a link at its end was followed."""

    path: str
    exists: bool
    directory: bool = False


@command("[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH", least=2, most=2, of="container")
@flag("-a", "--archive", help="Archive mode (copy all uid/gid information)")
@flag("-L", "--follow-link", help="Always follow symlinks in SRC_PATH")
@flag("-q", "--quiet", help="Suppress progress output during copy")
def cp(session: Session, words: tuple[str, ...], archive: bool, follow_link: bool, quiet: bool) -> None:
    """Copy files/folders between a container and the local filesystem."""
    source, target = _cut(words[0]), _cut(words[1])
    if source[0] and target[0]:
        raise Failure("copying between containers is not supported")
    if not source[0] and not target[0]:
        raise Failure("must specify at least one container source")
    if not words[0] or not words[1]:
        raise Failure("source can not be empty" if not words[0] else "destination can not be empty")
    if source[0]:
        _out(session, source[0], source[1], target[1], follow=follow_link, owners=archive, quiet=quiet)
    else:
        _in(session, source[1], target[0], target[1], follow=follow_link, owners=archive, quiet=quiet)


def _cut(text: str) -> tuple[str, str]:
    """Container and path; "" for a local path, which may hold a colon where it starts with / or a dot."""
    container, colon, path = text.partition(":")
    return ("", text) if text.startswith("/") or not colon or container.startswith(".") else (container, path)


def _out(
    session: Session, container: str, source: str, target: str, *, follow: bool, owners: bool, quiet: bool
) -> None:
    name = _base(source)
    if follow:
        found = _there(session, container, source)
        source = found.path if found.exists else source
    query = {"path": source}
    answer = session.client.ask("GET", f"/containers/{segment(container)}/archive", query)
    if target == "-":
        for block in answer.blocks():
            write_all(sys.stdout.fileno(), block)
        return
    directory = bool(_stat(answer.headers).get("mode", 0) & GO_DIRECTORY)
    destination, rename = _local(Path(target), target, name, directory=directory)
    counted = Counted(answer.blocks())
    unpack(counted, destination, rename, owners=owners)
    _said(counted, target, quiet=quiet)


def _local(path: Path, text: str, name: str, *, directory: bool) -> tuple[Path, Callable[[str], str]]:
    """The local directory that is unpacked into, and how the entries are called there. Raises: Failure."""
    if path.is_dir():
        return path, (lambda entry: _rebased(entry, name)) if name != "." else (lambda entry: entry)
    if directory and path.exists():
        raise Failure("cannot copy directory")
    if not directory and text.endswith("/"):
        raise Failure("no such directory")
    if not path.absolute().parent.is_dir():
        raise Failure(f"invalid output path: directory {str(path.parent)!r} does not exist")
    return path.absolute().parent, lambda entry: _rebased(entry, path.absolute().name)


def _rebased(entry: str, name: str) -> str:
    """An entry's name with its first part replaced."""
    return posixpath.join(name, *entry.strip("/").split("/")[1:])


def _in(session: Session, source: str, container: str, target: str, *, follow: bool, owners: bool, quiet: bool) -> None:
    there = _there(session, container, target)
    if source == "-":
        if not there.directory:
            raise Failure(f'destination "{container}:{target}" must be a directory')
        where, blocks = there.path, blocks_of(sys.stdin.buffer)
    else:
        where, blocks = _prepared(source, there, target, follow=follow)
    counted = Counted(blocks)
    query = {"path": where, "noOverwriteDirNonDir": "true", "copyUIDGID": "true" if owners else None}
    path, headers = f"/containers/{segment(container)}/archive", {"Content-Type": "application/x-tar"}
    session.client.ask("PUT", path, query, counted, headers).read()
    _said(counted, f"{container}:{target}", quiet=quiet)


def _prepared(source: str, there: There, target: str, *, follow: bool) -> tuple[str, Iterator[bytes]]:
    """The directory in the container that is unpacked into, and the archive for it. Raises: Failure, OSError."""
    path, name = Path(source), _base(source)
    if follow or source.endswith(("/", "/.")):
        path = path.resolve()
    mode = path.lstat().st_mode
    directory = stat.S_ISDIR(mode)
    if source.endswith("/") and not directory:
        raise Failure("not a directory")
    if there.directory:
        return there.path, _archive(path, name)
    if directory and there.exists:
        raise Failure("cannot copy directory")
    if not directory and not there.exists and target.endswith("/"):
        raise Failure("no such directory")
    return posixpath.dirname(there.path.rstrip("/")) or "/", _archive(path, posixpath.basename(there.path.rstrip("/")))


def _archive(path: Path, name: str) -> Iterator[bytes]:
    yield from packed_tree(path, name)
    yield END


def _base(path: str) -> str:
    """The name that a copy has: the last part of the path, `.` where only the contents are meant."""
    return "." if path.endswith("/.") or path in {".", "/"} else posixpath.basename(path.rstrip("/"))


def _there(session: Session, container: str, path: str) -> There:
    """What is at a path in a container; a link at its end is followed once, as the daemon resolves the rest."""
    try:
        found = _head(session, container, path)
        if found.get("mode", 0) & GO_LINK:
            path = posixpath.join(posixpath.dirname(path.rstrip("/")), str(found.get("linkTarget")))
            found = _head(session, container, path)
    except Refused as error:
        if error.status != 404 or "No such container" in str(error):
            raise
        return There(path, exists=False)
    return There(path, exists=True, directory=bool(found.get("mode", 0) & GO_DIRECTORY))


def _head(session: Session, container: str, path: str) -> dict[str, Any]:
    answer = session.client.ask("HEAD", f"/containers/{segment(container)}/archive", {"path": path})
    return _stat(answer.headers)


def _stat(headers: Any) -> dict[str, Any]:
    try:
        found = json.loads(base64.b64decode(headers.get("x-docker-container-path-stat", "")))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Counted:
    """Blocks that are counted on their way."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.size += len(block)
            yield block


def _said(counted: Counted, target: str, *, quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        click.echo(f"Successfully copied {size(counted.size, 3)} to {target}", err=True)
