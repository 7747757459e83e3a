"""What a container uses: processor, memory, processes, disks and networks, as GET /containers/(id)/stats writes it.

Reads the kernel's files and keeps nothing; the rates are the client's to compute, from two of these. Source: Engine
API, ContainerStats; what the stock CLI does with it (docker/cli, cli/command/container/stats_helpers.go).
"""

import os
import time
from pathlib import Path
from typing import Any

from runtime.containers import cgroups
from runtime.containers.cgroups import PROC, Groups
from runtime.moments import NEVER, rfc3339

_SECOND = 10**9
_NET_FIELDS = ("bytes", "packets", "errors", "dropped")
_V1_DISKS = {
    "io_service_bytes_recursive": "blkio.throttle.io_service_bytes_recursive",
    "io_serviced_recursive": "blkio.throttle.io_serviced_recursive",
}
_V2_DISKS = {
    "io_service_bytes_recursive": {"rbytes": "read", "wbytes": "write"},
    "io_serviced_recursive": {"rios": "read", "wios": "write"},
}
_OTHER_DISKS = ("queue", "service_time", "wait_time", "merged", "time")


def nothing(container_id: str, name: str) -> dict[str, Any]:
    """What a container uses that does not run."""
    return {
        "id": container_id,
        "name": name,
        "read": rfc3339(NEVER),
        "preread": rfc3339(NEVER),
        "pids_stats": {},
        "blkio_stats": _disks({}),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _no_cpu(),
        "precpu_stats": _no_cpu(),
        "memory_stats": {},
    }


def sample(container_id: str, name: str, pid: int, *, proc: Path = PROC) -> dict[str, Any]:
    """What a container uses now; nothing where it has ended. Args: pid: of its first process, in our own numbers."""
    document = nothing(container_id, name)
    try:
        groups = cgroups.of(pid, proc)
        networks = _networks(proc, pid)
    except (FileNotFoundError, ProcessLookupError):
        return document
    document |= {
        "read": rfc3339(time.time_ns()),
        "pids_stats": _processes(groups),
        "cpu_stats": _cpu(groups, proc),
        "memory_stats": _memory(groups, proc),
        "blkio_stats": _disks(_blocks(groups)),
    }
    return document | ({"networks": networks} if networks else {})


def following(now: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """A sample with the one before it, from which a client computes rates."""
    if before is None:
        return now
    return now | {"preread": before["read"], "precpu_stats": before["cpu_stats"]}


def _no_cpu() -> dict[str, Any]:
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def _processes(groups: Groups) -> dict[str, int]:
    limit = groups.number("pids", "pids.max")
    return {"current": groups.number("pids", "pids.current"), **({"limit": limit} if limit else {})}


def _cpu(groups: Groups, proc: Path) -> dict[str, Any]:
    usage = _unified_cpu(groups) if groups.unified else _separate_cpu(groups)
    ticks, processors = _machine(proc)
    return usage | {"system_cpu_usage": ticks * _SECOND // os.sysconf("SC_CLK_TCK"), "online_cpus": processors}


def _unified_cpu(groups: Groups) -> dict[str, Any]:
    table = groups.table("cpu", "cpu.stat")
    return {
        "cpu_usage": {
            "total_usage": table.get("usage_usec", 0) * 1000,
            "usage_in_kernelmode": table.get("system_usec", 0) * 1000,
            "usage_in_usermode": table.get("user_usec", 0) * 1000,
        },
        "throttling_data": {
            "periods": table.get("nr_periods", 0),
            "throttled_periods": table.get("nr_throttled", 0),
            "throttled_time": table.get("throttled_usec", 0) * 1000,
        },
    }


def _separate_cpu(groups: Groups) -> dict[str, Any]:
    table = groups.table("cpu", "cpu.stat")
    each = [int(value) for value in groups.text("cpuacct", "cpuacct.usage_percpu").split()]
    tick = _SECOND // os.sysconf("SC_CLK_TCK")
    times = groups.table("cpuacct", "cpuacct.stat")
    return {
        "cpu_usage": {
            "total_usage": groups.number("cpuacct", "cpuacct.usage"),
            "percpu_usage": each,
            "usage_in_kernelmode": times.get("system", 0) * tick,
            "usage_in_usermode": times.get("user", 0) * tick,
        },
        "throttling_data": {
            "periods": table.get("nr_periods", 0),
            "throttled_periods": table.get("nr_throttled", 0),
            "throttled_time": table.get("throttled_time", 0),
        },
    }


def _machine(proc: Path) -> tuple[int, int]:
    """Ticks that the machine's processors have spent since its start, and how many there are (proc(5), stat)."""
    lines = proc.joinpath("stat").read_text().splitlines()
    ticks = sum(int(value) for value in lines[0].split()[1:8])
    return ticks, sum(1 for line in lines if line.startswith("cpu")) - 1


def _memory(groups: Groups, proc: Path) -> dict[str, Any]:
    whole = next(
        int(line.split()[1]) * 1024
        for line in proc.joinpath("meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    if groups.unified:
        limit = groups.number("memory", "memory.max")
        found = {"usage": groups.number("memory", "memory.current")}
    else:
        limit = groups.number("memory", "memory.limit_in_bytes")
        found = {
            "usage": groups.number("memory", "memory.usage_in_bytes"),
            "max_usage": groups.number("memory", "memory.max_usage_in_bytes"),
            "failcnt": groups.number("memory", "memory.failcnt"),
        }
    stats = groups.table("memory", "memory.stat")
    return {**found, "stats": stats, "limit": min(limit or whole, whole)}


def _blocks(groups: Groups) -> dict[str, list[dict[str, Any]]]:
    if not groups.unified:
        return {name: list(_v1_rows(groups.text("blkio", file))) for name, file in _V1_DISKS.items()}
    text = groups.text("io", "io.stat")
    return {name: list(_v2_rows(text, keys)) for name, keys in _V2_DISKS.items()}


def _v1_rows(text: str) -> list[dict[str, Any]]:
    """Read lines `8:0 Read 4096`; the last one, a total over all disks, has no device."""
    found = []
    for line in text.splitlines():
        device, _, rest = line.partition(" ")
        operation, _, value = rest.partition(" ")
        if ":" in device and value.isdigit():
            found.append(_row(device, operation.lower(), int(value)))
    return found


def _v2_rows(text: str, keys: dict[str, str]) -> list[dict[str, Any]]:
    """Read lines `8:0 rbytes=4096 wbytes=0 ...`."""
    found = []
    for line in text.splitlines():
        device, *pairs = line.split()
        values = dict(pair.partition("=")[::2] for pair in pairs)
        found += [_row(device, name, int(values[key])) for key, name in keys.items() if values.get(key, "").isdigit()]
    return found


def _row(device: str, operation: str, value: int) -> dict[str, Any]:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": operation, "value": value}


def _disks(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    names = (*_V1_DISKS, *(f"io_{name}_recursive" for name in _OTHER_DISKS), "sectors_recursive")
    return {name: found.get(name) or None for name in names}


def _networks(proc: Path, pid: int) -> dict[str, dict[str, int]]:
    """Read the container's interfaces (proc(5), net/dev); none where it shares the machine's network."""
    ours, theirs = (proc.joinpath(who, "ns", "net") for who in ("self", str(pid)))
    if ours.exists() and theirs.exists() and ours.samefile(theirs):
        return {}
    found: dict[str, dict[str, int]] = {}
    for line in proc.joinpath(str(pid), "net", "dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        values = [int(value) for value in numbers.split()]
        if name.strip() != "lo" and len(values) >= 12:
            received = {f"rx_{field}": value for field, value in zip(_NET_FIELDS, values[:4], strict=True)}
            sent = {f"tx_{field}": value for field, value in zip(_NET_FIELDS, values[8:12], strict=True)}
            found[name.strip()] = received | sent
    return found
