"""The plan of a build: its stages, the ARGs before the first, and which stages the target needs. Pure.

A stage is named, numbered, and may be the base of another or a source of `COPY --from` and `RUN --mount=from`.
Source: Dockerfile reference, "Multi-stage builds", "Understand how ARG and FROM interact".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.build.checks import check, flags
from runtime.build.expand import Rules, expand
from runtime.build.mounts import mount_source
from runtime.build.parser import Dockerfile, Instruction
from runtime.errors import BadParameter, NotFound

LIMIT = 1000
"""Instructions of one build, triggers among them."""
_NAME = re.compile(r"[a-z][a-z0-9-_.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `base`: an image, `scratch`, or the number of an earlier stage; `needs`: numbers of earlier stages."""

    number: int
    name: str
    base: str | int
    platform: str
    opening: Instruction
    steps: tuple[Instruction, ...]
    needs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Plan:
    """`stages`: those to build, in order, the last of them the result; `globals`: the ARGs before the first FROM.

    `consumed`: build arguments that those ARGs took.
    """

    stages: tuple[Stage, ...]
    globals: Mapping[str, str]
    escape: str
    consumed: frozenset[str] = frozenset()

    def named(self, text: str) -> int | None:
        """Find a stage by what `--from` says. Names go before numbers."""
        return _find(self.stages, text)


def plan(dockerfile: Dockerfile, arguments: Mapping[str, str], platform: Mapping[str, str], target: str = "") -> Plan:
    """Put the plan together.

    Args:   arguments: `--build-arg`; platform: TARGETPLATFORM and the like, which FROM may use.
    Raises: BadParameter, Unsupported; "target stage X could not be found".
    """
    for instruction in dockerfile.instructions:
        check(instruction)
    if len(dockerfile.instructions) > LIMIT:
        raise BadParameter(f"the Dockerfile has more than {LIMIT} instructions")
    opening, sections = _sections(dockerfile)
    known = _globals(opening, arguments, platform, dockerfile.escape)
    stages: list[Stage] = []
    for section in sections:
        stages.append(_stage(section, stages, known, dockerfile.escape))
    chosen = _target(stages, target)
    needed = _closure(stages, chosen)
    consumed = frozenset(text.partition("=")[0] for each in opening for text in each.values)
    return Plan(tuple(stage for stage in stages if stage.number in needed), known, dockerfile.escape, consumed)


def _sections(dockerfile: Dockerfile) -> tuple[list[Instruction], list[list[Instruction]]]:
    opening: list[Instruction] = []
    sections: list[list[Instruction]] = []
    for instruction in dockerfile.instructions:
        if instruction.word == "from":
            sections.append([instruction])
        elif sections:
            sections[-1].append(instruction)
        elif instruction.word == "arg":
            opening.append(instruction)
        else:
            raise BadParameter(
                f"dockerfile parse error on line {instruction.first_line}: no build stage in current context"
            )
    if not sections:
        raise BadParameter("no build stage in current context")
    return opening, sections


def _globals(
    opening: list[Instruction], arguments: Mapping[str, str], platform: Mapping[str, str], escape: str
) -> dict[str, str]:
    known = dict(platform)
    for instruction in opening:
        for text in instruction.values:
            name, value = argument(text, known, escape)
            if name in arguments:
                known[name] = arguments[name]
            elif value is not None:
                known[name] = value
    return known


def argument(text: str, variables: Mapping[str, str], escape: str) -> tuple[str, str | None]:
    """Read one of ARG's words: its name, and its default where it has one. Raises BadParameter."""
    name, equals, value = text.partition("=")
    rules = Rules(escape=escape)
    name = expand(name, variables, rules)
    if not name:
        raise BadParameter("ARG names can not be blank")
    return name, expand(value, variables, rules) if equals else None


def _stage(section: list[Instruction], earlier: list[Stage], known: Mapping[str, str], escape: str) -> Stage:
    opening, *steps = section
    rules = Rules(escape=escape)
    base = expand(opening.values[0], known, rules)
    if not base:
        raise BadParameter(f"base name ({opening.values[0]}) should not be blank")
    name = opening.values[2].lower() if len(opening.values) == 3 else ""
    if name and not _NAME.fullmatch(name):
        raise BadParameter(f'invalid name for build stage: "{opening.values[2]}", name can\'t start with a number or '
                           "contain symbols")  # fmt: skip
    platform = expand(flags(opening).get("platform", [""])[0], known, rules)
    found = next((s.number for s in reversed(earlier) if s.name and s.name == base.lower()), None)
    needs = {found} if found is not None else set()
    for step in steps:
        needs |= _sources(step, earlier)
    chosen = base if found is None else found
    return Stage(len(earlier), name, chosen, platform, opening, tuple(steps), frozenset(needs))


def _sources(step: Instruction, earlier: list[Stage]) -> set[int]:
    """Number the stages that a step takes files from."""
    step = step.trigger or step
    if step.word not in {"copy", "run"}:
        return set()
    given = flags(step)
    texts = given.get("from", []) + [source for text in given.get("mount", ()) if (source := mount_source(text))]
    return {number for text in texts if (number := _find(earlier, text)) is not None}


def _find(stages: list[Stage] | tuple[Stage, ...], text: str) -> int | None:
    for stage in reversed(stages):
        if stage.name and stage.name == text.lower():
            return stage.number
    if text.isascii() and text.isdecimal() and len(text) < 6:
        return next((stage.number for stage in stages if stage.number == int(text)), None)
    return None


def _target(stages: list[Stage], target: str) -> Stage:
    if not target:
        return stages[-1]
    number = _find(stages, target)
    if number is None:
        raise NotFound(f"target stage {target!r} could not be found".replace("'", '"'))
    return stages[number]


def _closure(stages: list[Stage], chosen: Stage) -> set[int]:
    needed: set[int] = set()
    waiting = [chosen.number]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += stages[number].needs
    return needed
