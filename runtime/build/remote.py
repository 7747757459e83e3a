"""A context that the engine fetches itself (`docker build URL`): a tar, or a Dockerfile alone.

Git repositories are not fetched. Source: Engine API, "Build an image", `remote`.
"""

import tarfile
from collections.abc import Iterator
from itertools import chain

from runtime.build import fetch, parser
from runtime.errors import BadParameter, Unsupported
from runtime.images import tar_format
from runtime.images.compression import Compression, detect
from runtime.images.tar_format import Entry


def context(url: str) -> Iterator[bytes]:
    """Give a context's blocks. Raises: Unsupported, BadParameter, EngineError."""
    if fetch.is_git(url):
        raise Unsupported("the engine does not fetch git repositories; clone it, and build the directory")
    if not fetch.is_url(url):
        raise BadParameter(f"invalid remote context: {url}")
    return _context(url)


def _context(url: str) -> Iterator[bytes]:
    blocks = fetch.blocks(url)
    first = b""
    while len(first) < tarfile.BLOCKSIZE and (block := next(blocks, None)) is not None:
        first += block
    if detect(first[:6]) is not Compression.NONE or first[257:262] == b"ustar":
        yield from chain([first], blocks)
        return
    text = first
    for block in blocks:
        text += block
        if len(text) > parser.LIMIT:
            raise BadParameter(f"{url} is neither a tar nor a Dockerfile")
    yield tar_format.header(Entry(b"Dockerfile", tar_format.FILE, size=len(text)))
    yield text + tar_format.padding(len(text)) + tar_format.END
