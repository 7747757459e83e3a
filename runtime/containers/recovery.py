"""The daemon starts: what containers there are, which of them live, and what a killed daemon left half done.

Every start writes `starting` first, so a container is in one of five states: it runs and is watched again; it ended
meanwhile, and conmon wrote how; it was being started, and had begun (then it counts as started) or had not (then all of
it is undone); it is not running, and whatever is still there of it is taken away; its record is damaged, and it is left
alone and said.
"""

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runtime.containers import creation, launch, model, restart, rootfs, volumes
from runtime.containers.conmon import ATTACH, exit_file
from runtime.containers.endings import Endings
from runtime.containers.model import EXITED, PAUSED, RESTARTING, RUNNING, Container
from runtime.containers.services import Services, log
from runtime.containers.specification import groups
from runtime.containers.supervisor import processes_of, supervises
from runtime.errors import BadParameter, Conflict, EngineError

_GONE_WITHIN = 10.0


def recover(services: Services, endings: Endings) -> None:
    """Put everything in order. Raises OSError where the data root cannot be used."""
    services.directory.mkdir(mode=0o700, exist_ok=True)
    services.graves.mkdir(mode=0o700, exist_ok=True)
    for gone in services.graves.iterdir():
        endings.bury(gone)
    services.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    services.run.chmod(0o700)
    found = _read(services)
    ended = [container for container in found if not _lives(services, container)]
    alive = {container.id: container.state.pid for container in found if container not in ended}
    services.cables.recover(alive)
    for container in found:
        with container.lock:
            if container.id in alive:
                _adopt(services, endings, container)
            else:
                _settle(services, endings, container)
    _sweep(services, {container.id for container in found})
    for container in ended:
        with container.lock:
            _again(endings, container)


def _read(services: Services) -> list[Container]:
    """Every container with a whole record; what was half made goes."""
    found = []
    for directory in sorted(services.directory.iterdir()):
        if directory.name.startswith(creation.NEW):
            shutil.rmtree(directory, ignore_errors=True)
            continue
        try:
            container = model.load(directory, services.run / directory.name)
            if container.id != directory.name:
                raise ValueError(f"{directory} says that it is {container.id}")
            services.register.reserve(container.name, container.id)
        except (OSError, ValueError, Conflict, BadParameter) as error:
            log.error("container %s is left alone: %s", directory.name, error)
            continue
        services.register.add(container)
        services.images.layers.hold(creation.holder(container.id), services.digests(container))
        for mount in volumes.of(container):
            services.stores.hold(mount.source, container.id)
        found.append(container)
    return found


def _lives(services: Services, container: Container) -> bool:
    """Whether its supervisor is there and its process has begun; one that was about to begin takes the new state."""
    state = container.state
    if state.alive:
        return supervises(state.supervisor, container.id)
    if not state.starting:
        return False
    supervisor, pid = _number(container.bundle / "conmon.pid"), _number(container.bundle / "pid")
    if not supervises(supervisor, container.id) or services.runtime.status(container.id) != "running":
        return False
    begun = (container.bundle / "pid").stat().st_mtime_ns
    container.become(replace(state, status=RUNNING, pid=pid, supervisor=supervisor, started_at=begun, starting=False))
    return True


def _adopt(services: Services, endings: Endings, container: Container) -> None:
    """Watch a container again that lived through the daemon's death."""
    status = PAUSED if groups.frozen(container) else RUNNING
    if status != container.state.status:
        container.become(replace(container.state, status=status))
    try:
        for mount in volumes.of(container):
            services.stores.mount(mount.source, container.id)
        services.streams.dial(container.id, container.bundle / ATTACH, container.state.pid)
    except EngineError as error:
        log.warning("container %s: %s", container.id, error)
    endings.watch(container)


def _settle(services: Services, endings: Endings, container: Container) -> None:
    """A container that does not run: note the end that nobody saw, and take away what is left."""
    state = container.state
    ended_while_starting = state.starting and exit_file(container).exists() and _had_begun(services, container)
    if state.alive or ended_while_starting:
        if not state.alive:
            container.become(replace(state, started_at=(container.bundle / "pid").stat().st_mtime_ns))
        endings.finish(container, at_start=True)
        return
    if state.starting:
        container.become(replace(state, starting=False))
    _end_processes(container)
    launch.forget_exit(container)
    launch.tidy(services, container)
    if container.host_config["AutoRemove"] and (state.status == EXITED or state.starting):
        endings.remove_later(container)


def _had_begun(services: Services, container: Container) -> bool:
    """Whether the process ran: then it has taken its start, and runc knows it as stopped, not as created."""
    return not (services.runtime.root / container.id / "exec.fifo").exists()


def _end_processes(container: Container) -> None:
    """End conmon and runc processes that a start left, and wait until they are gone."""
    limit = time.monotonic() + _GONE_WITHIN
    while processes := processes_of(frozenset({container.id})).get(container.id):
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > limit:
            log.warning("container %s: processes %s do not end", container.id, processes)
            return
        time.sleep(0.01)


def _again(endings: Endings, container: Container) -> None:
    """Start what its policy wants running, now that everything else is in order."""
    state = container.state
    if container.removed or state.status not in {EXITED, RESTARTING}:
        return
    policy = container.host_config["RestartPolicy"]
    if state.status == RESTARTING or restart.wanted(
        policy, exit_code=state.exit_code, restarts=state.restarts, by_hand=state.by_hand, at_start=True
    ):
        if state.status != RESTARTING:
            container.become(replace(state, status=RESTARTING))
        endings.start_later(container)


def _sweep(services: Services, known: set[str]) -> None:
    """Take away the mounts and directories of containers that are not there any more."""
    for directory in services.run.iterdir():
        if directory.name not in known:
            for point in rootfs.mounted_below(directory):
                rootfs.unmount(point)
            shutil.rmtree(directory, ignore_errors=True)
    oci = services.settings.run / "oci"
    for directory in oci.iterdir() if oci.is_dir() else ():
        if directory.name not in known:
            try:
                services.runtime.delete(directory.name)
            except EngineError as error:
                log.warning("container %s: %s", directory.name, error)


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
