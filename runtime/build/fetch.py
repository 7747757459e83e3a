"""ADD from a URL, and contexts from one: one request, bounded in bytes and time. http and https only.

Source: Dockerfile reference, ADD. Redirects are followed, a few; nothing of ours is sent along.
"""

import email.utils
import hashlib
import os
import posixpath
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import urllib3

from runtime.errors import BadParameter, EngineError

LIMIT = 20 * 2**30
TIMEOUT = urllib3.Timeout(connect=20.0, read=60.0)
ALL_WITHIN = 3600.0
_BLOCK = 2**20


def is_url(text: str) -> bool:
    """Tell whether a source is one that is fetched."""
    return text.startswith(("http://", "https://"))


def is_git(text: str) -> bool:
    """Tell whether a source is a git repository, which the engine does not fetch."""
    return text.startswith(("git://", "git@", "ssh://", "github.com/")) or (
        is_url(text) and urlsplit(text).path.endswith(".git")
    )


def name_of(url: str) -> str:
    """Give the name that a fetched file has in a directory. Raises BadParameter where there is none."""
    name = posixpath.basename(unquote(urlsplit(url).path))
    if not name or name in (".", "..") or "\0" in name or "/" in name:
        raise BadParameter(f"cannot determine filename from url: {url}")
    return name


def fetched(url: str, directory: Path, checksum: str = "") -> Path:
    """Fetch a file into a directory, readable by its owner only, with the time that the server gives.

    Args:   checksum: `sha256:HEX` that it has to have, or "".
    Raises: BadParameter; EngineError where the server does not give it.
    """
    path = directory / name_of(url)
    digest = hashlib.sha256()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        moment = 0
        for block, told in _content(url):
            moment = told
            digest.update(block)
            file.write(block)
    if checksum and checksum != f"sha256:{digest.hexdigest()}":
        raise BadParameter(f"digest mismatch sha256:{digest.hexdigest()}: {checksum}")
    os.utime(path, (moment, moment))
    return path


def blocks(url: str) -> Iterator[bytes]:
    """Give a URL's content. Raises as `fetched`."""
    for block, _ in _content(url):
        yield block


def _content(url: str) -> Iterator[tuple[bytes, int]]:
    """Give blocks, each with the time of the server's Last-Modified, or 0; one empty block where there is nothing."""
    end = time.monotonic() + ALL_WITHIN
    size = 0
    try:
        with (
            urllib3.PoolManager(timeout=TIMEOUT, retries=urllib3.Retry(3, redirect=5)) as pool,
            pool.request("GET", url, preload_content=False, decode_content=False) as answer,
        ):
            if answer.status != 200:
                raise EngineError(f"ADD failed: {url} answered with status {answer.status}")
            moment = _moment(answer.headers.get("Last-Modified", ""))
            yield b"", moment
            while block := answer.read(_BLOCK):
                size += len(block)
                if size > LIMIT or time.monotonic() > end:
                    raise EngineError(f"ADD failed: {url} gives more than {LIMIT} bytes, or takes too long")
                yield block, moment
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineError(f"ADD failed: {url}: {error}") from error


def _moment(text: str) -> int:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        return 0
