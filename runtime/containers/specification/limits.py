"""What a container may use: memory, processors, processes and ulimits, checked and written for runc.

runc translates the runtime-spec's v1 words to cgroup v2 by itself. What this machine cannot limit is left out, and said
in a warning. Sentences as in Docker (moby, daemon/daemon_unix.go).
"""

import os
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import BadParameter

MINIMUM_MEMORY = 6 * 2**20
_PERIOD = 100_000
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What of cgroups this machine has for us."""

    memory: bool = True
    swap: bool = True
    cpu: bool = True
    pids: bool = True

    @classmethod
    def found(cls, cgroups: Path = _CGROUPS, *, rootless: bool = False) -> "Abilities":
        """Look: version 1 and hybrid have a directory a controller, version 2 one list of them."""
        if rootless:
            return cls(False, False, False, False)
        try:
            controllers = (cgroups / "cgroup.controllers").read_text(encoding="ascii").split()
        except OSError:
            swap = (cgroups / "memory/memory.memsw.limit_in_bytes").exists()
            memory, cpu, pids = ((cgroups / name).is_dir() for name in ("memory", "cpu", "pids"))
            return cls(memory, swap, cpu, pids)
        memory = "memory" in controllers
        return cls(memory, memory, "cpu" in controllers, "pids" in controllers)


def check(wanted: Mapping[str, Any], processors: int) -> None:
    """Refuse limits that cannot mean anything. Raises: BadParameter."""
    memory, swap = _number(wanted, "Memory"), _number(wanted, "MemorySwap")
    reservation, nano = _number(wanted, "MemoryReservation"), _number(wanted, "NanoCpus")
    if 0 < memory < MINIMUM_MEMORY:
        raise BadParameter("Minimum memory limit allowed is 6MB")
    if 0 < swap < memory:
        raise BadParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if memory == 0 and swap > 0:
        raise BadParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if memory and reservation > memory:
        raise BadParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    if nano and (nano < 0 or nano > processors * 10**9):
        raise BadParameter(
            f"range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        )
    if nano and (_number(wanted, "CpuPeriod") or _number(wanted, "CpuQuota")):
        raise BadParameter("Conflicting options: Nano CPUs and CPU Period/Quota cannot both be set")
    period, quota = _number(wanted, "CpuPeriod"), _number(wanted, "CpuQuota")
    if period and not 1000 <= period <= 1_000_000:
        raise BadParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < quota < 1000:
        raise BadParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")


def warnings(wanted: Mapping[str, Any], abilities: Abilities) -> list[str]:
    """Say which of the wanted limits do not hold here."""
    said = []
    if wanted.get("Memory") and not abilities.memory:
        said.append("Your kernel does not support memory limit capabilities or the cgroup is not mounted. "
                    "Limitation discarded.")  # fmt: skip
    elif wanted.get("Memory") and not abilities.swap and _number(wanted, "MemorySwap") != -1:
        said.append("Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
                    "Memory limited without swap.")  # fmt: skip
    cpu = ("NanoCpus", "CpuShares", "CpuQuota", "CpuPeriod", "CpusetCpus")
    if any(wanted.get(name) for name in cpu) and not abilities.cpu:
        said.append("Your kernel does not support CPU limits or the cgroup is not mounted. Limitation discarded.")
    if _number(wanted, "PidsLimit") > 0 and not abilities.pids:
        said.append("Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. "
                    "PIDs limit discarded.")  # fmt: skip
    return said


def resources(wanted: Mapping[str, Any], abilities: Abilities) -> dict[str, Any]:
    """Write `linux.resources` of the runtime-spec, but for devices."""
    made: dict[str, Any] = {}
    if abilities.memory and (memory := _memory(wanted, abilities)):
        made["memory"] = memory
    if abilities.cpu and (cpu := _cpu(wanted)):
        made["cpu"] = cpu
    if abilities.pids and _number(wanted, "PidsLimit") > 0:
        made["pids"] = {"limit": _number(wanted, "PidsLimit")}
    if wanted.get("BlkioWeight"):
        made["blockIO"] = {"weight": _number(wanted, "BlkioWeight")}
    return made


def ulimits(wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write `process.rlimits`, none above what we may give ourselves. Raises: BadParameter."""
    made = []
    for each in wanted:
        name, soft, hard = str(each.get("Name", "")), _number(each, "Soft"), _number(each, "Hard")
        kind = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if not isinstance(kind, int):
            raise BadParameter(f"invalid ulimit type: {name}")
        if hard != -1 and (soft > hard or soft == -1):
            raise BadParameter(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
        ours = resource.getrlimit(kind)[1]
        made.append({"type": f"RLIMIT_{name.upper()}", "soft": _at_most(soft, ours), "hard": _at_most(hard, ours)})
    return made


def _at_most(value: int, ours: int) -> int:
    """A limit in the kernel's unsigned form; raising it above ours needs what we may not have."""
    unlimited = 2**64 - 1
    ceiling = unlimited if ours == resource.RLIM_INFINITY else ours
    return min(unlimited if value < 0 else value, ceiling)


def _memory(wanted: Mapping[str, Any], abilities: Abilities) -> dict[str, Any]:
    made: dict[str, Any] = {}
    memory, swap = _number(wanted, "Memory"), _number(wanted, "MemorySwap")
    if memory > 0:
        made["limit"] = memory
        if abilities.swap:
            made["swap"] = swap if swap else 2 * memory
    if reservation := _number(wanted, "MemoryReservation"):
        made["reservation"] = reservation
    swappiness = wanted.get("MemorySwappiness")
    if isinstance(swappiness, int) and swappiness >= 0 and not unified():
        made["swappiness"] = swappiness
    if wanted.get("OomKillDisable") and memory:
        made["disableOOMKiller"] = True
    return made


def _cpu(wanted: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if nano := _number(wanted, "NanoCpus"):
        made |= {"period": _PERIOD, "quota": nano * _PERIOD // 10**9}
    words = {"shares": "CpuShares", "quota": "CpuQuota", "period": "CpuPeriod"}
    made |= {word: _number(wanted, name) for word, name in words.items() if _number(wanted, name)}
    made |= {
        word: str(wanted[name]) for word, name in (("cpus", "CpusetCpus"), ("mems", "CpusetMems")) if wanted.get(name)
    }
    return made


def _number(wanted: Mapping[str, Any], name: str) -> int:
    value = wanted.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadParameter(f"json: cannot unmarshal {name} into a number")
    return value


def unified(cgroups: Path = _CGROUPS) -> bool:
    """Whether this machine has cgroup v2 alone."""
    return (cgroups / "cgroup.controllers").exists()


def processors() -> int:
    """How many processors we may use."""
    return len(os.sched_getaffinity(0))
