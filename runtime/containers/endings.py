"""What happens when a container ends: its exit code read, all of it tidied up, who waits told, and what comes next.

Next is nothing, its removal (`--rm`), or another start by its restart policy. Called by the supervisor's thread pool,
and by recovery for what ended while no daemon ran.
"""

import shutil
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runtime.containers import creation, launch, restart, volumes
from runtime.containers.conmon import exit_file
from runtime.containers.health import Checks, Probe
from runtime.containers.launch import StartFailed
from runtime.containers.model import EXITED, RESTARTING, Container, Exit, Waiter
from runtime.containers.services import Services, log
from runtime.containers.supervisor import Supervisor, supervises
from runtime.errors import EngineError

NOT_RUNNING, NEXT_EXIT, REMOVED = "not-running", "next-exit", "removed"
CONDITIONS = frozenset({NOT_RUNNING, NEXT_EXIT, REMOVED})
KILLED = 137
LOST = 255
"""The exit code of what ended unseen, as Docker has it after the machine went down."""


class Endings:
    """Starts containers and sees to their ends."""

    def __init__(self, services: Services, probe: Probe) -> None:
        self._services = services
        self.checks = Checks(probe, services.tell)
        self._supervisor = Supervisor(self._ended)
        self._lock = threading.Lock()
        self._timers: dict[str, threading.Timer] = {}
        self._waits: dict[str, float] = {}
        self._kept: set[str] = set()
        self._closing = False

    def start(self, container: Container) -> None:
        """Start a container, its lock held. Raises StartFailed; who waits is told, and `--rm` holds."""
        restarts = container.state.restarts if container.state.status == RESTARTING else 0
        try:
            launch.launch(self._services, container, restarts)
        except StartFailed as failed:
            self._release(container, {NEXT_EXIT, NOT_RUNNING}, Exit(failed.exit_code))
            if container.host_config["AutoRemove"]:
                self.remove_later(container)
            raise
        self.watch(container)
        self._services.tell(container, "start")

    def watch(self, container: Container) -> None:
        """Be told of the end of a container that runs."""
        self._supervisor.watch(container.id, container.state.supervisor)
        self.checks.begin(container)

    def wait(self, container: Container, condition: str) -> "Future[Exit]":
        """Promise an end, the container's lock held."""
        future: Future[Exit] = Future()
        container.waiters[:] = [waiter for waiter in container.waiters if not waiter.future.cancelled()]
        done = Exit(container.state.exit_code, container.state.error)
        if container.removed or (
            condition == NOT_RUNNING and not container.state.alive and container.state.status != RESTARTING
        ):
            future.set_result(done)
        else:
            container.waiters.append(Waiter(condition, future))
        return future

    def keep(self, container: Container, *, kept: bool = True) -> None:
        """Leave a container in place at its end: it is started again at once."""
        (self._kept.add if kept else self._kept.discard)(container.id)

    def calm(self, container: Container) -> None:
        """Forget how often it failed, and a start that was to come: the user starts it himself."""
        self._forget_timer(container)
        self._waits.pop(container.id, None)
        if container.state.status == RESTARTING:
            container.become(replace(container.state, status=EXITED, restarts=0))

    def give_up(self, container: Container) -> None:
        """The user stops a container that waits for its next start; its lock is held."""
        self.calm(container)
        container.become(replace(container.state, status=EXITED, by_hand=True))
        self._release(container, {NOT_RUNNING}, Exit(container.state.exit_code))

    def remove(self, container: Container, *, with_volumes: bool) -> None:
        """Remove a container that does not run. Raises EngineError."""
        services = self._services
        with container.lock:
            if container.removed:
                return
            if container.state.alive:
                raise EngineError(f"container {container.id} was started again while it was being removed")
            self._forget_timer(container)
            launch.tidy(services, container)
            gone = services.graves / container.id
            try:
                container.directory.rename(gone)
            except OSError as error:
                raise EngineError(f"container {container.id} cannot be removed: {error.strerror}") from error
            container.removed = True
            services.register.remove(container)
            self._waits.pop(container.id, None)
            self.checks.forget(container)
            services.cables.forget(container)
            with suppress(EngineError):
                volumes.leave(services, container, with_anonymous=with_volumes)
            services.images.layers.release(creation.holder(container.id))
            self.bury(gone)
            services.tell(container, "destroy")
            self._release(container, CONDITIONS, Exit(container.state.exit_code))

    def bury(self, gone: Path) -> None:
        """Delete what is in the graves; nobody waits for it, and after a kill the next daemon does it."""
        self._supervisor.submit(lambda: shutil.rmtree(gone, ignore_errors=True))

    def finish(self, container: Container, *, at_start: bool = False) -> None:
        """A container whose supervisor has gone, its lock held: note its end, tidy up, and say what comes next."""
        code, moment = _outcome(container)
        oom = (container.bundle / "oom").exists()
        self.checks.end(container)
        launch.tidy(self._services, container, ended=exit_file(container).exists())
        ran = max(0, moment - container.state.started_at)
        state = replace(
            container.state,
            status=EXITED,
            pid=0,
            supervisor=0,
            starting=False,
            exit_code=code,
            finished_at=moment,
            oom_killed=oom,
        )
        if oom:
            self._services.tell(container, "oom")
        self._services.tell(container, "die", {"exitCode": str(code), "execDuration": str(ran // 10**9)})
        again = container.id not in self._kept and restart.wanted(
            container.host_config["RestartPolicy"],
            exit_code=code,
            restarts=state.restarts,
            by_hand=state.by_hand,
            at_start=at_start,
        )
        if again:
            container.become(replace(state, status=RESTARTING))
            self._start_later(container, ran)
        else:
            container.become(state)
        self._release(container, {NEXT_EXIT} if again else {NEXT_EXIT, NOT_RUNNING}, Exit(code))
        if not again and container.host_config["AutoRemove"] and container.id not in self._kept:
            self.remove_later(container)

    def start_later(self, container: Container) -> None:
        """Recovery: a container that waits for its next start gets it."""
        self._start_later(container, 0)

    def remove_later(self, container: Container) -> None:
        """Recovery: a container that was to be removed at its end."""
        self._supervisor.submit(lambda: self._remove_quietly(container))

    def close(self) -> None:
        """Stop watching and starting."""
        self._closing = True
        with self._lock:
            timers, self._timers = list(self._timers.values()), {}
        for timer in timers:
            timer.cancel()
        self.checks.close()
        self._supervisor.close()

    def _ended(self, container_id: str) -> None:
        try:
            container = self._services.register.get(container_id)
        except EngineError:
            return
        with container.lock:
            if container.state.alive and not supervises(container.state.supervisor, container.id):
                self.finish(container)

    def _start_later(self, container: Container, ran: int) -> None:
        wait = restart.next_wait(self._waits.get(container.id, 0.0), ran)
        self._waits[container.id] = wait
        timer = threading.Timer(wait, self._start_again, (container,))
        timer.daemon = True
        with self._lock:
            if not self._closing:
                self._timers[container.id] = timer
                timer.start()

    def _start_again(self, container: Container) -> None:
        with container.lock:
            with self._lock:
                if self._timers.pop(container.id, None) is None or self._closing:
                    return
            if container.removed or container.state.status != RESTARTING:
                return
            container.become(replace(container.state, restarts=container.state.restarts + 1))
            try:
                self.start(container)
            except StartFailed as failed:
                log.warning("container %s could not be started again: %s", container.id, failed)

    def _forget_timer(self, container: Container) -> None:
        with self._lock:
            timer = self._timers.pop(container.id, None)
        if timer is not None:
            timer.cancel()

    def _remove_quietly(self, container: Container) -> None:
        """`--rm`: with its anonymous volumes, as Docker does."""
        try:
            self.remove(container, with_volumes=True)
        except EngineError as error:
            log.warning("container %s could not be removed: %s", container.id, error)
            self._release(container, {REMOVED}, Exit(container.state.exit_code, str(error)))

    def _release(self, container: Container, conditions: Iterable[str], how: Exit) -> None:
        told = [waiter for waiter in container.waiters if waiter.condition in conditions]
        container.waiters[:] = [waiter for waiter in container.waiters if waiter not in told]
        for waiter in told:
            with suppress(InvalidStateError):  # it does not wait any more
                waiter.future.set_result(how)


def _outcome(container: Container) -> tuple[int, int]:
    """The exit code and its moment, as conmon wrote them; LOST and now where conmon itself was killed."""
    path = exit_file(container)
    try:
        return int(path.read_text(encoding="ascii")), path.stat().st_mtime_ns
    except (OSError, ValueError):
        return LOST, time.time_ns()
