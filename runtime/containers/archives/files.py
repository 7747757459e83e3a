"""A container's files as `docker cp`, `export` and `diff` see them: its root and what is bound into it, running or not.

Of one that runs, the root is mounted already; one that does not is mounted for the time, and kept from starting.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from runtime.containers import rootfs, volumes
from runtime.containers.archives.archive_process import View
from runtime.containers.archives.changes import Change, changes
from runtime.containers.archives.jail import Bind
from runtime.containers.model import Container
from runtime.containers.services import Services
from runtime.containers.specification import users
from runtime.errors import EngineError

PLACE = "files"


class Files:
    """Views of containers' files."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @contextmanager
    def view(self, container: Container, called: str = "") -> Iterator[View]:
        """Lend a view; begun and ended by one thread. `called`: the container's name for errors. Raises EngineError."""
        with container.lock:
            if not container.state.alive:
                with self._mounted(container) as (root, binds):
                    yield self._view(container, root, binds, called)
                return
            view = self._view(container, container.root, _bound(container), called)
        yield view

    def owner(self, container: Container, view: View) -> tuple[int, int]:
        """The user and group that the container runs as. Raises BadParameter."""
        user = users.find(view.root, container.config.get("User") or "")
        return user.uid, user.gid

    def changes(self, container: Container) -> list[Change]:
        """What the container changed in its image's files. Raises EngineError."""
        data = self._services.settings.data
        return changes(container.upper, [data / lower for lower in self._services.lowers(container)])

    def _view(self, container: Container, root: Path, binds: tuple[Bind, ...], called: str) -> View:
        read_only = bool(container.host_config.get("ReadonlyRootfs"))
        return View(root, binds, read_only, called, mounted=True, rootless=self._services.settings.rootless)

    @contextmanager
    def _mounted(self, container: Container) -> Iterator[tuple[Path, tuple[Bind, ...]]]:
        """Mount the root of a container that does not run, and find what is to be bound into it."""
        services, root = self._services, container.run / PLACE
        with ExitStack() as stack:
            stack.callback(_rmdir, container.run)
            stack.callback(rootfs.unmount, root)
            services.roots.mount(root, services.lowers(container), container.directory)
            stack.callback(volumes.release, services, container)
            sources = volumes.sources(services, container)
            writable = {mount.target: mount.writable for mount in container.mounts}
            yield root, tuple(Bind(source, target, not writable[target]) for target, source in sorted(sources.items()))


def _bound(container: Container) -> tuple[Bind, ...]:
    """What is bound into a container that runs, as its config.json says. Raises EngineError."""
    try:
        mounts = json.loads((container.bundle / "config.json").read_bytes())["mounts"]
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"the container's config.json cannot be read: {error}") from error
    found = []
    for mount in mounts:
        options = mount.get("options") or ()
        if {"bind", "rbind"} & set(options) and Path(mount["source"]).exists():
            found.append(Bind(mount["source"], mount["destination"], "ro" in options))
    return tuple(found)


def _rmdir(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()
