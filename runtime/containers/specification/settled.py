"""What a client asks for, with what the image says: a container's Config and HostConfig, whole and checked.

Pure. JSON as in the Engine API's POST /containers/create; the image's part had its types checked when it was taken in.
Rules as in Docker (moby, runconfig and daemon/commit.go, `merge`).
"""

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from runtime.containers.specification import capabilities, limits, security
from runtime.containers.specification.fields import CONFIG, HOST, checked, is_number, is_text_map, is_texts
from runtime.containers.specification.signals import number as signal_number
from runtime.errors import BadParameter

_HOSTNAME = re.compile(r"[a-zA-Z0-9_.-]{0,253}")
_RESTARTS = frozenset({"no", "", "always", "unless-stopped", "on-failure"})
_SYSCTL = re.compile(r"[a-z0-9_]+(?:[./][a-zA-Z0-9_*-]+)+")
_SYSCTLS = ("net.", "fs.mqueue.", "kernel.shm_rmid_forced")
_SIZE = re.compile(r"(\d{1,12})([kmg]?)b?")
_CGROUP_PARENT = re.compile(r"(?:/?[a-zA-Z0-9_:-][a-zA-Z0-9_.:-]*)*/?")
_IPC_SYSCTLS = frozenset({"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
                          "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"})  # fmt: skip


def config(body: Mapping[str, Any], image: Mapping[str, Any], *, container_id: str, image_name: str) -> dict[str, Any]:
    """Put a Config together. `image`: the image's own. Raises: BadParameter."""
    made = checked(body, CONFIG)
    for name in ("Cmd", "Entrypoint"):
        if isinstance(made[name], str):
            made[name] = [made[name]]
    _command(made, image)
    made["Env"] = _environment(image.get("Env") or [], made["Env"] or [])
    made["Labels"] = {**(image.get("Labels") or {}), **(made["Labels"] or {})}
    for name in ("ExposedPorts", "Volumes"):
        made[name] = {**(image.get(name) or {}), **(made[name] or {})} or None
    for name in ("User", "WorkingDir", "StopSignal", "Shell"):
        made[name] = made[name] or image.get(name) or made[name]
    made["Healthcheck"] = _healthcheck(made["Healthcheck"], image.get("Healthcheck"))
    made |= {"Image": image_name, "OnBuild": None}
    made["Hostname"] = made["Hostname"] or container_id[:12]
    _check_config(made)
    return made


def host_config(body: Mapping[str, Any], *, unified: bool = False) -> dict[str, Any]:
    """Complete a HostConfig. `unified`: this machine has cgroup v2 alone. Raises: BadParameter."""
    made = checked(body, HOST)
    made["LogConfig"] = _log_config(made["LogConfig"] or {})
    policy = dict(made["RestartPolicy"] or {})
    made["RestartPolicy"] = {
        "Name": str(policy.get("Name") or "no"),
        "MaximumRetryCount": policy.get("MaximumRetryCount") or 0,
    }
    made["NetworkMode"] = made["NetworkMode"] if made["NetworkMode"] not in {"", "default"} else "bridge"
    made["IpcMode"] = made["IpcMode"] or "private"
    made["CgroupnsMode"] = made["CgroupnsMode"] or ("private" if unified else "host")
    made["ShmSize"] = made["ShmSize"] or 64 * 2**20
    made["PortBindings"] = made["PortBindings"] or {}
    _check_host(made)
    return made


def log_size(host: Mapping[str, Any]) -> int:
    """Bytes after which the log begins anew (`--log-opt max-size=10m`); 0: never."""
    found = _SIZE.fullmatch(str(host["LogConfig"]["Config"].get("max-size", "0")).lower())
    return int(found[1]) * 1024 ** " kmg".index(found[2] or " ") if found else 0


def _log_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """There is one kind of log, and it is called as docker-py wants it. Raises: BadParameter for another."""
    kind, options = given.get("Type") or "json-file", given.get("Config") or {}
    if kind not in {"json-file", "local"}:
        raise BadParameter(f"logger: no log driver named '{kind}' is registered")
    if not is_text_map(options):
        raise BadParameter("json: LogConfig.Config is an object of texts")
    if "max-size" in options and not _SIZE.fullmatch(options["max-size"].lower()):
        raise BadParameter(f"invalid size: '{options['max-size']}'")
    return {"Type": "json-file", "Config": dict(options)}


def restart_policy(policy: Mapping[str, Any], auto_remove: bool) -> None:
    """Check a restart policy. Raises: BadParameter, with Docker's sentences."""
    name, most = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    if name not in _RESTARTS:
        raise BadParameter(f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', "
                           "or 'unless-stopped'")  # fmt: skip
    if not is_number(most) or most < 0:
        raise BadParameter("invalid restart policy: maximum retry count cannot be negative")
    if most and name != "on-failure":
        raise BadParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if auto_remove and name not in {"no", ""}:
        raise BadParameter("can't create 'AutoRemove' container with restart policy")


def _command(made: dict[str, Any], image: Mapping[str, Any]) -> None:
    """A client's entrypoint takes the image's command away; `--entrypoint ""` gives [""], which clears."""
    if not made["Entrypoint"]:
        made["Cmd"] = made["Cmd"] or image.get("Cmd")
        made["Entrypoint"] = image.get("Entrypoint")
    elif made["Entrypoint"] == [""]:
        made["Entrypoint"] = None
    if not made["Entrypoint"] and not made["Cmd"]:
        raise BadParameter("no command specified")
    if made["Entrypoint"] is None and made["Cmd"] and made["Cmd"][0] == "":
        raise BadParameter("no command specified")


def _environment(base: list[str], given: list[str]) -> list[str]:
    """The image's variables, each replaced where the client names it; the client's others after them."""
    values = {item.partition("=")[0]: item for item in base}
    for item in given:
        name, equals, _ = item.partition("=")
        if not name:
            raise BadParameter(f"invalid environment variable: {item}")
        if equals:
            values[name] = item
        else:
            values.pop(name, None)
    return list(values.values())


def _healthcheck(given: Mapping[str, Any] | None, image: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None or not image:
        return dict(given or image or {}) or None
    return {**image, **{name: value for name, value in given.items() if value}}


def _check_config(made: Mapping[str, Any]) -> None:
    if not _HOSTNAME.fullmatch(made["Hostname"]) or not _HOSTNAME.fullmatch(made["Domainname"]):
        raise BadParameter(f"invalid hostname: {made['Hostname']!r}")
    directory = made["WorkingDir"]
    if directory and not posixpath.isabs(directory):
        raise BadParameter(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    if made["StopSignal"]:
        signal_number(made["StopSignal"])
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        value = (made["Healthcheck"] or {}).get(name) or 0
        if not is_number(value) or (value and value < 1_000_000):
            raise BadParameter(f"{name} in Healthcheck cannot be less than 1ms")
    test, retries = (made["Healthcheck"] or {}).get("Test") or [], (made["Healthcheck"] or {}).get("Retries") or 0
    if not is_texts(test) or not is_number(retries) or retries < 0:
        raise BadParameter("Healthcheck: Test is a list of words, Retries no negative number")
    if test and test[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        raise BadParameter(f"Unknown healthcheck type {test[0]!r} (expected 'CMD')")


def _check_host(made: Mapping[str, Any]) -> None:
    restart_policy(made["RestartPolicy"], made["AutoRemove"])
    security.read(made["SecurityOpt"] or ())
    capabilities.check(made["CapAdd"] or (), made["CapDrop"] or ())
    limits.check(made, limits.processors())
    limits.ulimits(made["Ulimits"] or ())
    if made["ShmSize"] < 0:
        raise BadParameter("SHM size can not be less than 0")
    if not -1000 <= made["OomScoreAdj"] <= 1000:
        raise BadParameter(f"Invalid value {made['OomScoreAdj']}, range for oom score adj is [-1000, 1000]")
    for name, modes in (("PidMode", {"", "host", "private"}), ("UTSMode", {"", "host"}),
                        ("IpcMode", {"none", "private", "shareable", "host"}), ("CgroupnsMode", {"host", "private"}),
                        ("UsernsMode", {"", "host"})):  # fmt: skip
        value = made[name]
        if value not in modes and not (name in {"PidMode", "IpcMode"} and value.startswith("container:")):
            raise BadParameter(f"invalid {name}: {value}")
    for name in made["Sysctls"] or {}:
        _check_sysctl(name.replace("/", "."), made)
    _check_unsupported(made)


def _check_unsupported(made: Mapping[str, Any]) -> None:
    """Refuse what Docker has and this engine has not, or has only one of."""
    if not _CGROUP_PARENT.fullmatch(made["CgroupParent"]) or len(made["CgroupParent"]) > 255:
        raise BadParameter(f"invalid CgroupParent: {made['CgroupParent'][:255]!r}")
    if made["DeviceRequests"]:
        raise BadParameter('could not select device driver "" with capabilities: [[gpu]]')
    if made["Runtime"] not in {"runc", "crun", "io.containerd.runc.v2"}:
        raise BadParameter(f"unknown or invalid runtime name: {made['Runtime']}")
    if made["VolumeDriver"] not in {"", "local"}:
        raise BadParameter(f'plugin "{made["VolumeDriver"]}" not found')
    if made["StorageOpt"]:
        raise BadParameter("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")


def _check_sysctl(name: str, made: Mapping[str, Any]) -> None:
    if not _SYSCTL.fullmatch(name) or not (name.startswith(_SYSCTLS) or name in _IPC_SYSCTLS):
        raise BadParameter(f"invalid sysctl {name}: it is not of a namespace of the container's own")
    if name.startswith("net.") and made["NetworkMode"] == "host":
        raise BadParameter(f"sysctl '{name}' not allowed in host network namespace")
    if name in _IPC_SYSCTLS and made["IpcMode"] == "host":
        raise BadParameter(f"sysctl '{name}' not allowed in host ipc namespace")
