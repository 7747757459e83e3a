"""Starts a container: mounts, addresses, files, config.json, conmon, clients, cables, and then its process.

Whatever fails, all that was done before is undone (`tidy`, which is harmless at any time and is what recovery calls
too), and the message is Docker's, for the CLI takes its exit code (125, 126, 127) from the words.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runtime import programs
from runtime.containers import etc_files, rootfs, volumes
from runtime.containers.conmon import ATTACH, CreateFailed, exit_file
from runtime.containers.model import CREATED, EXITED, RUNNING, Container, State
from runtime.containers.oci_runtime import plain
from runtime.containers.services import Services, log
from runtime.containers.specification import capabilities, groups, security, spec, users
from runtime.errors import Conflict, EngineError, Unavailable
from runtime.programs import ProgramFailed

COMMAND_NOT_FOUND, COMMAND_REFUSED, OTHER = 127, 126, 128
_NOT_FOUND = ("executable file not found", "no such file or directory")
_REFUSED = ("permission denied", "is a directory")
_INIT_PROGRAMS = ("docker-init", "tini", "catatonit")


class StartFailed(EngineError):
    """The container could not be started. `exit_code` is what its state shows, as in Docker."""

    def __init__(self, message: str, exit_code: int, status: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.status = status


def launch(services: Services, container: Container, restarts: int = 0) -> None:
    """Start a container whose lock is held and that does not run. Raises: StartFailed; all is undone then."""
    before = container.state
    try:
        container.enter(replace(before, starting=True, by_hand=False, error=""))
        pid, supervisor = _bring_up(services, container)
    except (EngineError, OSError) as error:
        failed = failure(error)
        tidy(services, container)
        status = CREATED if before.status == CREATED else EXITED
        after = replace(before, status=status, pid=0, exit_code=failed.exit_code, error=str(failed), restarts=restarts)
        container.become(after)
        raise failed from error
    now = time.time_ns()
    container.become(State(RUNNING, pid, supervisor, started_at=now, finished_at=before.finished_at, restarts=restarts))


def tidy(services: Services, container: Container, *, ended: bool = False) -> None:
    """Take away all that a start makes; harmless at any time, and whatever part of it is there.

    `ended`: conmon has seen its process end, so that nothing but what it left in its groups has to be killed.

    What cannot be taken away is logged: an end must not stop half way.
    """
    steps: tuple[Callable[[], object], ...] = (
        lambda: services.streams.hang_up(container.id),
        lambda: None if ended else services.runtime.delete(container.id),
        lambda: groups.remove(container),
        lambda: services.runtime.forget(container.id) if ended else None,
        lambda: services.cables.unplug(container),
        lambda: rootfs.unmount(container.root),
        lambda: rootfs.unmount(container.run / "shm"),
        lambda: volumes.release(services, container),
        lambda: _remove_directory(container.run),
    )
    for step in steps:
        try:
            step()
        except Unavailable:
            pass  # no runtime is installed: then nothing of it is there
        except (EngineError, OSError) as error:
            log.warning("container %s: not all of it could be taken away: %s", container.id, error)


def failure(error: Exception) -> StartFailed:
    """Put an error in Docker's words, with the exit code that goes with them."""
    if isinstance(error, CreateFailed | ProgramFailed):
        said = error.said if isinstance(error, ProgramFailed) else str(error)
        message = f"failed to create task for container: OCI runtime create failed: {plain(said)}: unknown"
    else:
        message = str(error)
    lowered = message.lower()
    if any(words in lowered for words in _NOT_FOUND) and "exec" in lowered:
        return StartFailed(message, COMMAND_NOT_FOUND, 400)
    if any(words in lowered for words in _REFUSED) and "exec" in lowered:
        return StartFailed(message, COMMAND_REFUSED, 400)
    return StartFailed(message, OTHER, getattr(error, "status", 500))


def _bring_up(services: Services, container: Container) -> tuple[int, int]:
    conmon = services.conmon
    services.roots.mount(container.root, services.lowers(container), container.directory)
    sources = volumes.sources(services, container)
    services.cables.allocate(container)
    found = _findings(services, container, sources)
    document = spec.document(container, found)
    (container.bundle / "config.json").write_text(json.dumps(document), encoding="utf-8")
    created = conmon.create(container)
    services.streams.dial(container.id, container.bundle / ATTACH, created.pid)
    services.cables.plug(container, created.pid)
    services.runtime.start(container.id)
    return created.pid, created.supervisor


def _findings(services: Services, container: Container, sources: dict[str, str]) -> spec.Findings:
    host = container.host_config
    caps = capabilities.given(
        host["CapAdd"] or (), host["CapDrop"] or (), privileged=host["Privileged"], ours=services.capabilities
    )
    return spec.Findings(
        user=users.find(container.root, container.config["User"], host["GroupAdd"] or ()),
        capabilities=caps,
        seccomp=_seccomp(services, container, caps),
        abilities=services.abilities,
        hostname=_hostname(container),
        sources=sources,
        namespaces=_namespaces(services, container),
        files=etc_files.write(services, container),
        shm=_shared_memory(services, container),
        init=_init() if host["Init"] else "",
        rootless=services.settings.rootless,
    )


def _hostname(container: Container) -> str:
    return os.uname().nodename if container.host_config["UTSMode"] == "host" else container.config["Hostname"]


def _seccomp(services: Services, container: Container, caps: tuple[str, ...]) -> dict[str, object] | None:
    """The profile: none where the container is privileged or the user says unconfined; a client sends its own whole."""
    wanted = security.read(container.host_config["SecurityOpt"] or ()).seccomp
    if wanted not in {security.UNCONFINED, security.BUILTIN}:
        return services.seccomp.custom(wanted, caps)
    if wanted == security.UNCONFINED or container.host_config["Privileged"]:
        return None
    return services.seccomp.default(caps)


def _namespaces(services: Services, container: Container) -> dict[str, str]:
    """Namespaces that are not the container's own: "" for the host's, else a path to another container's."""
    host = container.host_config
    modes = {"pid": host["PidMode"], "ipc": host["IpcMode"], "uts": host["UTSMode"], "network": host["NetworkMode"]}
    found = {}
    for kind, mode in modes.items():
        if mode == "host":
            found[kind] = ""
        elif mode.startswith("container:"):
            found[kind] = _of_other(services, mode.removeprefix("container:"), "net" if kind == "network" else kind)
    if host["CgroupnsMode"] == "host":
        found["cgroup"] = ""
    return found


def _of_other(services: Services, reference: str, kind: str) -> str:
    other = services.register.get(reference)
    if not other.state.alive:
        raise Conflict(
            f"cannot join {kind} namespace of a non running container: container {other.name} is not running"
        )
    if kind == "ipc" and other.host_config["IpcMode"] not in {"shareable", "host"}:
        raise Conflict(f"non-shareable IPC (hint: use IpcMode:shareable for the donor container): {other.id}")
    return f"/proc/{other.state.pid}/ns/{kind}"


def _shared_memory(services: Services, container: Container) -> str:
    """Shared memory on the host, where another container, or the host, has the same one."""
    mode = container.host_config["IpcMode"]
    if mode == "host":
        return "/dev/shm"  # noqa: S108
    if mode.startswith("container:"):
        other = services.register.get(mode.removeprefix("container:"))
        return "/dev/shm" if other.host_config["IpcMode"] == "host" else str(other.run / "shm")  # noqa: S108
    if mode != "shareable":
        return ""
    services.roots.shm(container.run / "shm", container.host_config["ShmSize"])
    return str(container.run / "shm")


def _init() -> str:
    """A small init program of the host's (`--init`)."""
    for name in _INIT_PROGRAMS:
        with suppress(Unavailable):
            return programs.find(name)
    raise Unavailable(
        "exec: docker-init, tini or catatonit not found on the host; install one with: apt-get install tini"
    )


def _remove_directory(path: Path) -> None:
    """Remove the run directory; never into a mount that could not be taken away."""
    try:
        path.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno != errno.ENOTEMPTY or rootfs.mounted_below(path):
            raise
        shutil.rmtree(path)


def forget_exit(container: Container) -> None:
    """Remove the exit code of a run that never counted."""
    exit_file(container).unlink(missing_ok=True)
