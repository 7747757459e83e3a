"""What this machine is and can: the kernel, its size, and which limits its control groups offer.

Source: cgroups(7), Linux admin guide "cgroup-v1" and "cgroup-v2"; the words are those of Docker's `GET /info`.
"""

import os
import re
import resource
import socket
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True, slots=True)
class Machine:
    """One look at the machine. `memory`: bytes; `nofile`: how many descriptors a process may be allowed here."""

    name: str
    kernel: str
    operating_system: str
    operating_system_version: str
    machine: str
    cpus: int
    memory: int
    nofile: int
    cgroup_version: str
    memory_limit: bool
    swap_limit: bool
    cpu_quota: bool
    cpu_shares: bool
    cpu_set: bool
    pids_limit: bool
    ipv4_forwarding: bool
    seccomp: bool
    overlay: bool

    @property
    def architecture(self) -> str:
        """The machine's architecture as images call it."""
        return _ARCHITECTURES.get(self.machine, self.machine)


def look(*, rootless: bool = False) -> Machine:
    """Look at the machine as it is now; an engine without root may set no limits."""
    system = os.uname()
    release = _release()
    unified = (_CGROUP / "cgroup.controllers").exists()
    limits = _limits_unified() if unified else _limits_by_hierarchy()
    if rootless:
        limits = dict.fromkeys(limits, False)
    return Machine(
        name=socket.gethostname(),
        kernel=system.release,
        operating_system=release.get("PRETTY_NAME", "Linux"),
        operating_system_version=release.get("VERSION_ID", ""),
        machine=system.machine,
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        nofile=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        cgroup_version="2" if unified else "1",
        ipv4_forwarding=_text("/proc/sys/net/ipv4/ip_forward") == "1",
        seccomp=Path("/proc/sys/kernel/seccomp/actions_avail").exists(),
        overlay=re.search(r"\toverlay$", _text("/proc/filesystems"), re.MULTILINE) is not None,
        **limits,
    )


def _limits_unified() -> dict[str, bool]:
    controllers = _text(_CGROUP / "cgroup.controllers").split()
    return {
        "memory_limit": "memory" in controllers,
        "swap_limit": "memory" in controllers,
        "cpu_quota": "cpu" in controllers,
        "cpu_shares": "cpu" in controllers,
        "cpu_set": "cpuset" in controllers,
        "pids_limit": "pids" in controllers,
    }


def _limits_by_hierarchy() -> dict[str, bool]:
    return {
        "memory_limit": (_CGROUP / "memory/memory.limit_in_bytes").exists(),
        "swap_limit": (_CGROUP / "memory/memory.memsw.limit_in_bytes").exists(),
        "cpu_quota": (_CGROUP / "cpu/cpu.cfs_quota_us").exists(),
        "cpu_shares": (_CGROUP / "cpu/cpu.shares").exists(),
        "cpu_set": (_CGROUP / "cpuset/cpuset.cpus").exists(),
        "pids_limit": (_CGROUP / "pids").is_dir(),
    }


def _release() -> dict[str, str]:
    """os-release(5) as far as it is shown."""
    pairs = re.findall(r'^(\w+)="?([^"\n]*)"?$', _text("/etc/os-release"), re.MULTILINE)
    return dict(pairs)


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
