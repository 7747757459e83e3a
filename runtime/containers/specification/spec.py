"""Writes runc's config.json (OCI runtime-spec 1.0): one container's settings, in the runtime's words.

Pure: it takes what was found out elsewhere (`Findings`) and looks at no file. Defaults are Docker's: namespaces, masked
and read-only paths, devices.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.containers.model import Container, Mount
from runtime.containers.specification import devices, groups, limits, security
from runtime.containers.specification.users import User

_MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Findings:
    """What config.json needs beside the container's own settings.

    `sources`: each mount's place on the host, by target; `namespaces`: the paths of namespaces to join, by the spec's
    type, "" for the host's own; `files`: /etc files of ours, target to host path; `shm`: shared memory on the host.
    """

    user: User
    capabilities: tuple[str, ...]
    seccomp: Mapping[str, Any] | None
    abilities: limits.Abilities
    hostname: str
    sources: Mapping[str, str]
    namespaces: Mapping[str, str]
    files: Mapping[str, str]
    shm: str = ""
    init: str = ""
    rootless: bool = False


def document(container: Container, found: Findings) -> dict[str, Any]:
    """Write config.json. Raises: BadParameter for devices that are not there."""
    host = container.host_config
    made: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": _process(container, found),
        "root": {"path": str(container.root), "readonly": host["ReadonlyRootfs"]},
        "mounts": _mounts(container, found),
        "linux": _linux(container, found),
        "annotations": dict(host["Annotations"] or {}),
    }
    if "uts" not in found.namespaces:
        made["hostname"] = found.hostname
    return made


def argv(container: Container) -> list[str]:
    """The words that the container runs."""
    return [*(container.config["Entrypoint"] or ()), *(container.config["Cmd"] or ())]


def _process(container: Container, found: Findings) -> dict[str, Any]:
    config, host = container.config, container.host_config
    words = argv(container)
    made: dict[str, Any] = {
        "terminal": config["Tty"],
        "user": {"uid": found.user.uid, "gid": found.user.gid, "additionalGids": list(found.user.groups)},
        "args": [*((found.init and ("/sbin/docker-init", "--")) or ()), *words],
        "env": _environment(config, found),
        "cwd": posixpath.normpath("/" + config["WorkingDir"].lstrip("/")),
        "capabilities": _capabilities(found),
        "noNewPrivileges": security.read(host["SecurityOpt"] or ()).no_new_privileges,
        "oomScoreAdj": host["OomScoreAdj"],
        "rlimits": limits.ulimits(host["Ulimits"] or ()),
    }
    height, width = host["ConsoleSize"]
    if config["Tty"] and height > 0 and width > 0:
        made["consoleSize"] = {"height": height, "width": width}
    if not host["OomScoreAdj"]:
        del made["oomScoreAdj"]  # what the daemon has is what the container gets: raising it again may be forbidden
    return made


def _environment(config: Mapping[str, Any], found: Findings) -> list[str]:
    given = [item for item in config["Env"] or ()]
    names = {item.partition("=")[0] for item in given}
    made = [] if "PATH" in names else [_PATH]
    made += [] if "HOSTNAME" in names else [f"HOSTNAME={found.hostname}"]
    made += ["TERM=xterm"] if config["Tty"] and "TERM" not in names else []
    made += given
    return made if "HOME" in names else [*made, f"HOME={found.user.home}"]


def _capabilities(found: Findings) -> dict[str, list[str]]:
    """All for root; another user has none until he runs what raises them. None are inheritable (CVE-2022-24769)."""
    names = list(found.capabilities)
    mine = names if found.user.uid == 0 else []
    return {"bounding": names, "effective": mine, "permitted": mine}


def _linux(container: Container, found: Findings) -> dict[str, Any]:
    host = container.host_config
    made: dict[str, Any] = {
        "namespaces": _namespaces(found),
        "maskedPaths": list(_MASKED if host["MaskedPaths"] is None else host["MaskedPaths"]),
        "readonlyPaths": list(_READ_ONLY if host["ReadonlyPaths"] is None else host["ReadonlyPaths"]),
        "sysctl": {name.replace("/", "."): value for name, value in (host["Sysctls"] or {}).items()},
        "devices": devices.nodes(host),
    }
    if host["Privileged"] or security.read(host["SecurityOpt"] or ()).unmasked:
        made |= {"maskedPaths": [], "readonlyPaths": []}
    if not found.rootless:
        made["cgroupsPath"] = groups.name(container)
        made["resources"] = {**limits.resources(host, found.abilities), "devices": devices.rules(host)}
    if found.seccomp is not None:
        made["seccomp"] = dict(found.seccomp)
    return made


def _namespaces(found: Findings) -> list[dict[str, str]]:
    made = []
    for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup"):
        path = found.namespaces.get(kind)
        if path is None:
            made.append({"type": kind})
        elif path:
            made.append({"type": kind, "path": path})
    return made


def _mounts(container: Container, found: Findings) -> list[dict[str, Any]]:
    host = container.host_config
    wanted = {mount.target for mount in container.mounts}
    mode = "rw" if host["Privileged"] else "ro"
    made = [
        _entry("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _entry("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _entry(
            "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
        ),
        _entry("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", mode),
        _entry("/sys/fs/cgroup", "cgroup", "cgroup", mode, "nosuid", "noexec", "nodev"),
        _entry("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    ]
    if found.rootless:
        made = [_of_ordinary_user(entry, found) for entry in made if entry["destination"] != "/sys/fs/cgroup"]
    if found.namespaces.get("pid") == "" and found.rootless:
        made[0] = _entry("/proc", "bind", "/proc", "rbind", "nosuid", "noexec", "nodev")
    if "/dev/shm" not in wanted and host["IpcMode"] != "none":  # noqa: S108
        made.append(_shared_memory(host, found))
    made += [
        _entry(target, "bind", source, "rbind", "rprivate", *(("ro",) if host["ReadonlyRootfs"] else ()))
        for target, source in found.files.items()
        if target not in wanted
    ]
    if found.init:
        made.append(_entry("/sbin/docker-init", "bind", found.init, "bind", "ro"))
    return made + [_mount(mount, found) for mount in sorted(container.mounts, key=lambda each: each.target.count("/"))]


def _shared_memory(host: Mapping[str, Any], found: Findings) -> dict[str, Any]:
    if found.shm:
        return _entry("/dev/shm", "bind", found.shm, "rbind", "rprivate")  # noqa: S108
    return _entry("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", f"size={host['ShmSize']}")  # noqa: S108


def _of_ordinary_user(entry: dict[str, Any], found: Findings) -> dict[str, Any]:
    if entry["destination"] == "/sys" and found.namespaces.get("network") == "":
        return _entry("/sys", "bind", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro")
    return entry


def _mount(mount: Mount, found: Findings) -> dict[str, Any]:
    access = () if mount.writable else ("ro",)
    if mount.kind == "tmpfs":
        return _entry(mount.target, "tmpfs", "tmpfs", *mount.options, *access)
    how = "rbind" if mount.recursive else "bind"
    return _entry(mount.target, "bind", found.sources[mount.target], how, mount.propagation or "rprivate", *access)


def _entry(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
