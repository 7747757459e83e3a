"""GET /info: what the engine is, what it holds, and what this machine lacks (Engine API, "System")."""

import hashlib
import os
import threading
import time
from collections import Counter
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from runtime import doctor, moments
from runtime.api.call import Call
from runtime.api.versions import own_version
from runtime.config import Settings
from runtime.doctor import tools
from runtime.doctor.machine import Machine, look
from runtime.doctor.tools import Tool
from runtime.engine import Engine

_MACHINE_ID = "/etc/machine-id"


async def info(call: Call) -> ASGIApp:
    """GET /info."""
    return JSONResponse(await call.run(_info, call.engine))


def _info(engine: Engine) -> dict[str, Any]:
    settings = engine.settings
    machine = look(rootless=settings.rootless)
    return {
        "ID": _identity(settings),
        **_counts(engine),
        **_drivers(settings),
        **_machine(machine),
        **_runtimes(tools.runtimes(settings.runtime)),
        **_registries(settings),
        "Debug": False,
        "NFd": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # a number of names, not their paths
        "NGoroutines": threading.active_count(),
        "NEventsListener": engine.events.listeners,
        "SystemTime": moments.rfc3339(time.time_ns()),
        "DockerRootDir": str(settings.data),
        "ServerVersion": own_version(),
        "Labels": [],
        "ExperimentalBuild": False,
        "LiveRestoreEnabled": True,
        "Swarm": {"LocalNodeState": "inactive", "NodeID": "", "NodeAddr": "", "ControlAvailable": False, "Error": ""},
        "GenericResources": None,
        "CDISpecDirs": [],
        "ProductLicense": "",
        "DefaultAddressPools": [{"Base": settings.address_pool, "Size": 24}],
        "Warnings": [f"WARNING: {text}" for text in doctor.warnings(settings)] or None,
    }


def _identity(settings: Settings) -> str:
    """The same for one data root of one machine, and for no other."""
    try:
        with open(_MACHINE_ID, "rb") as file:  # noqa: PTH123
            machine = file.read(64)
    except OSError:
        machine = os.uname().nodename.encode()
    text = hashlib.sha256(machine + b"\0" + os.fsencode(settings.data)).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def _counts(engine: Engine) -> dict[str, int]:
    containers = engine.containers.all()
    states = Counter(container.state.status for container in containers)
    running = states["running"] + states["restarting"]
    return {
        "Containers": len(containers),
        "ContainersRunning": running,
        "ContainersPaused": states["paused"],
        "ContainersStopped": len(containers) - running - states["paused"],
        "Images": len(engine.images.all()),
    }


def _drivers(settings: Settings) -> dict[str, Any]:
    security = ["name=seccomp,profile=builtin", *(["name=rootless"] if settings.rootless else [])]
    return {
        "Driver": "overlay2",
        "DriverStatus": [["userxattr", str(settings.rootless).lower()]],
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "null"],
            "Authorization": None,
            "Log": ["json-file"],
        },
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "SecurityOptions": security,
    }


def _machine(machine: Machine) -> dict[str, Any]:
    return {
        "Name": machine.name,
        "KernelVersion": machine.kernel,
        "OperatingSystem": machine.operating_system,
        "OSVersion": machine.operating_system_version,
        "OSType": "linux",
        "Architecture": machine.machine,
        "NCPU": machine.cpus,
        "MemTotal": machine.memory,
        "CgroupVersion": machine.cgroup_version,
        "MemoryLimit": machine.memory_limit,
        "SwapLimit": machine.swap_limit,
        "CpuCfsPeriod": machine.cpu_quota,
        "CpuCfsQuota": machine.cpu_quota,
        "CPUShares": machine.cpu_shares,
        "CPUSet": machine.cpu_set,
        "PidsLimit": machine.pids_limit,
        "OomKillDisable": machine.memory_limit and machine.cgroup_version == "1",
        "IPv4Forwarding": machine.ipv4_forwarding,
        "BridgeNfIptables": False,
        "BridgeNfIp6tables": False,
    }


def _runtimes(found: list[Tool]) -> dict[str, Any]:
    commits = {tool.name: tool.commit or tool.version for tool in found}
    return {
        "Runtimes": {tool.name: {"path": tool.path} for tool in found},
        "DefaultRuntime": found[0].name if found else "",
        "InitBinary": "",
        "RuncCommit": {"ID": next(iter(commits.values()), "N/A"), "Expected": next(iter(commits.values()), "N/A")},
        "ContainerdCommit": {"ID": "", "Expected": ""},
        "InitCommit": {"ID": "", "Expected": ""},
        "Isolation": "",
    }


def _registries(settings: Settings) -> dict[str, Any]:
    """`nginx` comes from the default registry, so that is the "index"; loopback may always speak plain HTTP."""
    default = settings.default_registry
    hosts = dict.fromkeys((default, *settings.insecure_registries))
    return {
        "IndexServerAddress": default,
        "RegistryConfig": {
            "AllowNondistributableArtifactsCIDRs": None,
            "AllowNondistributableArtifactsHostnames": None,
            "InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"],
            "IndexConfigs": {
                host: {
                    "Name": host,
                    "Mirrors": list(settings.mirrors) if host == default else [],
                    "Secure": host not in settings.insecure_registries,
                    "Official": host == default,
                }
                for host in hosts
            },
            "Mirrors": list(settings.mirrors),
        },
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
    }
