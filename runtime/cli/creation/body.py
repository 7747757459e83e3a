"""The body of POST /containers/create, of what `moor run` was given: Config, HostConfig, NetworkingConfig.

Only what was asked for is in it; the daemon's defaults are its own. Source: docker/cli cli/command/container/opts.go.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.cli.creation import endpoints, mounts, ports, values
from runtime.cli.options import Failure

Given = Mapping[str, Any]

_PID, _UTS, _USERNS = ("", "host"), ("", "host"), ("", "host")
_CGROUPNS = ("", "host", "private")
_SAME_NAME = (
    ("Privileged", "privileged"),
    ("PublishAllPorts", "publish_all"),
    ("Links", "link"),
    ("Dns", "dns"),
    ("DnsSearch", "dns_search"),
    ("DnsOptions", "dns_option"),
    ("ExtraHosts", "add_host"),
    ("VolumesFrom", "volumes_from"),
    ("IpcMode", "ipc"),
    ("PidMode", "pid"),
    ("UTSMode", "uts"),
    ("UsernsMode", "userns"),
    ("CgroupnsMode", "cgroupns"),
    ("GroupAdd", "group_add"),
    ("ReadonlyRootfs", "read_only"),
    ("AutoRemove", "rm"),
    ("ContainerIDFile", "cidfile"),
    ("VolumeDriver", "volume_driver"),
    ("ShmSize", "shm_size"),
    ("Runtime", "runtime"),
    ("Mounts", "mount"),
    ("OomScoreAdj", "oom_score_adj"),
)
RESOURCES = (
    ("CgroupParent", "cgroup_parent"),
    ("Memory", "memory"),
    ("MemoryReservation", "memory_reservation"),
    ("MemorySwap", "memory_swap"),
    ("MemorySwappiness", "memory_swappiness"),
    ("OomKillDisable", "oom_kill_disable"),
    ("NanoCpus", "cpus"),
    ("CpuShares", "cpu_shares"),
    ("CpuPeriod", "cpu_period"),
    ("CpuQuota", "cpu_quota"),
    ("CpuRealtimePeriod", "cpu_rt_period"),
    ("CpuRealtimeRuntime", "cpu_rt_runtime"),
    ("CpusetCpus", "cpuset_cpus"),
    ("CpusetMems", "cpuset_mems"),
    ("PidsLimit", "pids_limit"),
    ("BlkioWeight", "blkio_weight"),
    ("Ulimits", "ulimit"),
    ("DeviceCgroupRules", "device_cgroup_rule"),
)


def document(image: str, command: tuple[str, ...], given: Given) -> dict[str, Any]:
    """The whole body. Raises: Failure with Docker's sentences, to be told with the status 125."""
    published = ports.published(given["publish"])
    binds, targets = mounts.volumes(given["volume"])
    return {
        **_config(image, command, given),
        **_streams(given),
        "ExposedPorts": {port: {} for port in [*(one.port for one in published), *ports.exposed(given["expose"])]},
        "Volumes": {target: {} for target in targets},
        "HostConfig": {
            **chosen(given, (*_SAME_NAME, *RESOURCES)),
            **_host(given),
            "Binds": binds,
            "PortBindings": _bindings(published),
        },
        "NetworkingConfig": {"EndpointsConfig": endpoints.endpoints(given)},
    }


def chosen(given: Given, names: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What was given of these, under the API's names; tuples become lists."""
    found = {name: given[option] for name, option in names if given[option]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _config(image: str, command: tuple[str, ...], given: Given) -> dict[str, Any]:
    same = (
        ("Hostname", "hostname"),
        ("Domainname", "domainname"),
        ("User", "user"),
        ("WorkingDir", "workdir"),
        ("StopSignal", "stop_signal"),
        ("Tty", "tty"),
        ("OpenStdin", "interactive"),
    )
    found = chosen(given, same) | {
        "Image": image,
        "Env": values.variables(given["env_file"], given["env"]),
        "Labels": values.labels(given["label_file"], given["label"]),
    }
    if command:
        found["Cmd"] = list(command)
    if given["entrypoint"] is not None:
        found["Entrypoint"] = [given["entrypoint"]]  # [""] takes the image's away
    if given["stop_timeout"] is not None:
        found["StopTimeout"] = given["stop_timeout"]
    health = _health(given)
    return found | ({"Healthcheck": health} if health else {})


def _streams(given: Given) -> dict[str, Any]:
    """Which of the container's streams the command is attached to."""
    if given["detach"]:
        if given["attach"]:
            raise Failure("conflicting options: cannot specify both --attach and --detach", 125)
        return {"AttachStdin": False, "AttachStdout": False, "AttachStderr": False, "StdinOnce": False}
    asked = given["attach"]
    stdin = given["interactive"] or "stdin" in asked
    return {
        "AttachStdin": stdin,
        "AttachStdout": not asked or "stdout" in asked,
        "AttachStderr": not asked or "stderr" in asked,
        "StdinOnce": stdin and given["interactive"],
    }


def _host(given: Given) -> dict[str, Any]:
    _check(given)
    options, paths = _security(given["security_opt"])
    add, drop = values.capabilities(given["cap_add"], given["cap_drop"])
    found: dict[str, Any] = {
        "NetworkMode": endpoints.mode(given["network"]),
        "RestartPolicy": restart_policy(given["restart"] or "no"),
        "CapAdd": add,
        "CapDrop": drop,
        "SecurityOpt": options,
        "LogConfig": {"Type": given["log_driver"] or "", "Config": values.pairs(given["log_opt"])},
        "StorageOpt": values.pairs(given["storage_opt"]),
        "Tmpfs": mounts.tmpfs(given["tmpfs"]),
        "Sysctls": values.pairs(given["sysctl"]),
        "Annotations": values.pairs(given["annotation"]),
        "Devices": [values.device(text) for text in given["device"]],
        **paths,
    }
    if given["init"]:
        found["Init"] = True
    if given["rm"] and found["RestartPolicy"]["Name"] not in {"", "no"}:
        raise Failure("conflicting options: cannot specify both --restart and --rm", 125)
    return found


def _check(given: Given) -> None:
    shared = given["pid"] or ""
    if shared not in _PID and not shared.startswith("container:"):
        raise Failure("--pid: invalid PID mode", 125)
    if (given["uts"] or "") not in _UTS:
        raise Failure("--uts: invalid UTS mode", 125)
    if (given["userns"] or "") not in _USERNS:
        raise Failure("--userns: invalid USER mode", 125)
    if (given["cgroupns"] or "") not in _CGROUPNS:
        raise Failure("--cgroupns: invalid CGROUP mode", 125)
    swappiness = given["memory_swappiness"]
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise Failure(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100", 125)
    if given["log_driver"] == "none" and given["log_opt"]:
        raise Failure("invalid logging opts for driver none", 125)


def restart_policy(text: str) -> dict[str, Any]:
    """RestartPolicy of `name[:retries]`. Raises: Failure."""
    name, colon, count = text.partition(":")
    if colon and not name:
        raise Failure("invalid restart policy format: no policy provided before colon", 125)
    try:
        return {"Name": name, "MaximumRetryCount": int(count or 0)}
    except ValueError:
        raise Failure("invalid restart policy format: maximum retry count must be an integer", 125) from None


def _security(texts: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """SecurityOpt with the text of a seccomp profile in place of its file, and what systempaths=unconfined means."""
    found, paths = [], dict[str, Any]()
    for text in texts:
        name, mark, value = text.partition("=") if "=" in text else text.partition(":")
        if name != "no-new-privileges" and not (mark and value):
            raise Failure(f'invalid --security-opt: "{text}"', 125)
        if text == "systempaths=unconfined":
            paths = {"MaskedPaths": [], "ReadonlyPaths": []}
        elif name == "seccomp" and value not in {"unconfined", "builtin"}:
            found.append(f"seccomp={_profile(value)}")
        else:
            found.append(text)
    return found, paths


def _profile(path: str) -> str:
    try:
        return json.dumps(json.loads(Path(path).read_bytes()), separators=(",", ":"))
    except OSError as error:
        raise Failure(f"opening seccomp profile ({path}) failed: {error}", 125) from error
    except ValueError as error:
        raise Failure(f"compacting json for seccomp profile ({path}) failed: {error}", 125) from error


def _health(given: Given) -> dict[str, Any]:
    named = (
        ("Interval", "health_interval"),
        ("Timeout", "health_timeout"),
        ("StartPeriod", "health_start_period"),
        ("StartInterval", "health_start_interval"),
        ("Retries", "health_retries"),
    )
    found = chosen(given, named)
    if given["health_cmd"]:
        found["Test"] = ["CMD-SHELL", given["health_cmd"]]
    if given["no_healthcheck"]:
        if found:
            raise Failure("--no-healthcheck conflicts with --health-* options", 125)
        return {"Test": ["NONE"]}
    for name, option in named:
        if found.get(name, 0) < 0:
            raise Failure(f"--{option.replace('_', '-')} cannot be negative", 125)
    return found


def _bindings(published: list[ports.Published]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for one in published:
        found.setdefault(one.port, []).append({"HostIp": one.address, "HostPort": one.host_port})
    return found
