"""Containers' volumes: taken when a container is made, filled from its image, in use while it runs, left at its end."""

import os
from contextlib import ExitStack
from pathlib import Path

from runtime.containers import rootfs
from runtime.containers.archives.copying import copy_tree
from runtime.containers.model import Container, Mount
from runtime.containers.services import Services
from runtime.containers.specification.rooted import open_inside
from runtime.errors import EngineError


def of(container: Container) -> list[Mount]:
    """The mounts that are volumes."""
    return [mount for mount in container.mounts if mount.kind == "volume"]


def take(services: Services, container: Container, undo: ExitStack) -> None:
    """Make what is missing, keep all from being removed, and fill what is empty. Raises EngineError."""
    for mount in of(container):
        services.stores.prepare(mount)
        if mount.anonymous:
            undo.callback(services.stores.remove, mount.source)
        services.stores.hold(mount.source, container.id)
        undo.callback(services.stores.drop, mount.source, container.id)
    filled = [mount for mount in of(container) if mount.copies]
    if filled:
        _fill(services, container, filled)


def leave(services: Services, container: Container, *, with_anonymous: bool) -> None:
    """A container is removed: its volumes may be, and those without a name are where that is wanted."""
    for mount in of(container):
        services.stores.drop(mount.source, container.id)
        if mount.anonymous and with_anonymous:
            services.stores.remove(mount.source)


def sources(services: Services, container: Container) -> dict[str, str]:
    """Each bind's and volume's place on the host, by target; volumes are in use from now on. Raises EngineError."""
    found = {}
    for mount in container.mounts:
        if mount.kind == "volume":
            found[mount.target] = str(services.stores.mount(mount.source, container.id))
        elif mount.kind == "bind":
            found[mount.target] = _bound(mount)
    return found


def release(services: Services, container: Container) -> None:
    """The container does not run any more."""
    for mount in of(container):
        services.stores.release(mount.source, container.id)


def _bound(mount: Mount) -> str:
    path = Path(mount.source)
    if not os.path.exists(path):  # noqa: PTH110  # what cannot be looked at is not there
        if not mount.makes_source:
            raise EngineError(f'invalid mount config for type "bind": bind source path does not exist: {path}')
        try:
            path.mkdir(parents=True, mode=0o755, exist_ok=True)
        except OSError as error:
            raise EngineError(f"error while creating mount source path '{path}': {error.strerror}") from error
    return mount.source


def _fill(services: Services, container: Container, filled: list[Mount]) -> None:
    """Copy what the image has at each empty volume's place into it; links are followed inside the image only."""
    with ExitStack() as stack:
        stack.callback(_rmdir, container.run)
        stack.callback(rootfs.unmount, container.root)
        services.roots.mount(container.root, services.lowers(container), container.directory)
        root = os.open(container.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, root)
        for mount in filled:
            target = services.stores.mount(mount.source, container.id)
            try:
                if not any(target.iterdir()):
                    _copy(root, mount.target, target)
            finally:
                services.stores.release(mount.source, container.id)


def _copy(root: int, path: str, target: Path) -> None:
    try:
        source = open_inside(root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
    except OSError:
        return  # the image has nothing there
    try:
        copy_tree(source, target)
    except OSError as error:
        raise EngineError(f"failed to populate volume: {error}") from error
    finally:
        os.close(source)


def _rmdir(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
