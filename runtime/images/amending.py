"""Changes to an image's configuration in a Dockerfile's words, as `docker import --change` and `commit` take them.

Only instructions that need no container and no files. Source: moby's builder/dockerfile, validCommitCommands.
"""

import copy
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runtime.errors import BadParameter

_Runtime = dict[str, Any]
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII)
_WORDS = re.compile(r'(?:"(?:\\.|[^"\\])*"|\'[^\']*\'|\\.|[^\s"\'])+')


def amended(runtime: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Return a copy of the runtime configuration with changes made, in order.

    Raises: BadParameter "dockerfile parse error" or "X is not a valid change command".
    """
    result: dict[str, Any] = copy.deepcopy(dict(runtime))
    for change in changes:
        for line in filter(None, (text.strip() for text in change.replace("\\\n", "").splitlines())):
            word, _, rest = line.partition(" ")
            instruction = _INSTRUCTIONS.get(word.upper())
            if instruction is None:
                raise BadParameter(f"{word.lower()} is not a valid change command")
            if not rest.strip():
                raise BadParameter(f"dockerfile parse error: {word.upper()} requires at least one argument")
            instruction(result, rest.strip())
    return result


def _command(name: str) -> Callable[[_Runtime, str], None]:
    def change(runtime: _Runtime, text: str) -> None:
        runtime[name] = _argv(runtime, text)
        if name == "Entrypoint":
            runtime.pop("Cmd", None)

    return change


def _argv(runtime: _Runtime, text: str) -> list[str]:
    """Read the exec form, a JSON list of strings, or else the shell form."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return found
    return [*(runtime.get("Shell") or ("/bin/sh", "-c")), text]


def _env(runtime: _Runtime, text: str) -> None:
    kept: dict[str, str] = dict(item.partition("=")[::2] for item in runtime.get("Env") or ())
    kept.update(_pairs("ENV", text))
    runtime["Env"] = [f"{name}={value}" for name, value in kept.items()]


def _label(runtime: _Runtime, text: str) -> None:
    runtime["Labels"] = {**(runtime.get("Labels") or {}), **_pairs("LABEL", text)}


def _pairs(word: str, text: str) -> dict[str, str]:
    """Read `name=value ...`, or the old form `name value`."""
    words = _WORDS.findall(text)
    if "=" not in words[0]:
        name, _, value = text.partition(" ")
        if not value:
            raise BadParameter(f"dockerfile parse error: {word} must have two arguments")
        return {name: value.strip()}
    found = {}
    for item in words:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise BadParameter(
                f"dockerfile parse error: Syntax error - can't find = in {item!r}. Must be of the form: name=value"
            )
        found["".join(shlex.split(name))] = "".join(shlex.split(value)) if value else ""
    return found


def _expose(runtime: _Runtime, text: str) -> None:
    ports = runtime.setdefault("ExposedPorts", {}) or {}
    for port in text.split():
        match = _PORT.fullmatch(port.lower())
        if match is None or not 0 < int(match[1]) <= int(match[2] or match[1]) <= 65535:
            raise BadParameter(f"invalid containerPort: {port}")
        span = f"{match[1]}-{match[2]}" if match[2] else match[1]
        ports[f"{span}/{match[3] or 'tcp'}"] = {}
    runtime["ExposedPorts"] = ports


def _volume(runtime: _Runtime, text: str) -> None:
    paths = _argv(runtime, text) if text.startswith("[") else text.split()
    runtime["Volumes"] = {**(runtime.get("Volumes") or {}), **{path: {} for path in paths}}


def _onbuild(runtime: _Runtime, text: str) -> None:
    runtime["OnBuild"] = [*(runtime.get("OnBuild") or ()), text]


def _workdir(runtime: _Runtime, text: str) -> None:
    base = "/" if text.startswith("/") else (runtime.get("WorkingDir") or "/") + "/"
    parts: list[str] = []
    for part in (base + text).split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    runtime["WorkingDir"] = "/" + "/".join(parts)


def _plain(name: str) -> Callable[[_Runtime, str], None]:
    def change(runtime: _Runtime, text: str) -> None:
        runtime[name] = text

    return change


_INSTRUCTIONS: Mapping[str, Callable[[_Runtime, str], None]] = {
    "CMD": _command("Cmd"),
    "ENTRYPOINT": _command("Entrypoint"),
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _plain("StopSignal"),
    "USER": _plain("User"),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
