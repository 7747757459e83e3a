"""The containers of this machine: made, started, stopped, looked for, removed; what the API and the builder call.

Each call leaves the how to `creation`, `launch`, `endings`, `recovery` and `updates`. A container's lock is held while
it changes, and never while its end is waited for.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace
from typing import Any

from runtime.config import Settings
from runtime.containers import creation, endings, recovery, updates
from runtime.containers.endings import Endings
from runtime.containers.health import Health
from runtime.containers.inside import exec_target
from runtime.containers.model import PAUSED, RESTARTING, RUNNING, Container, Exit
from runtime.containers.names import Register
from runtime.containers.neighbours import Cables, Stores, Streams
from runtime.containers.oci_runtime import plain
from runtime.containers.rootfs import Roots
from runtime.containers.services import Services
from runtime.containers.specification import signals
from runtime.containers.streams.exec_process import Command
from runtime.containers.streams.execs import Execs, Target
from runtime.errors import BadParameter, Conflict, EngineError, NotFound, NotModified
from runtime.events import Events
from runtime.images.images import Images
from runtime.programs import ProgramFailed

STOP_AFTER = 10
_SURELY = 30.0
_SIGKILL, _SIGTERM = 9, 15


class Containers:
    """All of them, below one data root. Safe from any thread; `recover` is called once, before anything else."""

    def __init__(
        self, settings: Settings, events: Events, images: Images, cables: Cables, stores: Stores, streams: Streams
    ) -> None:
        roots = Roots(settings.data, userxattr=settings.rootless)
        self.services = Services(settings, events, images, cables, stores, streams, Register(), roots)
        self.execs = Execs(lambda: self.services.runtime.command(), settings.run / "exec", self._tell_of)
        self._endings = Endings(self.services, self._probe)

    def recover(self) -> None:
        """Find what there is: what lives is watched, what ended meanwhile has its end, what was half made goes."""
        recovery.recover(self.services, self._endings)

    def close(self) -> None:
        """Stop watching. Containers live on."""
        self.execs.close()
        self._endings.close()
        self.services.roots.close()

    def create(self, body: Mapping[str, Any], name: str | None = None, *, platform: str | None = None) -> Container:
        """Make a container from Docker's POST /containers/create.

        Args:   platform: os/architecture that the image must be of.
        Raises: NotFound "No such image: X", or of another platform; BadParameter; Conflict where the name is in use.
        """
        return creation.create(self.services, body, name, platform)

    def get(self, reference: str) -> Container:
        """Find one by id, the beginning of an id, or name. Raises: NotFound "No such container: X"."""
        return self.services.register.get(reference)

    def all(self) -> tuple[Container, ...]:
        """Every container, the newest first."""
        return self.services.register.all()

    def users_of(self, image_id: str) -> list[Container]:
        """The containers that were made from an image."""
        return [container for container in self.all() if container.image_id == image_id]

    def tell(self, container: Container, action: str, attributes: Mapping[str, str] | None = None) -> None:
        """Publish an event of a container."""
        self.services.tell(container, action, attributes)

    def exec_target(self, container: Container) -> Target:
        """What one more process in it needs to know. Raises Conflict where it does not run."""
        return exec_target(self.services, container)

    def health(self, container: Container) -> Health | None:
        """What its healthcheck found."""
        return self._endings.checks.of(container)

    def start(self, container: Container) -> None:
        """Start it. Raises: NotModified where it runs; Conflict; StartFailed in Docker's words."""
        with container.lock:
            self._must_be(container)
            if container.state.status == PAUSED:
                raise Conflict("cannot start a paused container, try unpause instead")
            if container.state.alive:
                raise NotModified
            self._endings.calm(container)
            self._endings.start(container)

    def stop(self, container: Container, timeout: int | None = None, signal: str = "") -> None:
        """Ask its process to end, and kill it after `timeout` seconds (-1: never). Raises: NotModified, EngineError."""
        wanted = signals.number(signal or container.config["StopSignal"] or "SIGTERM")
        with container.lock:
            self._must_be(container)
            if container.state.status == RESTARTING:
                self._endings.give_up(container)
                return
            if not container.state.alive:
                raise NotModified
            ended = self._endings.wait(container, endings.NOT_RUNNING)
            container.become(replace(container.state, by_hand=True))
            self._send(container, wanted)
            if container.state.status == PAUSED:
                self._resume(container)
        patience = container.config["StopTimeout"] if timeout is None else timeout
        patience = STOP_AFTER if patience is None else patience
        self._wait_or_kill(container, ended, None if patience < 0 else float(patience))
        self.tell(container, "stop")

    def kill(self, container: Container, signal: str = "") -> None:
        """Send its process a signal; with SIGKILL, or none named, wait for its end. Raises: Conflict, EngineError."""
        wanted = signals.number(signal or "SIGKILL")
        with container.lock:
            self._must_be(container)
            if container.state.status == RESTARTING:
                self._endings.give_up(container)
                return
            if not container.state.alive:
                raise Conflict(f"cannot kill container: {container.name}: container {container.id} is not running")
            ended = self._endings.wait(container, endings.NOT_RUNNING)
            stop_signal = signals.number(container.config["StopSignal"] or "SIGTERM")
            if wanted in {_SIGKILL, stop_signal}:
                container.become(replace(container.state, by_hand=True))
            self._send(container, wanted)
            if wanted == _SIGKILL and container.state.status == PAUSED:
                self._resume(container)
        self.tell(container, "kill", {"signal": str(wanted)})
        if wanted == _SIGKILL:
            self._wait_or_kill(container, ended, _SURELY)

    def restart(self, container: Container, timeout: int | None = None, signal: str = "") -> None:
        """Stop it, where it runs, and start it."""
        if container.state.alive or container.state.status == RESTARTING:
            self._stop_for_restart(container, timeout, signal)
        with container.lock:
            self._must_be(container)
            if not container.state.alive:
                self._endings.start(container)
        self.tell(container, "restart")

    def pause(self, container: Container) -> None:
        """Freeze its processes. Raises: Conflict."""
        with container.lock:
            if container.state.status == PAUSED:
                raise Conflict(f"Container {container.id} is already paused")
            if container.state.status != RUNNING:
                raise Conflict(f"Container {container.id} is not running")
            try:
                self.services.runtime.pause(container.id)
            except ProgramFailed as error:
                raise EngineError(f"Cannot pause container {container.id}: {plain(error.said)}") from error
            container.become(replace(container.state, status=PAUSED))
        self.tell(container, "pause")

    def unpause(self, container: Container) -> None:
        """Let its processes go on. Raises: Conflict."""
        with container.lock:
            if container.state.status != PAUSED:
                raise Conflict(f"Container {container.id} is not paused")
            self._resume(container)
        self.tell(container, "unpause")

    def wait(self, container: Container, condition: str = endings.NOT_RUNNING) -> "Future[Exit]":
        """Promise its end: not-running (at once where it does not run), next-exit, or removed. Raises: BadParameter."""
        if condition not in endings.CONDITIONS:
            raise BadParameter(f'invalid condition: "{condition}"')
        with container.lock:
            return self._endings.wait(container, condition)

    def rename(self, container: Container, name: str) -> None:
        """Give it another name. Raises: Conflict, BadParameter."""
        if not name.removeprefix("/"):
            raise BadParameter("Neither old nor new names may be empty")
        with container.lock:
            self._must_be(container)
            old = container.name
            if name.removeprefix("/") == old:
                raise BadParameter("Renaming a container with the same name as its current name")
            container.name = self.services.register.reserve(name, container.id)
            try:
                container.save()
            except OSError as error:
                self.services.register.free(container.name)
                container.name = old
                raise EngineError(f"the name cannot be written: {error.strerror}") from error
            self.services.register.free(old)
            self.services.cables.renamed(container)
        self.tell(container, "rename", {"oldName": f"/{old}"})

    def update(self, container: Container, body: Mapping[str, Any]) -> list[str]:
        """Change limits and the restart policy, also of what runs; returns warnings. Raises: BadParameter, Conflict."""
        with container.lock:
            self._must_be(container)
            warnings = updates.apply(self.services, container, body)
        self.tell(container, "update")
        return warnings

    def remove(self, container: Container, *, force: bool = False, volumes: bool = False) -> None:
        """Remove it, with its writable layer. Raises: Conflict where it runs and `force` is not given."""
        with container.lock:
            self._must_be(container)
            status = container.state.status
            if status == RESTARTING and force:
                self._endings.give_up(container)
            elif not force and (container.state.alive or status == RESTARTING):
                what = "stop the container before removing or force remove"
                if status == PAUSED:
                    what = "unpause it and stop it before removing, or force remove"
                raise Conflict(f'cannot remove container "/{container.name}": container is {status}: {what}')
            ended = self._endings.wait(container, endings.NOT_RUNNING)
            if container.state.alive:
                container.become(replace(container.state, by_hand=True))
        self._wait_or_kill(container, ended, 0.0)
        self._endings.remove(container, with_volumes=volumes)

    def _stop_for_restart(self, container: Container, timeout: int | None, signal: str) -> None:
        """Stop it; one that is removed at its end is kept for the start that follows."""
        with container.lock:
            self._endings.keep(container)
        try:
            self.stop(container, timeout, signal)
        except NotModified:
            return
        finally:
            with container.lock:
                self._endings.keep(container, kept=False)

    def _wait_or_kill(self, container: Container, ended: "Future[Exit]", patience: float | None) -> None:
        if patience != 0.0 or ended.done():
            try:
                ended.result(patience)
                return
            except NotInTime:
                pass
        with container.lock:
            if container.state.alive:
                self._send(container, _SIGKILL)
                if container.state.status == PAUSED:
                    self._resume(container)
        try:
            ended.result(_SURELY)
        except NotInTime:
            raise EngineError(
                f"container {container.id} did not end within {_SURELY:.0f} s of SIGKILL: PID {container.state.pid}"
            ) from None

    def _send(self, container: Container, signal: int) -> None:
        """Send a signal; a container that ends meanwhile is no error."""
        try:
            self.services.runtime.kill(container.id, signal)
        except ProgramFailed as error:
            gone = ("process already finished", "container not running", "does not exist", "no such process")
            if not any(words in error.said.lower() for words in gone):
                raise EngineError(f"cannot kill container: {container.name}: {plain(error.said)}") from error

    def _resume(self, container: Container) -> None:
        try:
            self.services.runtime.resume(container.id)
        except ProgramFailed as error:
            if "not paused" not in error.said:  # SIGKILL lets it go on by itself
                raise EngineError(f"Cannot unpause container {container.id}: {plain(error.said)}") from error
        container.become(replace(container.state, status=RUNNING))

    def _tell_of(self, container_id: str, action: str, attributes: Mapping[str, str]) -> None:
        self.tell(self.get(container_id), action, attributes)

    def _probe(self, container: Container, command: Command, timeout: float, limit: int) -> tuple[int, bytes]:
        return self.execs.run(self.exec_target(container), command, timeout=timeout, limit=limit)

    def _must_be(self, container: Container) -> None:
        if container.removed:
            raise NotFound(f"No such container: {container.id}")
