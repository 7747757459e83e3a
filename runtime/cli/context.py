"""A build's context as it is sent: a local directory, what comes through a pipe, or a Dockerfile alone.

Source: docker/cli cli/command/image/build/context.go.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from runtime.build.ignore import Ignored, parse
from runtime.cli.commands.archives import blocks_of
from runtime.cli.options import Failure
from runtime.cli.packing import END, packed, packed_bytes
from runtime.errors import BadParameter

DOCKERFILE = "Dockerfile"
IGNORE = ".dockerignore"
_PEEK = 512
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True)
class Context:
    """`blocks`: the archive, None where the daemon fetches `remote` itself; `dockerfile`: its name inside."""

    blocks: Iterator[bytes] | None
    dockerfile: str
    remote: str = ""


def piped_context(file: BinaryIO, dockerfile: str | None) -> Context:
    """Standard input: an archive, or, where it is none, the Dockerfile itself."""
    first = file.read(_PEEK)
    if first.startswith(_COMPRESSED) or first[257:262] == b"ustar":
        return Context(chain([first], blocks_of(file)), dockerfile or "")
    if dockerfile:
        raise Failure("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles")
    text = first + file.read()
    if not text.strip():
        raise Failure("unable to prepare context from STDIN: the Dockerfile is empty")
    return Context(chain(packed_bytes(DOCKERFILE, text), [END]), DOCKERFILE)


def local_context(directory: Path, dockerfile: str | None, replaced: bytes | None) -> Context:
    """A directory without what its .dockerignore leaves out.

    Args:   dockerfile: as a path from here; `replaced`: the text of a Dockerfile that came through a pipe.
    Raises: Failure, OSError.
    """
    if not directory.is_dir():
        raise Failure(f'unable to prepare context: path "{directory}" not found')
    root = directory.resolve()
    outside = replaced
    name = DOCKERFILE
    if replaced is None:
        path = Path(dockerfile) if dockerfile else root / DOCKERFILE
        if dockerfile and not path.is_absolute() and not path.exists():
            path = root / dockerfile
        if not path.is_file():
            raise Failure(
                f"unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat {path}: "
                "no such file or directory"
            )
        path = path.resolve()
        if path.is_relative_to(root):
            name = path.relative_to(root).as_posix()
        else:
            outside = path.read_bytes()
    if outside is not None:
        name = f".dockerfile.{secrets.token_hex(10)}"
    return Context(_archive(root, name, outside), name)


def _archive(root: Path, dockerfile: str, outside: bytes | None) -> Iterator[bytes]:
    for name in kept(root, dockerfile):
        yield from packed(root / name, name, owned_by_root=True)
    if outside is not None:
        yield from packed_bytes(dockerfile, outside)
    yield END


def kept(root: Path, dockerfile: str) -> Iterator[str]:
    """The names below a context that are sent, each directory before what is in it. Raises: Failure, OSError."""
    try:
        text = (root / IGNORE).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        text = ""
    try:
        ignored = parse(text, IGNORE, dockerfile)
    except BadParameter as error:
        raise Failure(str(error)) from error
    yield from _below(root, "", ignored, ())


def _below(root: Path, directory: str, ignored: Ignored, above: tuple[bool, ...]) -> Iterator[str]:
    for entry in sorted(os.scandir(root / directory), key=lambda entry: entry.name):
        name = f"{directory}/{entry.name}" if directory else entry.name
        out, decided = ignored.judged(name, above)
        if not out:
            yield name
        if entry.is_dir(follow_symlinks=False) and (not out or ignored.may_take_back_below(name)):
            yield from _below(root, name, ignored, decided)
