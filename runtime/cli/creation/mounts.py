"""Mount options: `-v`, `--mount type=bind,src=...,dst=...` and `--tmpfs`. Pure but for relative sources.

Source: docker/cli opts/mount.go and cli/compose/loader/volume.go (how `-v` is cut).
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runtime.cli.creation.values import size
from runtime.cli.options import FALSE, TRUE


def volumes(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Cut `-v` options into binds (`source:target[:options]`) and targets that get a volume of their own."""
    binds, targets = [], []
    for text in dict.fromkeys(texts):
        source, colon, rest = text.partition(":")
        if not colon:
            targets.append(text)
        else:
            binds.append(f"{_absolute(source)}:{rest}")
    return binds, targets


def tmpfs(texts: Iterable[str]) -> dict[str, str]:
    """{path: options} of `--tmpfs` options."""
    return {path: options for path, _, options in (text.partition(":") for text in texts)}


def mount(text: str) -> dict[str, Any]:
    """One `--mount` as the API's Mount. Raises: ValueError with Docker's sentences."""
    if not text.strip():
        raise ValueError("value is empty")
    found: dict[str, Any] = {"Type": "volume"}
    for field in next(csv.reader([text.strip()])):
        key, equals, value = field.partition("=")
        if key != key.strip():
            raise ValueError(f"invalid option '{key.strip()}' in '{field}': option should not have whitespace")
        key = key.lower()
        if not equals and key not in _SWITCHES:
            raise ValueError(f"invalid field '{field}' must be a key=value pair")
        if equals and not value.strip():
            raise ValueError(f"invalid value for '{key}': value is empty")
        if key not in _KEYS:
            raise ValueError(f"unknown option '{key}' in '{field}'")
        _KEYS[key](found, value if equals else "true")
    _check(found)
    return found


def _check(found: Mapping[str, Any]) -> None:
    if not found.get("Target"):
        raise ValueError("target is required")
    kind = found["Type"]
    for name in ("bind", "volume", "image", "tmpfs"):
        if found.get(f"{name.title()}Options") and kind != name:
            raise ValueError(f"cannot mix '{name}-*' options with mount type '{kind}'")


def _absolute(source: str) -> str:
    return str(Path(source).absolute()) if source.startswith(".") else source


def _boolean(key: str, value: str) -> bool:
    if value in TRUE | FALSE:
        return value in TRUE
    raise ValueError(f'invalid value for \'{key}\': invalid boolean value (must be "true", "1", "false", or "0")')


def _option(group: str, name: str, read: Callable[[str], Any] = str) -> Callable[[dict[str, Any], str], None]:
    def put(found: dict[str, Any], value: str) -> None:
        found.setdefault(group, {})[name] = read(value)

    return put


def _plain(name: str, read: Callable[[str], Any] = str) -> Callable[[dict[str, Any], str], None]:
    def put(found: dict[str, Any], value: str) -> None:
        found[name] = read(value)

    return put


def _recursion(found: dict[str, Any], value: str) -> None:
    named = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}
    if value in named:
        found.setdefault("BindOptions", {})[named[value]] = True
    elif value != "enabled":
        allowed = 'must be "enabled", "disabled", "writable", or "readonly"'
        raise ValueError(f"invalid value for bind-recursive: {value} ({allowed})")


def _label(found: dict[str, Any], value: str) -> None:
    name, _, text = value.partition("=")
    found.setdefault("VolumeOptions", {}).setdefault("Labels", {})[name] = text


def _driver(found: dict[str, Any], value: str) -> None:
    found.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})["Name"] = value


def _driver_option(found: dict[str, Any], value: str) -> None:
    name, _, text = value.partition("=")
    config = found.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})
    config.setdefault("Options", {})[name] = text


def _mode(value: str) -> int:
    try:
        return int(value, 8)
    except ValueError:
        raise ValueError(f"invalid value for tmpfs-mode: {value}") from None


_READ_ONLY = _plain("ReadOnly", lambda value: _boolean("readonly", value))
_SWITCHES = frozenset({"readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"})
_KEYS: Mapping[str, Callable[[dict[str, Any], str], None]] = MappingProxyType(
    {
        "type": _plain("Type", str.lower),
        **dict.fromkeys(("source", "src"), _plain("Source", _absolute)),
        **dict.fromkeys(("target", "dst", "destination"), _plain("Target")),
        **dict.fromkeys(("readonly", "ro"), _READ_ONLY),
        "consistency": _plain("Consistency", str.lower),
        "bind-propagation": _option("BindOptions", "Propagation", str.lower),
        "bind-nonrecursive": _option("BindOptions", "NonRecursive", lambda v: _boolean("bind-nonrecursive", v)),
        "bind-recursive": _recursion,
        "bind-create-src": _option("BindOptions", "CreateMountpoint", lambda v: _boolean("bind-create-src", v)),
        "volume-subpath": _option("VolumeOptions", "Subpath"),
        "volume-nocopy": _option("VolumeOptions", "NoCopy", lambda v: _boolean("volume-nocopy", v)),
        "volume-label": _label,
        "volume-driver": _driver,
        "volume-opt": _driver_option,
        "image-subpath": _option("ImageOptions", "Subpath"),
        "tmpfs-size": _option("TmpfsOptions", "SizeBytes", size),
        "tmpfs-mode": _option("TmpfsOptions", "Mode", _mode),
    }
)
