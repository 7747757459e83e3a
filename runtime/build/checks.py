"""Which flags and how many arguments each instruction takes, with the official builder's sentences. Pure.

Source: BuildKit's frontend/dockerfile/instructions/parse.go; Dockerfile reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runtime.build.parser import Instruction
from runtime.errors import BadParameter, Unsupported


@dataclass(frozen=True, slots=True)
class Shape:
    """What an instruction may have. `least`, `most`: arguments; `flags`: by name; `switches`: those without value."""

    least: int = 1
    most: int | None = None
    flags: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()


def check(instruction: Instruction) -> None:
    """Refuse an instruction that cannot mean anything. Raises: BadParameter; Unsupported."""
    shape = SHAPES.get(instruction.word)
    name = instruction.word.upper()
    if shape is None:
        raise BadParameter(f"{_place(instruction)}unknown instruction: {name}")
    flags(instruction)
    count = len(instruction.values)
    if count < shape.least or (not instruction.rest and instruction.word != "cmd"):
        if instruction.word in {"copy", "add"} and instruction.heredocs:
            return
        raise BadParameter(f"{_place(instruction)}{name} requires {_counted(shape)}")
    if shape.most is not None and count > shape.most:
        raise BadParameter(f"{_place(instruction)}{name} requires {_counted(shape)}")
    if instruction.word == "from" and (count == 2 or (count == 3 and instruction.values[1].lower() != "as")):
        raise BadParameter(f"{_place(instruction)}FROM requires either one or three arguments")
    if instruction.word in {"env", "label"} and "" in instruction.values[::2]:
        raise BadParameter(f"{_place(instruction)}{name} names can not be blank")
    if instruction.word == "onbuild":
        _check_trigger(instruction)
    if instruction.word == "shell" and not instruction.is_json:
        raise BadParameter(f"{_place(instruction)}SHELL requires the arguments to be in JSON form")


def flags(instruction: Instruction) -> dict[str, list[str]]:
    """Give an instruction's flags, each with its values; a switch has "true" or "false". Raises: BadParameter."""
    shape = SHAPES[instruction.word]
    found: dict[str, list[str]] = {}
    for text in instruction.flags:
        name, equals, value = text.removeprefix("--").partition("=")
        if name not in shape.flags | shape.switches:
            raise BadParameter(f"{_place(instruction)}unknown flag: {name}")
        if name in shape.switches:
            value = value.lower() if equals else "true"
            if value not in {"true", "false"}:
                raise BadParameter(f"{_place(instruction)}expecting boolean value for flag {name}, not: {value}")
        elif not equals:
            raise BadParameter(f"{_place(instruction)}missing a value on flag: {name}")
        if name in found and name not in _MANY:
            raise BadParameter(f"{_place(instruction)}duplicate flag specified: {name}")
        found.setdefault(name, []).append(value)
    for name in found:
        if name in _MISSING:
            raise Unsupported(f"{_place(instruction)}{_MISSING[name]}")
    return found


def _check_trigger(instruction: Instruction) -> None:
    trigger = instruction.trigger
    if trigger is None:
        raise BadParameter(f"{_place(instruction)}ONBUILD requires at least one argument")
    if trigger.word == "onbuild":
        raise BadParameter(f"{_place(instruction)}Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger.word in {"from", "maintainer"}:
        raise BadParameter(f"{_place(instruction)}{trigger.word.upper()} isn't allowed as an ONBUILD trigger")
    check(trigger)


def _place(instruction: Instruction) -> str:
    return f"dockerfile parse error on line {instruction.first_line}: "


def _counted(shape: Shape) -> str:
    if shape.least == 2:
        return "at least two arguments"
    return "exactly one argument" if shape.most == 1 else "at least one argument"


_COPY = frozenset({"from", "chown", "chmod", "exclude"})
_ADD = frozenset({"chown", "chmod", "checksum", "exclude"})
_MANY = frozenset({"mount", "exclude"})
_MISSING: Mapping[str, str] = MappingProxyType(
    {
        "keep-git-dir": "the engine does not fetch git repositories; clone it in a RUN step",
        "security": "the engine runs build steps with the default confinement only; leave --security out",
        "device": "the engine gives build steps no devices; leave --device out",
        "exclude": "--exclude is not there; leave files out by .dockerignore, or copy what is wanted",
        "parents": "COPY --parents is not there; copy each directory by its own COPY",
    }
)
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "add": Shape(2, None, _ADD, frozenset({"link", "keep-git-dir", "unpack"})),
        "arg": Shape(1),
        "cmd": Shape(0),
        "copy": Shape(2, None, _COPY, frozenset({"link", "parents"})),
        "entrypoint": Shape(0),
        "env": Shape(1),
        "expose": Shape(1),
        "from": Shape(1, 3, frozenset({"platform"})),
        "healthcheck": Shape(1, None, frozenset({"interval", "timeout", "start-period", "start-interval", "retries"})),
        "label": Shape(1),
        "maintainer": Shape(1, 1),
        "onbuild": Shape(0),
        "run": Shape(0, None, frozenset({"mount", "network", "security", "device"})),
        "shell": Shape(1),
        "stopsignal": Shape(1, 1),
        "user": Shape(1, 1),
        "volume": Shape(1),
        "workdir": Shape(1, 1),
    }
)
