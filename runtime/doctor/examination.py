"""The doctor's findings, one line each: what is here, what is missing, and what to do about it."""

import grp
import os
from collections.abc import Iterator
from dataclasses import dataclass

from runtime import config, programs, rootless
from runtime.config import Settings
from runtime.doctor import tools
from runtime.doctor.machine import Machine, look

NOFILE_WANTED = 65536


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `good`: nothing has to be done; `serious`: something of the engine does not work."""

    text: str
    good: bool = True
    serious: bool = False

    def __str__(self) -> str:
        return f"{'ok     ' if self.good else 'MISSING' if self.serious else 'warning'}  {self.text}"


def findings(settings: Settings | None = None) -> tuple[Finding, ...]:
    """Examine the machine for an engine with these settings; by default those of this user."""
    chosen = config.read() if settings is None else settings
    machine = look(rootless=chosen.rootless)
    return (*_runtime(chosen), *_programs(chosen), *_kernel(machine), *_limits(machine), *_host(chosen, machine))


def warnings(settings: Settings) -> list[str]:
    """What containers on this machine have to do without, for `docker info`."""
    machine = look(rootless=settings.rootless)
    found = (*_runtime(settings), *_kernel(machine), *_limits(machine))
    return [finding.text for finding in found if not finding.good]


def _runtime(settings: Settings) -> Iterator[Finding]:
    """runc or crun, of which one is enough."""
    here = tools.runtimes(settings.runtime)
    if not here:
        missing = settings.runtime or "runc or crun"
        yield _missing(f"{missing} not found, so nothing can run; install it with: apt-get install runc conmon")
    for tool in here:
        holes = tools.open_holes(tool)
        yield (
            _warning(f"{holes}; unless your distribution fixed them, install a newer one")
            if holes
            else Finding(f"{tool.name} {tool.version} ({tool.path})")
        )


def _programs(settings: Settings) -> Iterator[Finding]:
    names = ["conmon", "nft", "ip", "mount", "nsenter"]
    for name in names:
        tool = tools.found(name)
        package = programs.PACKAGES.get(name, name)
        if tool is None:
            yield _missing(f"{name} not found; install it with: apt-get install {package}")
        else:
            yield Finding(f"{name} {tool.version} ({tool.path})".replace("  ", " "))


def _kernel(machine: Machine) -> Iterator[Finding]:
    if machine.overlay:
        yield Finding(f"Linux {machine.kernel} with overlay file systems")
    else:
        yield _missing("no overlay file system in this kernel, so nothing can run; try: modprobe overlay")
    if not machine.seccomp:
        yield _warning("no seccomp in this kernel: containers may use every system call")


def _limits(machine: Machine) -> Iterator[Finding]:
    lacking = [
        what
        for what, there in (
            ("memory", machine.memory_limit),
            ("cpu", machine.cpu_quota and machine.cpu_shares),
            ("cpuset", machine.cpu_set),
            ("pids", machine.pids_limit),
        )
        if not there
    ]
    if lacking:
        yield _warning(f"no control group for {', '.join(lacking)}: such limits of containers cannot be kept")
    else:
        yield Finding(f"limits of memory, cpu and pids by control groups, version {machine.cgroup_version}")
    if machine.memory_limit and not machine.swap_limit:
        yield _warning("no limit of swap: boot with swapaccount=1 on the kernel's command line")


def _host(settings: Settings, machine: Machine) -> Iterator[Finding]:
    if 0 < machine.nofile < NOFILE_WANTED:
        yield _warning(f"at most {machine.nofile} open files a process: containers get no higher ulimit than that")
    if os.geteuid() != 0:
        yield from map(_missing, rootless.lacking())
        return
    group = settings.socket_group
    try:
        grp.getgrnam(group)
    except KeyError:
        yield _warning(f"no group {group}, so only root may use the engine; let its members in with: groupadd {group}")


def _missing(text: str) -> Finding:
    return Finding(text, good=False, serious=True)


def _warning(text: str) -> Finding:
    return Finding(text, good=False)
