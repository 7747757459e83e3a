"""RUN: the step's command in an ordinary container of the image so far; what it changed becomes a layer.

The container is removed in any case, also when the client goes away. Source: moby's builder/dockerfile/dispatchers.go.
"""

import codecs
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runtime.build import configure
from runtime.build.parser import Instruction, chomped
from runtime.build.state import State
from runtime.containers.containers import Containers
from runtime.containers.model import Container
from runtime.containers.streams.attach import Attachments
from runtime.containers.streams.wires import gather
from runtime.errors import EngineError, NotFound
from runtime.images.images import Images
from storage.digest import Digest

PROMPTNESS = 0.5
"""Seconds after which a client that went away is noticed while a step says nothing."""
CONNECT_WITHIN = 30.0


class Audience(Protocol):
    """Who listens to a build."""

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Take a line. What it raises ends the build."""
        ...

    def check(self) -> None:
        """Raise where nobody listens any more."""
        ...


class StepFailed(EngineError):
    """A step's command ended with another code than 0."""

    def __init__(self, command: Sequence[str], code: int) -> None:
        super().__init__(f"The command '{configure.written(command)}' returned a non-zero code: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """What is run. `variables`: beside the image's; `host`: Docker's HostConfig."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]
    host: Mapping[str, Any]


def command_of(state: State, instruction: Instruction) -> list[str]:
    """Give a RUN's words; documents are handed to the shell, or are the script itself."""
    if not instruction.heredocs:
        return configure.argv(state.runtime, instruction)
    shell = list(state.runtime.get("Shell") or configure.SHELL)
    first = instruction.heredocs[0]
    if (
        len(instruction.heredocs) == 1
        and shlex.split(instruction.rest.replace("<<-", "<<"))[0] == f"<<{first.name}"
        and (len(instruction.rest.split(maxsplit=1)) == 1)
    ):
        text = chomped(first)
        if not text.startswith("#!"):
            return [*shell, text]
        name = "/dev/shm/.moor-step"  # noqa: S108  # the container's own, gone with it
        return [
            *shell,
            f"cat > {name} <<'MOOR-{first.name}-END'\n{text}MOOR-{first.name}-END\nchmod +x {name} && {name}",
        ]
    documents = "".join(f"{heredoc.content}{heredoc.name}\n" for heredoc in instruction.heredocs)
    return [*shell, f"{instruction.rest}\n{documents}"]


class Runner:
    """Runs steps."""

    def __init__(self, images: Images, containers: Containers, attachments: Attachments, marks: Path) -> None:
        """Make it. `marks`: a directory that names the containers under way, for whoever recovers from a kill."""
        self._marks = marks
        self._images = images
        self._containers = containers
        self._attachments = attachments

    def run(
        self, state: State, command: Command, audience: Audience, latest: int | None, tidy: Callable[[Path], None]
    ) -> Digest:
        """Run a step and give its layer. `tidy`: called on what it changed. Raises: StepFailed, EngineError; what
        `audience` raises.
        """
        with ExitStack() as undo:
            container = self._made(state, command, undo)
            audience({"stream": f" ---> Running in {container.id[:12]}\n"})
            code = self._ran(container, audience)
            if code != 0:
                raise StepFailed(command.argv, code)
            tidy(container.upper)
            layer = self._images.layers.commit(container.upper, latest=latest)
            audience({"stream": f" ---> Removed intermediate container {container.id[:12]}\n"})
            return layer.diff_id

    def recover(self) -> None:
        """Remove the containers of steps that a killed daemon left."""
        self._marks.mkdir(mode=0o700, exist_ok=True)
        for mark in self._marks.iterdir():
            self._remove(mark.name)

    def _remove(self, name: str) -> None:
        with suppress(NotFound):
            self._containers.remove(self._containers.get(name), force=True, volumes=True)
        (self._marks / name).unlink(missing_ok=True)

    def _made(self, state: State, command: Command, undo: ExitStack) -> Container:
        """Make the container of an image that is known for this moment only; its layers are the container's then."""
        body = {
            "Image": state.identity,
            "Entrypoint": [""],
            "Cmd": list(command.argv),
            "Env": [f"{name}={value}" for name, value in command.variables.items()],
            "Healthcheck": {"Test": ["NONE"]},
            "AttachStdout": True,
            "AttachStderr": True,
            "HostConfig": dict(command.host),
        }
        with self._images.lock:
            image_id = Digest.parse(state.identity)
            known = any(image.id == image_id for image in self._images.all())
            if not known:
                image_id = self._images.register(state.config()).id
            name = f"build-{secrets.token_hex(8)}"
            (self._marks / name).touch()
            undo.callback(self._remove, name)
            try:
                return self._containers.create({**body, "Image": str(image_id)}, name)
            finally:
                if not known:
                    self._images.forget(image_id)

    def _ran(self, container: Container, audience: Audience) -> int:
        attachment = self._attachments.expect(container.id)
        try:
            ended = self._containers.wait(container, "next-exit")
            self._containers.start(container)
            wires = attachment.wires(CONNECT_WITHIN)
            tell = _telling(audience)
            while not gather(wires, tell, timeout=PROMPTNESS):
                audience.check()
            return ended.result(CONNECT_WITHIN).code
        finally:
            self._attachments.leave(attachment)


def _telling(audience: Audience) -> Callable[[int, bytes], None]:
    """Hand output on as text, whatever a piece is cut through."""
    decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in (1, 2)}

    def tell(stream: int, data: bytes) -> None:
        text = decoders[stream].decode(data)
        if text:
            audience({"stream": text})

    return tell
