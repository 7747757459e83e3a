"""Instructions that change an image's configuration and no file. Pure.

Source: Dockerfile reference; BuildKit's dockerfile2llb/convert.go and moby's builder/dockerfile/dispatchers.go.
"""

import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runtime.build.checks import flags
from runtime.build.expand import Rules, expand, words
from runtime.build.parser import Instruction
from runtime.errors import BadParameter

Runtime = dict[str, Any]
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}
SHELL = ("/bin/sh", "-c")


def configured(
    runtime: Mapping[str, Any], instruction: Instruction, variables: Mapping[str, str], escape: str
) -> Runtime:
    """Return the configuration after an instruction of `CONFIGURING`. Raises BadParameter."""
    result = dict(runtime)
    rules = Rules(escape=escape)
    CONFIGURING[instruction.word](result, instruction, lambda text: expand(text, variables, rules))
    if instruction.word == "expose":
        _expose(result, [port for text in instruction.values for port in words(text, variables, rules)])
    return result


def environment(runtime: Mapping[str, Any]) -> dict[str, str]:
    """Give the variables of a configuration, in order."""
    return dict(item.partition("=")[::2] for item in runtime.get("Env") or ())


def argv(runtime: Mapping[str, Any], instruction: Instruction) -> list[str]:
    """Give the words of a command: the JSON form as it is, text behind the image's shell."""
    if instruction.is_json:
        return list(instruction.values)
    return [*(runtime.get("Shell") or SHELL), instruction.rest] if instruction.rest else []


def directory(runtime: Mapping[str, Any], path: str) -> str:
    """Make a path absolute, from the working directory, and clean; a slash at its end is not kept."""
    return posixpath.normpath("/" + posixpath.join(runtime.get("WorkingDir") or "/", path).lstrip("/"))


Expand = Callable[[str], str]


def _env(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    known = environment(runtime)
    names, values = instruction.values[::2], instruction.values[1::2]
    known.update({word(name): word(value) for name, value in zip(names, values, strict=True)})
    if "" in known:
        raise BadParameter("ENV names can not be blank")
    runtime["Env"] = [f"{name}={value}" for name, value in known.items()]


def _label(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    names, values = instruction.values[::2], instruction.values[1::2]
    new = {word(name): word(value) for name, value in zip(names, values, strict=True)}
    runtime["Labels"] = {**(runtime.get("Labels") or {}), **new}


def _nothing(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    """ARG and EXPOSE are done elsewhere; MAINTAINER is the author."""


def _expose(runtime: Runtime, ports: Sequence[str]) -> None:
    found = dict(runtime.get("ExposedPorts") or {})
    for text in ports:
        match = _PORT.fullmatch(text)
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if match is None or not 0 < first <= last <= 65535:
            raise BadParameter(f"invalid containerPort: {text}")
        found.update({f"{port}/{(match[3] or 'tcp').lower()}": {} for port in range(first, last + 1)})
    runtime["ExposedPorts"] = dict(sorted(found.items()))


def _volume(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    paths = [word(text).strip() for text in instruction.values]
    if "" in paths:
        raise BadParameter("VOLUME specified can not be an empty string")
    runtime["Volumes"] = {**(runtime.get("Volumes") or {}), **{path: {} for path in paths}}


def _workdir(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    path = word(instruction.values[0])
    if not path or "\0" in path:
        raise BadParameter("WORKDIR needs a path")
    runtime["WorkingDir"] = directory(runtime, path)


def _user(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    runtime["User"] = word(instruction.values[0])


def _stop_signal(runtime: Runtime, instruction: Instruction, word: Expand) -> None:
    runtime["StopSignal"] = word(instruction.values[0])


def _cmd(runtime: Runtime, instruction: Instruction, _: Expand) -> None:
    runtime["Cmd"] = argv(runtime, instruction)
    runtime["ArgsEscaped"] = None


def _entrypoint(runtime: Runtime, instruction: Instruction, _: Expand) -> None:
    """Another entrypoint takes an inherited command away; one that this Dockerfile gave is left (`kept_cmd`)."""
    runtime["Entrypoint"] = argv(runtime, instruction)


def _shell(runtime: Runtime, instruction: Instruction, _: Expand) -> None:
    if not instruction.values:
        raise BadParameter("SHELL requires at least one argument")
    runtime["Shell"] = list(instruction.values)


def _onbuild(runtime: Runtime, instruction: Instruction, _: Expand) -> None:
    trigger = instruction.trigger
    text = instruction.original.strip() if trigger is None else instruction.rest
    if instruction.heredocs:
        text = f"{instruction.rest}\n{instruction.original.partition(chr(10))[2]}"
    runtime["OnBuild"] = [*(runtime.get("OnBuild") or ()), text]


def _healthcheck(runtime: Runtime, instruction: Instruction, _: Expand) -> None:
    kind = instruction.values[0].upper()
    given = flags(instruction)
    if kind == "NONE":
        if len(instruction.values) > 1 or given:
            raise BadParameter("HEALTHCHECK NONE takes no arguments")
        runtime["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind != "CMD":
        raise BadParameter(f'Unknown type "{kind}" in HEALTHCHECK (try CMD)')
    command = list(instruction.values[1:])
    if not command:
        raise BadParameter("Missing command after HEALTHCHECK CMD")
    check: dict[str, Any] = {"Test": ["CMD" if instruction.is_json else "CMD-SHELL", *command]}
    check |= {_TIMES[name]: _nanoseconds(name, values[0]) for name, values in given.items() if name in _TIMES}
    if "retries" in given:
        check["Retries"] = _retries(given["retries"][0])
    runtime["Healthcheck"] = check


def _nanoseconds(name: str, text: str) -> int:
    pieces = _DURATION.findall(text)
    if "".join(f"{number}{unit}" for number, unit in pieces) != text or not pieces:
        raise BadParameter(f'time: invalid duration "{text}"')
    value = int(sum(float(number) * _UNITS[unit] for number, unit in pieces))
    if 0 < value < 10**6:
        raise BadParameter(f'Interval "{name}" cannot be less than 1ms')
    return value


def _retries(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadParameter(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


CONFIGURING: Mapping[str, Callable[[Runtime, Instruction, Expand], None]] = {
    "arg": _nothing,
    "cmd": _cmd,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _nothing,
    "healthcheck": _healthcheck,
    "label": _label,
    "maintainer": _nothing,
    "onbuild": _onbuild,
    "shell": _shell,
    "stopsignal": _stop_signal,
    "user": _user,
    "volume": _volume,
    "workdir": _workdir,
}


def written(command: Sequence[str]) -> str:
    """Write a command as Docker's sentences do."""
    return " ".join(word or json.dumps(word) for word in command)
