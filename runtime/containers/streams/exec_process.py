"""One more process in a container: what runc is told of it, and what its failures mean to Docker's clients.

Pure: JSON in, JSON out. Sources: OCI runtime-spec, "process"; the Engine API's exec calls; exit codes 126 and 127 as in
`docker exec`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.containers.specification.users import User
from runtime.errors import BadParameter, Conflict, EngineError

CANNOT_INVOKE = 126
NOT_FOUND = 127
UNKNOWN = 128

_ENDED = ("container does not exist", "stopped container", "container that has stopped", "container not running")
_NO_SUCH_COMMAND = ("executable file not found", "no such file or directory")


@dataclass(frozen=True, slots=True)
class Command:
    """What is to run, and which of its streams are wanted. `size`: a terminal's height and width, in characters."""

    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    privileged: bool = False
    terminal: bool = False
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    detach_keys: bytes = b""
    size: tuple[int, int] | None = None


class ExecFailed(EngineError):
    """The process did not start. `exit_code` is what Docker reports in its place."""

    status = 400

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        if exit_code == UNKNOWN:
            self.status = 500


def parse(body: Mapping[str, Any], *, detach_keys: bytes) -> Command:
    """Read the body of POST /containers/(id)/exec. Raises: BadParameter."""
    argv = _strings(body, "Cmd")
    if not argv:
        raise BadParameter("No exec command specified")
    return Command(
        argv,
        env=_strings(body, "Env"),
        user=_text(body, "User"),
        workdir=_text(body, "WorkingDir"),
        privileged=body.get("Privileged") is True,
        terminal=body.get("Tty") is True,
        stdin=body.get("AttachStdin") is True,
        stdout=body.get("AttachStdout") is True,
        stderr=body.get("AttachStderr") is True,
        detach_keys=detach_keys,
        size=console_size(body),
    )


def console_size(body: Mapping[str, Any]) -> tuple[int, int] | None:
    """Read `ConsoleSize`, a terminal's height and width. Raises: BadParameter."""
    value = body.get("ConsoleSize")
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) and 0 <= n < 2**16 for n in value):
        return value[0], value[1]
    raise BadParameter(f"invalid console size: {value!r}")


def _strings(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise BadParameter(f"{name} has to be a list of strings")
    return tuple(value)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str) or "\0" in value:
        raise BadParameter(f"{name} has to be a string")
    return value


def document(
    base: Mapping[str, Any], command: Command, *, identity: User | None, capabilities: Iterable[str] | None
) -> dict[str, Any]:
    """Write runc's process document.

    Args: base: the `process` of the container's own config.json, whose limits, profile and environment hold here too;
    identity: another user than the container's; capabilities: other ones (a privileged exec).
    """
    process = dict(base)
    process |= {
        "args": list(command.argv),
        "env": environment(base.get("env", ()), command, identity.home if identity else ""),
        "cwd": command.workdir or base.get("cwd") or "/",
        "terminal": command.terminal,
    }
    process.pop("consoleSize", None)
    if command.terminal and command.size:
        process["consoleSize"] = {"height": command.size[0], "width": command.size[1]}
    if identity is not None:
        process["user"] = {"uid": identity.uid, "gid": identity.gid, "additionalGids": list(identity.groups)}
    if capabilities is not None:
        names = sorted(capabilities)
        process["capabilities"] = {kind: names for kind in ("bounding", "effective", "permitted")}
    return process


def environment(base: Sequence[str], command: Command, home: str = "") -> list[str]:
    """The container's environment with the command's over it; `NAME` without a value takes one away.

    TERM is a terminal's; `home`: of another user than the container's.
    """
    values = dict(_split(item) for item in base)
    values.pop("TERM", None)
    if command.terminal:
        values["TERM"] = "xterm"
    if home:
        values["HOME"] = home
    for item in command.env:
        name, value = _split(item)
        if "=" in item:
            values[name] = value
        else:
            values.pop(name, None)
    return [f"{name}={value}" for name, value in values.items()]


def _split(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    if not name or "\0" in item:
        raise BadParameter(f"invalid environment variable: {item}")
    return name, value


def failure(log: str, container_id: str) -> EngineError:
    """Say why a process did not start, in Docker's words: ExecFailed, or Conflict where the container has just ended.

    Args: log: runc's, in JSON lines.
    """
    message = f"OCI runtime exec failed: {_last_error(log) or 'runc said nothing'}: unknown"
    lowered = message.lower()
    if any(words in lowered for words in _ENDED):
        return Conflict(f"container {container_id} is not running")
    if "permission denied" in lowered:
        return ExecFailed(message, CANNOT_INVOKE)
    if "is a directory" in lowered:
        return ExecFailed(f"{message}: permission denied", CANNOT_INVOKE)  # the CLI looks for these words
    if any(words in lowered for words in _NO_SUCH_COMMAND):
        return ExecFailed(message, NOT_FOUND)
    return ExecFailed(message, UNKNOWN)


def _last_error(log: str) -> str:
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in {"error", "fatal"}:
            return str(entry.get("msg", ""))
    return ""
