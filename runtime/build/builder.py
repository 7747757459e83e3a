"""Builds images from Dockerfiles: what the API calls. Sentences are those of Docker's classic builder.

A build that fails leaves nothing but what the cache keeps of its finished steps. Source: moby's builder/dockerfile.
"""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from runtime.build import parser, stages
from runtime.build.cache import Cache
from runtime.build.context import Context, received
from runtime.build.progress import Progress
from runtime.build.request import EPOCH, PREDEFINED, Request
from runtime.build.running import Audience, Runner
from runtime.build.services import Services
from runtime.build.stage import StageBuild
from runtime.build.state import State
from runtime.build.workspace import Workspaces
from runtime.config import Settings
from runtime.containers.containers import Containers
from runtime.containers.streams.attach import Attachments
from runtime.images import choice
from runtime.images.image import Image
from runtime.images.images import Images
from runtime.images.pull import Puller
from storage.digest import Digest


class Builder:
    """Builds. Safe from any thread; `recover` is called once, before anything else."""

    def __init__(
        self, settings: Settings, images: Images, containers: Containers, attachments: Attachments, puller: Puller
    ) -> None:
        directory = settings.data / "build"
        directory.mkdir(mode=0o700, exist_ok=True)
        self._services = Services(
            images=images,
            puller=puller,
            cache=Cache(directory / "cache.json", images),
            workspaces=Workspaces(settings, images.layers),
            runner=Runner(images, containers, attachments, directory / "steps"),
            caches=directory / "caches",
        )

    def recover(self) -> None:
        """Take away what a killed daemon left: mounts, and the containers of its steps."""
        self._services.runner.recover()
        self._services.workspaces.recover()

    def close(self) -> None:
        """End. Nothing may be built afterwards."""
        self._services.workspaces.close()

    def build(self, request: Request, blocks: Iterator[bytes], audience: Audience) -> Image:
        """Build an image of a context. Raises: EngineError in Docker's words; what `audience` and `blocks` raise."""
        holder = f"build:{secrets.token_hex(8)}"
        try:
            with received(self._services.images.layers, blocks) as context:
                return self._built(request, context, Progress(audience, quiet=request.quiet), holder)
        finally:
            self._services.images.layers.release(holder)
            self._services.cache.save()

    def prune(self) -> tuple[list[str], int]:
        """Empty the cache; returns what is gone, and how many bytes."""
        gone, size = self._services.cache.prune()
        size += _size(self._services.caches)
        shutil.rmtree(self._services.caches, ignore_errors=True)
        return gone, size

    def _built(self, request: Request, context: Context, progress: Progress, holder: str) -> Image:
        dockerfile = parser.parse(context.dockerfile(request.dockerfile))
        context.forget_ignored(request.dockerfile)
        plan = stages.plan(dockerfile, request.arguments, _platforms(request.platform), request.target)
        progress.total = sum(1 + len(stage.steps) for stage in plan.stages) + bool(request.labels)
        if request.cache_from:
            progress.say("[Note] --cache-from is left out: the engine's cache is its own\n")
        states: dict[int, State] = {}
        consumed: set[str] = set(plan.consumed)
        state: State | None = None
        for stage in plan.stages:
            build = StageBuild(self._services, request, context, progress, plan, states, holder)
            state = states[stage.number] = build.run(stage)
            consumed |= build.consumed
        if state is None:
            raise AssertionError("a plan has a stage")
        if request.labels:
            state = build.label(state)
        unused = sorted(set(request.arguments) - consumed - PREDEFINED - {EPOCH})
        if unused:
            progress.say(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")
        return self._registered(state, request, progress)

    def _registered(self, state: State, request: Request, progress: Progress) -> Image:
        """Make the image known under its names, and say so."""
        images = self._services.images
        if state.base:
            image = images.get(Digest.parse(state.base))
            for tag in request.tags:
                images.tag(image.id, tag)
        else:
            image = images.register(state.config(), references=request.tags)
            for tag in request.tags:
                images.tell("tag", image.id, images.familiar(tag))
        progress.done(str(image.id), [images.familiar(tag) for tag in request.tags])
        return image


def _platforms(text: str) -> dict[str, str]:
    """Give the arguments that say what is built for, and on."""
    found: dict[str, str] = {}
    for name, platform in (("TARGET", choice.parse(text)), ("BUILD", choice.parse(""))):
        parts = (platform.os, platform.architecture, platform.variant)
        found |= {
            f"{name}PLATFORM": "/".join(part for part in parts if part),
            f"{name}OS": platform.os,
            f"{name}ARCH": platform.architecture,
            f"{name}VARIANT": platform.variant or "",
        }
    return found


def _size(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_dir())
