"""A container as `docker inspect` shows it. Pure but for the sizes, which are read where they are asked for.

Source: Engine API 1.47, GET /containers/(id)/json; docker-py needs HostConfig.LogConfig, so it is there.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.containers.health import Health
from runtime.containers.model import PAUSED, RESTARTING, RUNNING, Container, Mount
from runtime.containers.specification import spec
from runtime.moments import rfc3339


def document(
    container: Container, *, network: Mapping[str, Any], health: Health | None, execs: Sequence[str], volumes: str = ""
) -> dict[str, Any]:
    """Describe a container. Args: network: its NetworkSettings; execs: ids of processes in it that run."""
    words = spec.argv(container)
    directory = container.directory
    return {
        "Id": container.id,
        "Created": rfc3339(container.created),
        "Path": words[0] if words else "",
        "Args": words[1:],
        "State": state(container, health),
        "Image": container.image_id,
        "ResolvConfPath": str(directory / "resolv.conf"),
        "HostnamePath": str(directory / "hostname"),
        "HostsPath": str(directory / "hosts"),
        "LogPath": str(container.log),
        "Name": f"/{container.name}",
        "RestartCount": container.state.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": list(execs) or None,
        "HostConfig": container.host_config,
        "GraphDriver": {
            "Name": "overlay2",
            "Data": {
                "UpperDir": str(container.upper),
                "WorkDir": str(directory / "work"),
                "MergedDir": str(container.root),
            },
        },
        "Mounts": [mount_point(mount, volumes) for mount in container.mounts],
        "Config": container.config,
        "NetworkSettings": dict(network),
    }


def state(container: Container, health: Health | None) -> dict[str, Any]:
    """`State` of the inspection."""
    now = container.state
    made: dict[str, Any] = {
        "Status": now.status,
        "Running": now.status in {RUNNING, PAUSED, RESTARTING},
        "Paused": now.status == PAUSED,
        "Restarting": now.status == RESTARTING,
        "OOMKilled": now.oom_killed,
        "Dead": False,
        "Pid": now.pid,
        "ExitCode": now.exit_code,
        "Error": now.error,
        "StartedAt": rfc3339(now.started_at),
        "FinishedAt": rfc3339(now.finished_at),
    }
    if health is not None:
        made["Health"] = health.document()
    return made


def mount_point(mount: Mount, volumes: str = "") -> dict[str, Any]:
    """One of `Mounts`. `volumes`: the directory of all volumes, for their places on the host."""
    made: dict[str, Any] = {
        "Type": mount.kind,
        "Source": f"{volumes}/{mount.source}/_data" if mount.kind == "volume" else mount.source,
        "Destination": mount.target,
        "Mode": mount.mode,
        "RW": mount.writable,
        "Propagation": mount.propagation if mount.kind == "bind" else "",
    }
    if mount.kind == "volume":
        made |= {"Name": mount.source, "Driver": mount.driver}
    return made


def sizes(container: Container, image_size: int) -> dict[str, int]:
    """Bytes of the files in the writable layer, and with the image's."""
    written = 0
    for place, _, names in os.walk(container.upper):
        for name in names:
            try:
                written += os.lstat(f"{place}/{name}").st_size
            except FileNotFoundError:
                continue
    return {"SizeRw": written, "SizeRootFs": written + image_size}
