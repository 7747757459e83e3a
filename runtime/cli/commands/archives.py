"""Images as files: save, load, import. Source: docker/cli cli/command/image/{save,load,import}.go."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from runtime.cli.answers import BLOCK
from runtime.cli.client import segment
from runtime.cli.options import Failure, command, flag
from runtime.cli.progress import Progress
from runtime.cli.pumping import write_all
from runtime.cli.references import cut
from runtime.cli.session import Session

_PLATFORM = click.option("--platform", default=None, help="Only this platform of the image")


@command("[OPTIONS] IMAGE [IMAGE...]", least=1, of="image")
@click.option("-o", "--output", default="", help="Write to a file, instead of STDOUT")
@_PLATFORM
def save(session: Session, words: tuple[str, ...], output: str, platform: str | None) -> None:
    """Save one or more images to a tar archive (streamed to STDOUT by default)."""
    if not output and sys.stdout.isatty():
        raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    query = {"names": list(words), "platform": platform}
    if len(words) == 1:
        answer = session.client.ask("GET", f"/images/{segment(words[0])}/get", {"platform": platform})
    else:
        answer = session.client.ask("GET", "/images/get", query)
    store(answer.blocks(), output)


def store(blocks: Iterable[bytes], output: str) -> None:
    """Write a stream to a file, which is there only when it is whole, or to standard output. Raises: OSError."""
    if not output:
        for block in blocks:
            write_all(sys.stdout.fileno(), block)
        return
    target = Path(output)
    if target.exists() and not target.is_file():
        with target.open("wb", buffering=0) as file:  # a pipe or a device
            for block in blocks:
                write_all(file.fileno(), block)
        return
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with fresh.open("xb") as file:
            for block in blocks:
                file.write(block)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@command(most=0)
@click.option("-i", "--input", "source", default="", help="Read from tar archive file, instead of STDIN")
@_PLATFORM
@flag("-q", "--quiet", help="Suppress the load output")
def load(session: Session, source: str, platform: str | None, quiet: bool) -> None:
    """Load an image from a tar archive or STDIN."""
    if not source and sys.stdin.isatty():
        raise Failure("requested load from stdin, but stdin is empty")
    with opened(source) as file:
        query = {"quiet": 1 if quiet or not sys.stdout.isatty() else 0, "platform": platform}
        headers = {"Content-Type": "application/x-tar"}
        answer = session.client.ask("POST", "/images/load", query, blocks_of(file), headers)
        if answer.headers.get("content-type", "").startswith("application/json"):
            Progress(sys.stdout).show(answer.documents())
        else:
            click.echo(answer.read().decode("utf-8", "replace"), nl=False)


@command("[OPTIONS] file|URL|- [REPOSITORY[:TAG]]", least=1, most=2)
@click.option("-c", "--change", "changes", multiple=True, help="Apply Dockerfile instruction to the created image")
@click.option("-m", "--message", default=None, help="Set commit message for imported image")
@click.option("--platform", default=None, help="Set platform if server is multi-platform capable")
def import_(
    session: Session, words: tuple[str, ...], changes: tuple[str, ...], message: str | None, platform: str | None
) -> None:
    """Import the contents from a tarball to create a filesystem image."""
    source, target = words[0], cut(words[1]) if len(words) > 1 else None
    local = not source.startswith(("http://", "https://"))
    query = {
        "fromSrc": "-" if local else source,
        "message": message,
        "repo": target.repository if target else None,
        "tag": target.tag or None if target else None,
        "changes": list(changes),
        "platform": platform,
    }
    with opened("" if source == "-" or not local else source) as file:
        body = blocks_of(file) if local else None
        answer = session.client.ask("POST", "/images/create", query, body, {"Content-Type": "application/x-tar"})
        Progress(sys.stdout).show(answer.documents())


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """A file to read, or standard input for "". Raises: OSError."""
    if not name:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """A file's bytes in blocks."""
    return iter(lambda: file.read(BLOCK), b"")
