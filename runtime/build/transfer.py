"""COPY and ADD: which files they mean, and how these come to their place.

Paths of a source are looked up inside its root (`trees`), those of the target inside the image's. Archives that ADD
unpacks go through the same locked-in process as `docker cp`. Source: Dockerfile reference, ADD and COPY.
"""

import bz2
import fnmatch
import lzma
import os
import posixpath
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime.build import configure, trees
from runtime.build.checks import flags
from runtime.build.expand import Rules, expand
from runtime.build.parser import Heredoc, Instruction, chomped
from runtime.containers.archives import archive
from runtime.containers.archives.archive_process import View
from runtime.containers.specification import users
from runtime.errors import BadParameter, EngineError
from runtime.images.compression import BLOCK, Compression, detect, unpacked

_GLOB = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Wish:
    """One COPY or ADD, its variables replaced. `target` keeps a slash at its end; `origin`: what `--from` says."""

    sources: tuple[str, ...]
    documents: tuple[tuple[str, bytes], ...]
    target: str
    origin: str
    owner: str
    mode: int | None
    checksum: str
    unpacks: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One file or directory below an open root; `name`: what it is called in a target that is a directory."""

    root: int
    path: str
    name: str
    unpacks: bool = False


def wish(instruction: Instruction, runtime: Mapping[str, Any], variables: Mapping[str, str], escape: str) -> Wish:
    """Read an instruction. Raises BadParameter."""
    rules = Rules(escape=escape)
    given = flags(instruction)
    documents = {heredoc.name: heredoc for heredoc in instruction.heredocs}
    *sources, target = instruction.values
    plain = [text for text in sources if not _document_name(text, documents)]
    target = expand(target, variables, rules)
    if not target:
        raise BadParameter(f"{instruction.word.upper()} needs a destination")
    directory = target.endswith("/") or target in (".", "..") or target.endswith("/.")
    chosen = expand(given.get("chmod", [""])[0], variables, rules)
    return Wish(
        sources=tuple(expand(text, variables, rules) for text in plain),
        documents=tuple((name, _text(each, variables, rules)) for name, each in documents.items()),
        target=configure.directory(runtime, target).rstrip("/") + ("/" if directory else ""),
        origin=expand(given.get("from", [""])[0], variables, rules),
        owner=expand(given.get("chown", [""])[0], variables, rules),
        mode=_mode(chosen) if chosen else None,
        checksum=expand(given.get("checksum", [""])[0], variables, rules),
        unpacks=instruction.word == "add" and given.get("unpack") != ["false"],
    )


def _document_name(text: str, documents: Mapping[str, Heredoc]) -> bool:
    return text.lstrip("0123456789").startswith("<<") and bool(documents)


def _text(heredoc: Heredoc, variables: Mapping[str, str], rules: Rules) -> bytes:
    text = chomped(heredoc)
    if heredoc.expands:
        text = expand(text, variables, replace(rules, quotes=False))
    return text.encode("utf-8", "surrogateescape")


def _mode(text: str) -> int:
    if not re.fullmatch(r"[0-7]{1,4}", text, re.ASCII):
        raise BadParameter(f'invalid chmod parameter: "{text}". it should be octal string and between 0 and 07777')
    return int(text, 8)


def find(root: int, sources: Sequence[str], *, context: bool, unpacks: bool) -> list[Source]:
    """Find what sources mean below a root. Raises: BadParameter with Docker's sentences."""
    found: list[Source] = []
    for text in sources:
        paths = _globbed(root, text) if _GLOB.search(text) else [_inside(text)]
        if not paths:
            raise BadParameter("COPY failed: no source files were specified")
        for path in paths:
            _check(root, path, text, context=context)
            found.append(Source(root, path, posixpath.basename(path), unpacks))
    return found


def _inside(text: str) -> str:
    if "\0" in text:
        raise BadParameter("a path with a NUL byte names nothing")
    return posixpath.normpath(f"/{text}").lstrip("/") or "."


def _check(root: int, path: str, text: str, *, context: bool) -> None:
    try:
        with trees.opened(root, path, os.O_PATH):
            return
    except OSError:
        where = "file not found in build context or excluded by .dockerignore: " if context else ""
        raise BadParameter(f"COPY failed: {where}stat {text.lstrip('/')}: file does not exist") from None


def _globbed(root: int, pattern: str) -> list[str]:
    """Find the paths that a pattern fits, name by name; `*` does not fit a slash (Go's filepath.Match)."""
    found = [""]
    for part in _inside(pattern).split("/"):
        expression = re.compile(fnmatch.translate(_translated(part)), re.DOTALL)
        found = [
            posixpath.join(above, name) for above in found for name in _names(root, above) if expression.match(name)
        ]
    return sorted(found)


def _translated(part: str) -> str:
    """Write Go's pattern as Python's: `[^` is `[!`, a backslash takes a character as it is."""
    return re.sub(r"\\(.)", lambda match: f"[{match[1]}]", part.replace("[^", "[!"))


def _names(root: int, path: str) -> list[str]:
    with suppress(OSError), trees.opened(root, path or ".", os.O_RDONLY | os.O_DIRECTORY) as fd:
        return [entry.name for entry in os.scandir(fd)]
    return []


def summed(sources: Sequence[Source], wish: Wish, *, owners: bool) -> str:
    """Give a digest of what would be copied: the cache's question."""
    total = trees.Sum(owners=owners)
    total.text(wish.target, wish.owner, str(wish.mode), str(wish.unpacks))
    for source in sources:
        try:
            with trees.readable(source.root, source.path) as fd:
                total.add(fd, source.name)
        except OSError as error:
            raise EngineError(f"COPY failed: {error.strerror}: {source.path}") from error
    for name, text in wish.documents:
        total.text(name, text.decode("utf-8", "surrogateescape"))
    return total.value()


def owner_of(root: Path, wish: Wish) -> tuple[int, int] | None:
    """Find the numbers of `--chown` in the image's own files; a name alone is a group's too. Raises BadParameter."""
    if not wish.owner:
        return None
    name, _, group = wish.owner.partition(":")
    found = users.find(root, f"{name}:{group or name}")
    return found.uid, found.gid


def put(root: Path, sources: Sequence[Source], wish: Wish, rules: trees.Rules) -> None:
    """Copy everything to its place in the file system at `root`. Raises: BadParameter, EngineError."""
    target = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        several = len(sources) + len(wish.documents) > 1
        if several and not wish.target.endswith("/") and not trees.is_directory(target, wish.target):
            raise BadParameter(
                "When using COPY or ADD with more than one source file, the destination must be a directory and end "
                "with a /"
            )
        for source in sources:
            _put(root, target, source, wish, rules)
        for name, text in wish.documents:
            _write(target, name, text, wish, rules)
    except OSError as error:
        raise EngineError(f"COPY failed: {error.strerror}: {error.filename or wish.target}") from error
    finally:
        os.close(target)


def _put(root: Path, target: int, source: Source, wish: Wish, rules: trees.Rules) -> None:
    copying = trees.Copying(target, rules)
    with trees.readable(source.root, source.path) as fd:
        kind = os.fstat(fd).st_mode
        if stat.S_ISDIR(kind):
            there = trees.directory_at(target, wish.target, rules.owner or (0, 0))
            try:
                copying.contents(fd, there, wish.target.rstrip("/"))
            finally:
                os.close(there)
            return
        if source.unpacks and stat.S_ISREG(kind) and is_archive(fd):
            _unpack(root, target, fd, wish, rules)
            return
        directory, name = _place(target, wish.target, source.name)
        there = trees.directory_at(target, directory, rules.owner or (0, 0))
        try:
            copying.file(fd, there, name, posixpath.join(directory, name))
        finally:
            os.close(there)


def _place(target: int, path: str, name: str) -> tuple[str, str]:
    """Say in which directory, and under which name, a file is put."""
    if path.endswith("/") or trees.is_directory(target, path):
        return path, name
    return posixpath.split(path)


def _write(target: int, name: str, text: bytes, wish: Wish, rules: trees.Rules) -> None:
    directory, name = _place(target, wish.target, posixpath.basename(name))
    if not name or name in (".", ".."):
        raise BadParameter(f"a document cannot be called {name!r}")
    there = trees.directory_at(target, directory, rules.owner or (0, 0))
    source = os.memfd_create("document", os.MFD_CLOEXEC)
    try:
        os.write(source, text) if len(text) < BLOCK else _write_all(source, text)
        os.lseek(source, 0, os.SEEK_SET)
        copying = trees.Copying(target, trees.Rules(rules.owner or (0, 0), 0o644 if rules.mode is None else rules.mode))
        copying.file(source, there, name, posixpath.join(directory, name))
    finally:
        os.close(source)
        os.close(there)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _unpack(root: Path, target: int, fd: int, wish: Wish, rules: trees.Rules) -> None:
    os.close(trees.directory_at(target, wish.target, rules.owner or (0, 0)))
    archive.extract(View(root), wish.target or "/", _blocks(fd), keeps_kinds=False, owner=rules.owner)


def is_archive(fd: int) -> bool:
    """Tell whether an open file is a tar, plain or compressed, by its first header; it is read from its beginning."""
    try:
        first = b""
        for block in unpacked(_blocks(fd))[1]:
            first += block
            if len(first) >= tarfile.BLOCKSIZE:
                break
        tarfile.TarInfo.frombuf(first[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except (tarfile.TarError, EngineError, OSError, EOFError, lzma.LZMAError, ValueError):
        return False
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    return True


def _blocks(fd: int) -> Iterator[bytes]:
    """Read a file from its beginning; what is packed with bzip2 or xz comes unpacked."""
    os.lseek(fd, 0, os.SEEK_SET)
    head = os.pread(fd, 6, 0)
    with os.fdopen(os.dup(fd), "rb") as plain:
        if detect(head) is not Compression.OTHER:
            yield from iter(lambda: plain.read(BLOCK), b"")
            return
        with bz2.open(plain) if head.startswith(b"BZh") else lzma.open(plain) as file:
            yield from iter(lambda: file.read(BLOCK), b"")
