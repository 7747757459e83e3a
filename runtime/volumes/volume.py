"""One volume: its name's grammar, what it was made with, and its record. Pure. Source: moby volume/local."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import BadParameter, NotFound

DRIVER = "local"
ANONYMOUS = "com.docker.volume.anonymous"
"""Label of volumes that nobody named."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,200}", re.ASCII)
_OPTIONS = ("type", "device", "o", "size")


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume below `directory`. `created`: nanoseconds since 1970; `options`: the local driver's."""

    name: str
    directory: Path
    created: int
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """What containers see of it."""
        return self.directory / "_data"

    @property
    def mounted_from(self) -> str:
        """What is mounted at `data` while it is in use; "" for a plain directory."""
        return self.options.get("device", "")

    def record(self) -> dict[str, Any]:
        """The volume as it is kept on disk."""
        return {name: value for name, value in asdict(self).items() if name != "directory"}

    @staticmethod
    def of(record: Mapping[str, Any], directory: Path) -> "Volume":
        """Read a record. Raises: TypeError, ValueError where it is damaged."""
        volume = Volume(**record, directory=directory)
        if volume.name != directory.name:
            raise ValueError(f"{directory} holds the volume {volume.name!r}")
        return volume


def checked_name(name: object) -> str:
    """A name that may be a directory's. Raises BadParameter in Docker's words."""
    if not isinstance(name, str) or len(name) == 1:
        raise BadParameter("volume name is too short, names should be at least two alphanumeric characters")
    if not _NAME.fullmatch(name):
        raise BadParameter(
            f'create {name[:300]}: "{name[:300]}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )
    return name


def checked_driver(name: str, driver: object) -> None:
    """Raise NotFound for a driver that is not here."""
    if driver not in {None, "", DRIVER}:
        raise NotFound(f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found')


def checked_options(name: str, given: object) -> dict[str, str]:
    """The local driver's options: all of type, device and o, or none. Raises BadParameter."""
    options = texts("DriverOpts", given)
    for key in options:
        if key not in _OPTIONS:
            raise BadParameter(f'create {name}: invalid option: "{key}"')
    if "size" in options:
        raise BadParameter(f"create {name}: quota size requested but no quota support")
    if options and not options.get("device"):
        raise BadParameter(f'create {name}: missing required option: "device"')
    if options and not options.get("type"):
        raise BadParameter(f'create {name}: missing required option: "type"')
    if any("\0" in value or "\n" in value for value in options.values()):
        raise BadParameter(f"create {name}: an option holds a character that no mount can have")
    return options


def texts(what: str, given: object) -> dict[str, str]:
    """An object of strings, as clients send it. Raises BadParameter."""
    found = given or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadParameter(f"json: {what} is an object of strings")
    return dict(found)
