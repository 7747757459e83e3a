"""The files that came with a build: spread out in a private directory by the same locked-in process as a layer.

What lies there is the client's: it is only ever opened inside. Source: moby's builder/remotecontext.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.build import ignore, parser, trees
from runtime.errors import BadParameter
from runtime.images.layers import Layers
from runtime.images.unpack import BadLayer, room, unpack

DOCKERFILE = "Dockerfile"
IGNORE = ".dockerignore"


@dataclass(frozen=True, slots=True)
class Context:
    """`path`: the directory; `root`: it, open; `spare`: a directory beside it for what else the build fetches."""

    path: Path
    root: int
    spare: Path

    def dockerfile(self, name: str) -> str:
        """Read the Dockerfile. Raises BadParameter."""
        text = self._read(name)
        if text is None and name == DOCKERFILE:
            text = self._read(name.lower())
        if text is None:
            raise BadParameter(f"Cannot locate specified Dockerfile: {name}")
        if not text.strip():
            raise BadParameter(f"the Dockerfile ({name}) cannot be empty")
        return text

    def forget_ignored(self, dockerfile: str) -> None:
        """Remove what was sent for the builder only: Dockerfile and .dockerignore, where the latter names them."""
        ignored = ignore.parse(self._read(IGNORE) or "")
        for name in (IGNORE, dockerfile):
            with suppress(OSError):
                if ignored.leaves_out(name.lstrip("/")) and "/" not in name.strip("/"):
                    os.unlink(name.strip("/"), dir_fd=self.root)

    def _read(self, name: str) -> str | None:
        try:
            with trees.readable(self.root, name) as fd, open(fd, "rb", closefd=False) as file:
                return file.read(parser.LIMIT + 1).decode("utf-8", "replace")
        except (OSError, ValueError, BadParameter):
            return None


@contextmanager
def received(layers: Layers, blocks: Iterator[bytes]) -> Iterator[Context]:
    """Take a context in, for as long as the build goes on. Raises: BadParameter; what reading `blocks` raises."""
    with layers.scratch() as directory:
        files, spare = directory / "files", directory / "spare"
        files.mkdir(mode=0o755)
        spare.mkdir(mode=0o700)
        try:
            unpack(blocks, files, room(directory))
        except BadLayer as error:
            raise BadParameter(f"the build context cannot be read: {error}") from error
        root = os.open(files, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield Context(files, root, spare)
        finally:
            os.close(root)
