"""What a client wants mounted: `-v`, `--mount`, `--tmpfs` and the image's VOLUMEs, as `Mount` values.

Pure. Forms and sentences as in Docker (moby, volume/mounts/linux_parser.go). Where a thing is wanted twice for one
place, the client's word goes before the image's, and twice the client's is an error.
"""

import posixpath
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from runtime.containers.model import Mount
from runtime.errors import BadParameter

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_IGNORED = frozenset({"z", "Z", "delegated", "cached", "consistent", "U"})
_TMPFS_OPTION = re.compile(
    r"(?:size=\d+[kKmMgG%]?|mode=[0-7]{3,4}|(?:nr_inodes|nr_blocks)=\d+[kKmMgG]?|uid=\d+|gid=\d+|"
    r"ro|rw|exec|noexec|suid|nosuid|dev|nodev|sync|async|dirsync|atime|noatime|diratime|nodiratime|relatime|norelatime|"
    r"strictatime|nostrictatime)",
    re.ASCII,
)
_TMPFS_DEFAULT = ("noexec", "nosuid", "nodev")


def wanted(host_config: Mapping[str, Any], volumes: Iterable[str]) -> tuple[Mount, ...]:
    """Gather every mount of a container, by target. Raises: BadParameter."""
    found: dict[str, Mount] = {}
    given = [
        *(bind(text) for text in host_config.get("Binds") or ()),
        *(mount(entry) for entry in host_config.get("Mounts") or ()),
    ]
    for each in given:
        if each.target in found:
            raise BadParameter(f"Duplicate mount point: {each.target}")
        found[each.target] = each
    for target, options in (host_config.get("Tmpfs") or {}).items():
        place = _target(target, target)
        if place in found:
            raise BadParameter(f"Duplicate mount point: {place}")
        found[place] = Mount("tmpfs", "", place, options=_tmpfs_options(options))
    for text in volumes:
        for target in _of_image(text):
            found.setdefault(target.target, target)
    return tuple(found[target] for target in sorted(found))


def bind(text: str) -> Mount:
    """Read one `-v`: SOURCE:TARGET[:OPTIONS], a source that is no absolute path being a volume's name."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts) or "\0" in text:
        raise BadParameter(f"invalid volume specification: '{text}'")
    if len(parts) == 1:
        return _anonymous(_target(parts[0], text))
    source, target = parts[0], _target(parts[1], text)
    options = _Options(parts[2] if len(parts) == 3 else "", text)
    if not source.startswith("/"):
        if options.propagation:
            raise BadParameter(f"invalid mode: {options.text}")
        return Mount("volume", _name(source), target, options.writable, copies=options.copies, driver="local",
                     mode=options.text)  # fmt: skip
    if options.text and not options.copies:
        raise BadParameter(f"invalid mode: {options.text}")
    path = posixpath.normpath(source)
    return Mount("bind", path, target, options.writable, options.propagation or "rprivate", makes_source=True,
                 mode=options.text)  # fmt: skip


def mount(entry: Mapping[str, Any]) -> Mount:
    """Read one `--mount`, as the Engine API has it. Raises: BadParameter."""
    kind, source = str(entry.get("Type") or ""), str(entry.get("Source") or "")
    place = str(entry.get("Target") or "")
    if not place:
        raise BadParameter(f'invalid mount config for type "{kind}": field Target must not be empty')
    target = _target(place, place)
    writable = not entry.get("ReadOnly")
    if kind == "bind":
        return _bind_mount(entry, source, target, writable)
    if kind == "volume":
        return _volume_mount(entry, source, target, writable)
    if kind == "tmpfs":
        if source:
            raise BadParameter('invalid mount config for type "tmpfs": field Source must not be specified')
        return Mount("tmpfs", "", target, writable, options=_tmpfs_mount(entry.get("TmpfsOptions") or {}))
    raise BadParameter(f"mount type unknown: {kind!r}; bind, volume and tmpfs are known")


def _bind_mount(entry: Mapping[str, Any], source: str, target: str, writable: bool) -> Mount:
    if not source:
        raise BadParameter('invalid mount config for type "bind": field Source must not be empty')
    if not source.startswith("/") or "\0" in source:
        raise BadParameter(
            f"invalid mount config for type \"bind\": invalid mount path: '{source}' mount path must be absolute"
        )
    options = entry.get("BindOptions") or {}
    propagation = str(options.get("Propagation") or "rprivate")
    if propagation not in _PROPAGATIONS:
        raise BadParameter(f"invalid propagation mode: {propagation}")
    return Mount(
        "bind",
        posixpath.normpath(source),
        target,
        writable,
        propagation,
        recursive=not options.get("NonRecursive"),
        makes_source=bool(options.get("CreateMountpoint")),
    )


def _volume_mount(entry: Mapping[str, Any], source: str, target: str, writable: bool) -> Mount:
    options = entry.get("VolumeOptions") or {}
    if not source:
        return _anonymous(target, writable)
    driver = (options.get("DriverConfig") or {}).get("Name") or "local"
    copies = not options.get("NoCopy")
    return Mount("volume", _name(source), target, writable, copies=copies, driver=driver, volume_options=options)


class _Options:
    """The third part of `-v`."""

    def __init__(self, text: str, whole: str) -> None:
        self.text = text
        self.writable = True
        self.copies = True
        self.propagation = ""
        for word in filter(None, text.split(",")):
            if word in {"ro", "rw"}:
                self.writable = word == "rw"
            elif word == "nocopy":
                self.copies = False
            elif word in _PROPAGATIONS and not self.propagation:
                self.propagation = word
            elif word not in _IGNORED:
                raise BadParameter(f"invalid volume specification: '{whole}': invalid mode: {text}")


def _of_image(text: str) -> list[Mount]:
    """An image's VOLUME, which may be anything: what cannot be a mount point is left out, as no client asked for it."""
    try:
        return [_anonymous(_target(text, text))]
    except BadParameter:
        return []


def _anonymous(target: str, writable: bool = True) -> Mount:
    return Mount("volume", secrets.token_hex(32), target, writable, driver="local", anonymous=True)


def _target(path: str, whole: str) -> str:
    """A place in the container: absolute, in its shortest form, and not the root."""
    if not path.startswith("/") or "\0" in path or len(path) > 4095:
        raise BadParameter(
            f"invalid volume specification: '{whole}': invalid mount path: '{path}' mount path must be absolute"
        )
    found = posixpath.normpath("/" + path.lstrip("/"))
    if found == "/":
        raise BadParameter(f"invalid volume specification: '{whole}': invalid specification: destination can't be '/'")
    return found


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise BadParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    return name


def _tmpfs_options(text: str) -> tuple[str, ...]:
    options = [option for option in str(text or "").split(",") if option]
    for option in options:
        if _TMPFS_OPTION.fullmatch(option) is None:
            raise BadParameter(f'invalid tmpfs option ["{option}"]')
    positive = {option.removeprefix("no") for option in options}
    return (*(option for option in _TMPFS_DEFAULT if option.removeprefix("no") not in positive), *options)


def _tmpfs_mount(options: Mapping[str, Any]) -> tuple[str, ...]:
    made = list(_TMPFS_DEFAULT)
    if options.get("SizeBytes"):
        made.append(f"size={int(options['SizeBytes'])}")
    if options.get("Mode"):
        made.append(f"mode={int(options['Mode']):o}")
    return tuple(made)
