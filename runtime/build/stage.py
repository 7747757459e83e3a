"""One stage of a build, step by step: from its base to its last state, through the cache.

A step's key is made of the state that it begins with and all that it reads; where the cache knows the key, nothing is
done. Source: moby's builder/dockerfile/dispatchers.go; Dockerfile reference.
"""

import os
import posixpath
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.build import cache, configure, fetch, parser, state, stepmounts, transfer, trees
from runtime.build.cache import Entry
from runtime.build.checks import check, flags
from runtime.build.context import Context
from runtime.build.expand import Rules, expand
from runtime.build.mounts import read_mount
from runtime.build.parser import Instruction
from runtime.build.progress import Progress
from runtime.build.request import EPOCH, PREDEFINED, Request
from runtime.build.running import Command, command_of
from runtime.build.services import Services
from runtime.build.stages import Plan, Stage, argument
from runtime.build.state import State
from runtime.errors import BadParameter, NotFound, Unsupported
from runtime.images import choice, configuration
from runtime.images.image import Image
from storage.digest import Digest

SECOND = 10**9
_NETWORKS = {"default": "", "none": "none", "host": "host"}


class StageBuild:
    """One stage on its way. `consumed`: build arguments that an ARG asked for."""

    def __init__(
        self,
        services: Services,
        request: Request,
        context: Context,
        progress: Progress,
        plan: Plan,
        states: Mapping[int, State],
        holder: str,
    ) -> None:
        self._services = services
        self._request = request
        self._context = context
        self._progress = progress
        self._plan = plan
        self._states = states
        self._holder = holder
        self._arguments: dict[str, str] = {}
        self._has_command = False
        self.consumed: set[str] = set()

    def run(self, stage: Stage) -> State:
        """Build it. Raises: EngineError; what the audience raises."""
        self._progress.step(stage.opening.original)
        found = self._base(stage)
        self._hold(found)
        self._progress.state(found.identity) if found.base or found.history else self._progress.say(" ---> \n")
        triggers = found.runtime.get("OnBuild") or ()
        if triggers:
            self._progress.say(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}\n")
            found = replace(found, runtime={k: v for k, v in found.runtime.items() if k != "OnBuild"}, base="")
            for text in triggers:
                trigger = parser.parse_line(text)
                _check_trigger(trigger)
                found = self._step(found, trigger)
        for instruction in stage.steps:
            self._progress.step(instruction.original)
            found = self._step(found, instruction)
        return found

    def label(self, found: State) -> State:
        """Give the labels that the client asks for, as one more step."""
        text = "LABEL " + " ".join(f"{name}={value}" for name, value in sorted(self._request.labels.items()))
        self._progress.step(text)
        runtime = {**found.runtime, "Labels": {**(found.runtime.get("Labels") or {}), **self._request.labels}}
        return self._cached(found, text, {"runtime": runtime}, None, runtime=runtime)

    def _base(self, stage: Stage) -> State:
        if isinstance(stage.base, int):
            return self._states[stage.base]
        platform = stage.platform or self._request.platform
        if stage.base == "scratch":
            wanted = choice.parse(platform)
            return state.empty({"architecture": wanted.architecture, "os": wanted.os})
        return state.based_on(self._image(stage.base, platform))

    def _image(self, name: str, platform: str) -> Image:
        """Find an image here, or pull it."""
        images = self._services.images
        if not self._request.pull:
            try:
                image = images.resolve(name)
            except NotFound:
                pass
            else:
                wanted = choice.parse(platform).architecture
                if not platform or image.config.get("architecture") == wanted:
                    return image
        reference = images.parse(name)
        credentials = self._request.login(reference.registry, images.default_registry)
        return self._services.puller.pull(reference, platform=platform, credentials=credentials, feed=self._progress)

    def _hold(self, found: State) -> None:
        self._services.images.layers.hold(self._holder, found.diff_ids)

    def _variables(self, found: State) -> dict[str, str]:
        """What `$names` mean now: an ENV goes before an ARG."""
        return {**self._arguments, **configure.environment(found.runtime)}

    def _step(self, found: State, instruction: Instruction) -> State:
        word = instruction.word
        if word == "run":
            return self._run(found, instruction)
        if word in {"copy", "add"}:
            return self._transfer(found, instruction)
        if word == "arg":
            self._declare(found, instruction)
        runtime = configure.configured(found.runtime, instruction, self._variables(found), self._plan.escape)
        if word == "workdir":
            return self._enter(found, instruction, runtime)
        if word == "entrypoint" and not self._has_command:
            runtime["Cmd"] = None
        self._has_command |= word == "cmd"
        if word == "maintainer":
            found = replace(found, author=instruction.values[0])
        return self._cached(found, instruction.original, {"runtime": runtime}, None, runtime=runtime)

    def _declare(self, found: State, instruction: Instruction) -> None:
        for text in instruction.values:
            name, value = argument(text, self._variables(found), self._plan.escape)
            self.consumed.add(name)
            value = self._request.arguments.get(name, value)
            value = self._plan.globals.get(name) if value is None else value
            if value is not None:
                self._arguments[name] = value
        if sum(map(len, self._arguments.values())) > configuration.LIMIT:
            raise BadParameter(f"the values of ARG have more than {configuration.LIMIT} characters together")

    def _cached(
        self,
        found: State,
        text: str,
        extras: Mapping[str, Any],
        make: Callable[[], Digest | None] | None,
        *,
        runtime: Mapping[str, Any] | None = None,
    ) -> State:
        """Do a step, or take what the cache has of it."""
        name = cache.key(found.identity, text, {**extras, "epoch": self._request.epoch})
        entry = None if self._request.no_cache else self._services.cache.find(name)
        if entry is not None:
            if entry.layer is not None:
                self._services.images.layers.hold(self._holder, [entry.layer])
            self._progress.say(" ---> Using cache\n")
        else:
            layer = make() if make is not None else None
            if layer is not None:
                self._services.images.layers.hold(self._holder, [layer])
            entry = Entry(layer, self._now())
            self._services.cache.add(name, entry)
        after = found.stepped(text.strip(), entry.created, runtime=runtime, layer=entry.layer)
        if len(after.config()) > configuration.LIMIT:
            raise BadParameter(f"the image's configuration has more than {configuration.LIMIT} bytes")
        self._progress.state(after.identity)
        return after

    def _now(self) -> int:
        return time.time_ns() if self._request.epoch is None else self._request.epoch * SECOND

    def _run(self, found: State, instruction: Instruction) -> State:
        given = flags(instruction)
        variables = self._variables(found)
        command = command_of(found, instruction)
        if not command:
            raise BadParameter("RUN requires at least one argument")
        known = configure.environment(found.runtime)
        arguments = {name: value for name, value in self._arguments.items() if name not in known}
        passed = {name: value for name, value in self._request.arguments.items() if name in PREDEFINED | {EPOCH}}
        rules = Rules(escape=self._plan.escape)
        wanted = [read_mount(expand(text, variables, rules)) for text in given.get("mount", ())]
        host = {**self._request.host, **_network(given.get("network", [""])[0], self._request.host)}

        def make() -> Digest | None:
            with ExitStack() as stack:
                mounts = stepmounts.Mounts(self._services, self._context, stack, self._source_layers)
                binds = mounts.prepared(wanted)
                run = Command(tuple(command), {**passed, **arguments}, {**host, "Mounts": binds})
                tidy = stepmounts.tidier(self._services.images.layers, found.diff_ids, wanted)
                return self._services.runner.run(found, run, self._progress, self._request.epoch, tidy)

        extras = {"argv": command, "arguments": arguments, "mounts": [str(each) for each in wanted]}
        return self._cached(found, " ".join(["RUN", *command]), extras, make)

    def _transfer(self, found: State, instruction: Instruction) -> State:
        wish = transfer.wish(instruction, found.runtime, self._variables(found), self._plan.escape)
        with ExitStack() as stack:
            root, foreign = self._origin(wish.origin, stack)
            sources = self._sources(root, wish, foreign=foreign)
            keeps = foreign and not wish.owner
            extras = {"files": transfer.summed(sources, wish, owners=keeps)}

            def make() -> Digest | None:
                with self._services.workspaces.mounted(found.diff_ids) as workspace:
                    owner = transfer.owner_of(workspace.root, wish)
                    rules = trees.Rules(owner if owner or keeps else (0, 0), wish.mode, devices=foreign)
                    transfer.put(workspace.root, sources, wish, rules)
                    return self._services.images.layers.commit(workspace.upper, latest=self._request.epoch).diff_id

            return self._cached(found, instruction.original, extras, make)

    def _sources(self, root: int, wish: transfer.Wish, *, foreign: bool) -> list[transfer.Source]:
        local, sources = [], []
        for number, text in enumerate(wish.sources):
            if wish.unpacks and fetch.is_git(text):
                raise Unsupported("the engine does not fetch git repositories; clone it in a RUN step")
            if wish.unpacks and fetch.is_url(text):
                sources.append(self._fetched(text, number, wish.checksum))
            else:
                local.append(text)
        return transfer.find(root, local, context=not foreign, unpacks=wish.unpacks) + sources

    def _fetched(self, url: str, number: int, checksum: str) -> transfer.Source:
        directory = self._context.spare / f"{len(list(self._context.spare.iterdir()))}-{number}"
        directory.mkdir()
        path = fetch.fetched(url, directory, checksum)
        root = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return transfer.Source(root, path.name, path.name)

    def _origin(self, name: str, stack: ExitStack) -> tuple[int, bool]:
        """Open the root that a step takes files from; True where it is a stage's or an image's."""
        if not name:
            return self._context.root, False
        workspace = stack.enter_context(self._services.workspaces.mounted(self._source_layers(name)))
        root = os.open(workspace.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, root)
        return root, True

    def _source_layers(self, name: str) -> tuple[Digest, ...]:
        """Find the layers of a stage, or of an image, which is pulled where it is not here."""
        number = self._plan.named(name)
        if number is not None and number in self._states:
            return self._states[number].diff_ids
        found = state.based_on(self._image(name, ""))
        self._hold(found)
        return found.diff_ids

    def _enter(self, found: State, instruction: Instruction, runtime: Mapping[str, Any]) -> State:
        """WORKDIR: the directory is made where it is missing."""

        def make() -> Digest | None:
            with self._services.workspaces.mounted(found.diff_ids) as workspace:
                made = _directory_made(workspace.root, str(runtime["WorkingDir"]))
                if not made:
                    return None
                return self._services.images.layers.commit(workspace.upper, latest=self._request.epoch).diff_id

        return self._cached(found, instruction.original, {"runtime": runtime}, make, runtime=runtime)


def _directory_made(root: Path, path: str) -> bool:
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if trees.is_directory(fd, path):
            return False
        os.close(trees.directory_at(fd, posixpath.normpath(path)))
    finally:
        os.close(fd)
    return True


def _check_trigger(trigger: Instruction) -> None:
    """Refuse what no trigger may be: an image may say anything."""
    if trigger.word in {"from", "maintainer", "onbuild"}:
        raise BadParameter(f"{trigger.word.upper()} isn't allowed as an ONBUILD trigger")
    check(trigger)


def _network(text: str, host: Mapping[str, Any]) -> dict[str, str]:
    """Give the network of a step; `host` only where the client asks for it too."""
    if not text or text == "default":
        return {}
    if text not in _NETWORKS:
        raise BadParameter(f'unsupported network mode "{text}"')
    if text == "host" and host.get("NetworkMode") != "host":
        raise BadParameter("granting entitlement network.host is not allowed; build with --network=host")
    return {"NetworkMode": text}
