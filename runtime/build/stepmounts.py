"""The mounts of one RUN: directories of the host that are its source, and the places that are tidied up after it.

A bind's source is looked up inside its root and read-only; a cache lives until it is pruned; of a mount's place that
the image has not, nothing stays in the layer.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from runtime.build import trees
from runtime.build.context import Context
from runtime.build.mounts import BuildMount
from runtime.build.services import Services
from runtime.errors import BadParameter
from runtime.images.layers import Layers
from storage.digest import Digest

Find = Callable[[str], Sequence[Digest]]


class Mounts:
    """Prepares them, for as long as the step runs. `find`: the layers of a stage or an image by name."""

    def __init__(self, services: Services, context: Context, stack: ExitStack, find: Find) -> None:
        self._services = services
        self._context = context
        self._stack = stack
        self._find = find

    def prepared(self, wanted: Sequence[BuildMount]) -> list[dict[str, Any]]:
        """Give Docker's HostConfig.Mounts. Raises: BadParameter, EngineError."""
        return [self._prepared(mount) for mount in wanted]

    def _prepared(self, mount: BuildMount) -> dict[str, Any]:
        if mount.kind == "tmpfs":
            return {"Type": "tmpfs", "Target": mount.target, "TmpfsOptions": {"SizeBytes": mount.size}}
        source = self._cache(mount) if mount.kind == "cache" else self._bind(mount)
        return {
            "Type": "bind",
            "Source": source,
            "Target": mount.target,
            "ReadOnly": not mount.writable,
            "BindOptions": {"Propagation": "rprivate"},
        }

    def _cache(self, mount: BuildMount) -> str:
        name = hashlib.sha256(mount.identity.encode("utf-8", "surrogateescape")).hexdigest()
        path = self._services.caches / name
        if not path.exists():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(path, mount.uid, mount.gid)
            path.chmod(mount.mode)
        return str(path)

    def _bind(self, mount: BuildMount) -> str:
        if mount.origin:
            workspace = self._stack.enter_context(self._services.workspaces.mounted(self._find(mount.origin)))
            root = workspace.root
        elif mount.writable:
            raise BadParameter("RUN --mount=type=bind,rw needs a from=: the build context is not written to")
        else:
            root = self._context.path
        fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with trees.opened(fd, mount.source or "/", os.O_PATH) as found:
                return str(Path(f"/proc/self/fd/{found}").readlink())
        except OSError as error:
            raise BadParameter(f"invalid mount: {mount.source}: {error.strerror}") from None
        finally:
            os.close(fd)


def tidier(layers: Layers, diff_ids: Sequence[Digest], wanted: Sequence[BuildMount]) -> Callable[[Path], None]:
    """Make what removes the places of mounts from a step's changes: empty ones that no layer below has."""
    below = [layers.path(diff_id) for diff_id in diff_ids]

    def tidy(upper: Path) -> None:
        for mount in wanted:
            parts = [part for part in mount.target.split("/") if part not in ("", ".", "..")]
            for depth in range(len(parts), 0, -1):
                place = "/".join(parts[:depth])
                if any(os.path.lexists(layer / place) for layer in below):  # a link counts too
                    break
                if not _removed(upper, place):
                    break

    return tidy


def _removed(upper: Path, place: str) -> bool:
    """Remove an empty directory or file that a mount was put on; links on the way are not followed."""
    parent, _, name = place.rpartition("/")
    with suppress(OSError):
        fd = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with trees.opened(fd, parent or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) as directory:
                try:
                    os.rmdir(name, dir_fd=directory)
                except NotADirectoryError:
                    if os.stat(name, dir_fd=directory, follow_symlinks=False).st_size:
                        return False
                    os.unlink(name, dir_fd=directory)
                return True
        finally:
            os.close(fd)
    return False
