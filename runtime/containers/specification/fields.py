"""The fields of Docker's Config and HostConfig: each one's type and what it is where a client leaves it out.

Pure. Source: Engine API 1.47, POST /containers/create.
"""

from collections.abc import Callable, Mapping
from typing import Any

from runtime.errors import BadParameter

Check = Callable[[object], bool]
"""Whether a value is of the type that the API gives a field."""


def is_text(value: object) -> bool:
    """A string that a file or a program may be given."""
    return isinstance(value, str) and "\0" not in value


def is_flag(value: object) -> bool:
    """A boolean."""
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    """A whole number of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def is_texts(value: object) -> bool:
    """A list of strings."""
    return isinstance(value, list) and all(is_text(item) for item in value)


def is_map(value: object) -> bool:
    """An object."""
    return isinstance(value, dict) and all(is_text(key) for key in value)


def is_text_map(value: object) -> bool:
    """An object of strings."""
    return isinstance(value, dict) and all(is_text(key) and is_text(item) for key, item in value.items())


def is_objects(value: object) -> bool:
    """A list of objects."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def is_words(value: object) -> bool:
    """A command: one string, or a list of them."""
    return is_text(value) or is_texts(value)


CONFIG: Mapping[str, tuple[Check, Any]] = {
    "Hostname": (is_text, ""),
    "Domainname": (is_text, ""),
    "User": (is_text, ""),
    "AttachStdin": (is_flag, False),
    "AttachStdout": (is_flag, False),
    "AttachStderr": (is_flag, False),
    "ExposedPorts": (is_map, None),
    "Tty": (is_flag, False),
    "OpenStdin": (is_flag, False),
    "StdinOnce": (is_flag, False),
    "Env": (is_texts, None),
    "Cmd": (is_words, None),
    "Healthcheck": (is_map, None),
    "Image": (is_text, ""),
    "Volumes": (is_map, None),
    "WorkingDir": (is_text, ""),
    "Entrypoint": (is_words, None),
    "NetworkDisabled": (is_flag, False),
    "MacAddress": (is_text, ""),
    "Labels": (is_text_map, None),
    "StopSignal": (is_text, ""),
    "StopTimeout": (is_number, None),
    "Shell": (is_texts, None),
}

HOST: Mapping[str, tuple[Check, Any]] = {
    "Binds": (is_texts, None),
    "ContainerIDFile": (is_text, ""),
    "LogConfig": (is_map, None),
    "NetworkMode": (is_text, ""),
    "PortBindings": (is_map, None),
    "RestartPolicy": (is_map, None),
    "AutoRemove": (is_flag, False),
    "VolumeDriver": (is_text, ""),
    "VolumesFrom": (is_texts, None),
    "ConsoleSize": (lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_number, value)), [0, 0]),
    "Annotations": (is_text_map, None),
    "CapAdd": (is_texts, None),
    "CapDrop": (is_texts, None),
    "CgroupnsMode": (is_text, ""),
    "Dns": (is_texts, None),
    "DnsOptions": (is_texts, None),
    "DnsSearch": (is_texts, None),
    "ExtraHosts": (is_texts, None),
    "GroupAdd": (is_texts, None),
    "IpcMode": (is_text, ""),
    "Cgroup": (is_text, ""),
    "Links": (is_texts, None),
    "OomScoreAdj": (is_number, 0),
    "PidMode": (is_text, ""),
    "Privileged": (is_flag, False),
    "PublishAllPorts": (is_flag, False),
    "ReadonlyRootfs": (is_flag, False),
    "SecurityOpt": (is_texts, None),
    "StorageOpt": (is_text_map, None),
    "Tmpfs": (is_text_map, None),
    "UTSMode": (is_text, ""),
    "UsernsMode": (is_text, ""),
    "ShmSize": (is_number, 64 * 2**20),
    "Sysctls": (is_text_map, None),
    "Runtime": (is_text, "runc"),
    "Isolation": (is_text, ""),
    "CpuShares": (is_number, 0),
    "Memory": (is_number, 0),
    "NanoCpus": (is_number, 0),
    "CgroupParent": (is_text, ""),
    "BlkioWeight": (is_number, 0),
    "BlkioWeightDevice": (is_objects, None),
    "BlkioDeviceReadBps": (is_objects, None),
    "BlkioDeviceWriteBps": (is_objects, None),
    "BlkioDeviceReadIOps": (is_objects, None),
    "BlkioDeviceWriteIOps": (is_objects, None),
    "CpuPeriod": (is_number, 0),
    "CpuQuota": (is_number, 0),
    "CpuRealtimePeriod": (is_number, 0),
    "CpuRealtimeRuntime": (is_number, 0),
    "CpusetCpus": (is_text, ""),
    "CpusetMems": (is_text, ""),
    "Devices": (is_objects, None),
    "DeviceCgroupRules": (is_texts, None),
    "DeviceRequests": (is_objects, None),
    "KernelMemory": (is_number, 0),
    "KernelMemoryTCP": (is_number, 0),
    "MemoryReservation": (is_number, 0),
    "MemorySwap": (is_number, 0),
    "MemorySwappiness": (is_number, None),
    "OomKillDisable": (is_flag, None),
    "PidsLimit": (is_number, None),
    "Ulimits": (is_objects, None),
    "Init": (is_flag, None),
    "CpuCount": (is_number, 0),
    "CpuPercent": (is_number, 0),
    "IOMaximumIOps": (is_number, 0),
    "IOMaximumBandwidth": (is_number, 0),
    "Mounts": (is_objects, None),
    "MaskedPaths": (is_texts, None),
    "ReadonlyPaths": (is_texts, None),
}


def checked(body: Mapping[str, Any], fields: Mapping[str, tuple[Check, Any]]) -> dict[str, Any]:
    """Every field by its check, or its default; what we do not know is left out. JSON null is absence."""
    made = {}
    for name, (check, default) in fields.items():
        value = body.get(name)
        if value is not None and not check(value):
            raise BadParameter(f"json: cannot unmarshal the value of {name}: it has another type than the API gives it")
        made[name] = default if value is None else value
    return made
