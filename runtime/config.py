"""The engine's settings: a TOML file and MOOR_* environment variables, read once; the only reader of the environment.

`/etc/moorage/engine.toml` (or $MOOR_CONFIG) holds the same names as `Settings`, in lower case, without sections; the
environment's names are `MOOR_` and the name in capitals, lists separated by commas. Plain dataclass: pydantic's import
costs more than the whole start of `moor` may take.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from runtime.errors import BadParameter

FILE = Path("/etc/moorage/engine.toml")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator chooses. Every name is a key of the file and, as MOOR_NAME, of the environment."""

    data: Path = Path("/var/lib/moorage-runtime")
    """Images, containers and networks: survives a restart of the machine. Private to the engine's user."""
    run: Path = Path("/run/moorage")
    """Sockets, mounts and the state of what runs: gone with the machine's next start."""
    socket: Path = Path("/run/moorage/engine.sock")
    socket_group: str = "moor"
    """Members may use the socket, and are root by that. A group that does not exist is left out. It is not the group of
    the registry's service: who breaks into the registry is not to be root."""
    default_registry: str = "localhost:5000"
    """Where `nginx` and `team/app` come from: names without a host are never asked of the internet."""
    mirrors: tuple[str, ...] = ()
    """Registries (http[s]://host[:port]) that are asked first for what the default registry holds."""
    insecure_registries: tuple[str, ...] = ()
    """host[:port] of registries spoken to over plain HTTP, or HTTPS without a known certificate; loopback always is."""
    registry_data: Path | None = None
    """Data directory of a Moorage registry on this machine, whose blobs may be linked in place of downloaded."""
    registry_data_of: str = ""
    """host[:port] under which that registry is pulled from; the default registry where it is empty."""
    runtime: str = ""
    """Path of runc or crun; found by itself where it is empty."""
    bridge_name: str = "moor0"
    address_pool: str = "10.201.0.0/16"
    """IPv4 range that networks take their /24 from."""
    parallel_layers: int = 3
    rootless: bool = False
    """Set by the engine itself: it runs in namespaces of an ordinary user (`runtime.rootless`)."""
    log_size_max: int = 0
    """Bytes after which conmon starts a container's log anew; 0: never."""


def environment() -> Mapping[str, str]:
    """Return the process's environment, for what `moor` reads beside the settings: HOME, DOCKER_CONFIG, `-e NAME`."""
    return os.environ


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """Read file and environment, the latter with more weight.

    Raises: BadParameter, naming every unknown key with the nearest known one and every value that cannot be read.
    """
    environ = os.environ if environment is None else environment
    given = _file(environ)
    given |= {
        key.removeprefix("MOOR_").lower(): value
        for key, value in environ.items()
        if key.startswith("MOOR_") and key not in {"MOOR_CONFIG", "MOOR_HOST"}
    }
    return _settings(given, _defaults(environ))


def _file(environ: Mapping[str, str]) -> dict[str, object]:
    path = Path(environ.get("MOOR_CONFIG", FILE))
    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            return {}
        import tomllib  # with what it needs, a twentieth of the time that `moor` may take to start

        return tomllib.loads(text)
    except FileNotFoundError:
        if "MOOR_CONFIG" in environ:
            raise BadParameter(f"{path} is not there: MOOR_CONFIG names it") from None
        return {}
    except (OSError, ValueError) as error:
        raise BadParameter(f"{path} cannot be read: {error}") from error


def _defaults(environ: Mapping[str, str]) -> Settings:
    """The settings of this user: an ordinary one has directories of his own (XDG Base Directory Specification)."""
    if os.geteuid() == 0:
        return Settings()
    home = Path(environ.get("HOME", "/"))
    run = Path(environ.get("XDG_RUNTIME_DIR") or f"/tmp/moorage-{os.geteuid()}") / "moorage"  # noqa: S108  # 0700 below
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share") / "moorage-runtime"
    return replace(Settings(), data=data, run=run, socket=run / "engine.sock")


def _settings(given: Mapping[str, object], defaults: Settings) -> Settings:
    known = {field.name: field for field in fields(Settings)}
    problems = []
    chosen: dict[str, object] = {}
    for name, value in given.items():
        if name not in known:
            from difflib import get_close_matches  # for mistakes only

            near = get_close_matches(name, known, 1)
            problems.append(f"{name} is no setting of the engine{f'; {near[0]} is' if near else ''}")
            continue
        try:
            chosen[name] = _converted(str(known[name].type), value)
        except (KeyError, TypeError, ValueError):
            problems.append(f"{name} cannot be {value!r}")
    if problems:
        raise BadParameter("; ".join(problems))
    return replace(defaults, **chosen)  # type: ignore[arg-type]  # each was converted by its field's type


def _converted(kind: str, value: object) -> object:
    if "tuple" in kind:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list):
            raise TypeError
        return tuple(str(item).strip() for item in items if str(item).strip())
    if "Path" in kind:
        return Path(str(value)) if value else None
    if "bool" in kind:
        return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
    if "int" in kind:
        return int(str(value))
    if not isinstance(value, str):
        raise TypeError
    return value
