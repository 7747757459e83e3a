"""Device nodes: which a container has, and which its device cgroup lets it use.

The allow list is Docker's: null, zero, full, random, urandom, tty, console, ptmx and pseudo-terminals. Any node may be
made, but opens only by a rule. `--device` adds one, `--privileged` has all.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import BadParameter

_RULE = re.compile(r"([acb]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})")
_ALLOWED = (
    ("c", None, None, "m"),
    ("b", None, None, "m"),
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, None, "rwm"),
)


def nodes(host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The spec's `linux.devices`. Raises: BadParameter."""
    found = list(_every()) if host["Privileged"] else []
    for wanted in host["Devices"] or ():
        found += _named(wanted)
    return [node for node in {node["path"]: node for node in found}.values()]


def rules(host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The spec's `linux.resources.devices`. Raises: BadParameter."""
    if host["Privileged"]:
        return [{"allow": True, "access": "rwm"}]
    made = [{"allow": False, "access": "rwm"}, *(_rule(*allowed) for allowed in _ALLOWED)]
    for wanted in host["Devices"] or ():
        access = str(wanted.get("CgroupPermissions") or "rwm")
        made += [_rule(node["type"], node["major"], node["minor"], access) for node in _named(wanted)]
    for text in host["DeviceCgroupRules"] or ():
        parsed = _RULE.fullmatch(text)
        if parsed is None:
            raise BadParameter(f"invalid device cgroup rule format: '{text}'")
        kind, major, minor, access = parsed.groups()
        made.append(_rule(kind, None if major == "*" else int(major), None if minor == "*" else int(minor), access))
    return made


def _rule(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    made: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major is not None:
        made["major"] = major
    if minor is not None:
        made["minor"] = minor
    return made


def _named(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes of one `--device`: one, or all in a directory."""
    source = Path(str(wanted.get("PathOnHost") or ""))
    target = str(wanted.get("PathInContainer") or source)
    if not source.is_absolute() or not target.startswith("/"):
        raise BadParameter(f"{source} is not an absolute path")
    real = Path(os.path.realpath(source))
    if real.is_dir():
        found = [_node(path, f"{target}/{path.relative_to(real)}") for path in sorted(real.rglob("*"))]
        return [node for node in found if node is not None]
    node = _node(real, target)
    if node is None:
        raise BadParameter(
            f'error gathering device information while adding custom device "{source}": not a device node'
        )
    return [node]


def _every() -> Iterator[dict[str, Any]]:
    """The host's own devices; terminals and what runc makes itself are left out."""
    for directory, names, files in os.walk("/dev"):
        names[:] = [
            name for name in names if name not in {"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"}
        ]
        for name in files:
            node = _node(Path(directory, name), f"{directory}/{name}") if name != "console" else None
            if node is not None:
                yield node


def _node(path: Path, target: str) -> dict[str, Any] | None:
    try:
        found = path.lstat()
    except OSError as error:
        raise BadParameter(
            f'error gathering device information while adding custom device "{path}": {error.strerror}'
        ) from None
    if not (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        return None
    return {
        "type": "c" if stat.S_ISCHR(found.st_mode) else "b",
        "path": target,
        "major": os.major(found.st_rdev),
        "minor": os.minor(found.st_rdev),
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }
