"""More processes in running containers: made, started, looked at, by id. A process outlives its client, not the daemon.

How one is run is `exec_run`'s business, what runc is told `exec_process`'s. Source: Engine API, "Exec".
"""

import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.containers.specification.users import User
from runtime.containers.streams import exec_process, exec_run
from runtime.containers.streams.exec_process import CANNOT_INVOKE, Command, ExecFailed
from runtime.containers.streams.exec_run import Process
from runtime.containers.streams.wires import gather
from runtime.errors import Conflict, EngineError, NotFound

KEPT_FOR = 300.0
"""Seconds for which an ended process can still be looked at, as in Docker."""

_END_WITHIN = 5.0

Tell = Callable[[str, str, Mapping[str, str]], None]
"""Publishes a container's event: its id, the action, and what is to be told besides."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running container, as far as one more process needs it.

    `process`: the `process` of its config.json; `identity`: looks up a user's name in it (BadParameter);
    `capabilities`: all that a privileged process may have; `alive`: whether the container still runs.
    """

    id: str
    process: Mapping[str, Any]
    identity: Callable[[str], User]
    capabilities: Callable[[], Sequence[str]]
    alive: Callable[[], bool] = lambda: True


@dataclass(slots=True, eq=False)
class Exec:
    """One process: what was asked for and what became of it. `changed` guards all but the first three."""

    id: str
    target: Target
    command: Command
    changed: threading.Condition = field(default_factory=threading.Condition)
    started: bool = False
    process: Process | None = None
    exit_code: int | None = None
    size: tuple[int, int] | None = None
    ended_at: float = 0.0

    def wait(self, timeout: float = 10.0) -> None:
        """Wait until its exit code is known, no longer than `timeout` seconds."""
        with self.changed:
            self.changed.wait_for(lambda: self.exit_code is not None, timeout)

    def is_over(self, limit: float) -> bool:
        """Whether it ended before a moment, or can never be started."""
        return self.ended_at < limit if self.ended_at else not self.started and not self.target.alive()

    def document(self) -> dict[str, Any]:
        """The answer of GET /exec/(id)/json."""
        with self.changed:
            running = self.process is not None and self.exit_code is None
            return {
                "ID": self.id,
                "Running": running,
                "ExitCode": self.exit_code,
                "ProcessConfig": {
                    "tty": self.command.terminal,
                    "entrypoint": self.command.argv[0],
                    "arguments": list(self.command.argv[1:]),
                    "privileged": self.command.privileged,
                    **({"user": self.command.user} if self.command.user else {}),
                },
                "OpenStdin": self.command.stdin,
                "OpenStdout": self.command.stdout,
                "OpenStderr": self.command.stderr,
                "CanRemove": not running and self.started,
                "ContainerID": self.target.id,
                "DetachKeys": self.command.detach_keys.decode("ascii", "replace"),
                "Pid": self.process.pid if self.process and running else 0,
            }


class Execs:
    """All of them. `runc`: its path and global options; `room`: a directory for what runc reads and writes."""

    def __init__(self, runc: Callable[[], Sequence[str]], room: Path, tell: Tell) -> None:
        self._runc = runc
        self._room = room
        self._tell = tell
        self._lock = threading.Lock()
        self._execs: dict[str, Exec] = {}
        shutil.rmtree(room, ignore_errors=True)  # what a daemon that was killed left

    def create(self, target: Target, command: Command) -> Exec:
        """Make one, to be started later. Raises: BadParameter where its user is not known in the container."""
        if command.user:
            target.identity(command.user)
        made = Exec(secrets.token_hex(32), target, command, size=command.size)
        with self._lock:
            limit = time.monotonic() - KEPT_FOR
            self._execs = {name: one for name, one in self._execs.items() if not one.is_over(limit)}
            self._execs[made.id] = made
        self.publish(made, f"exec_create: {' '.join(command.argv)}")
        return made

    def get(self, exec_id: str) -> Exec:
        """Find one. Raises: NotFound."""
        with self._lock:
            found = self._execs.get(exec_id)
        if found is None:
            raise NotFound(f"No such exec instance: {exec_id}")
        return found

    def start(self, one: Exec, *, detached: bool, size: tuple[int, int] | None = None) -> Process:
        """Start one, and wait until it has begun. Args: detached: nobody wants its streams.

        Raises: Conflict where it was started before; ExecFailed; EngineError.
        """
        with one.changed:
            self._claim(one)
            one.size = size or one.size
        self.publish(one, f"exec_start: {' '.join(one.command.argv)}")
        try:
            process = self._begin(one, detached)
        except EngineError as error:
            self._end(one, error.exit_code if isinstance(error, ExecFailed) else CANNOT_INVOKE)
            raise
        with one.changed:
            one.process = process
            late = one.size
        if late:
            process.resize(*late)
        threading.Thread(target=self._wait, args=(one, process), name=f"exec-{one.id[:12]}", daemon=True).start()
        return process

    def resize(self, one: Exec, height: int, width: int) -> None:
        """Set its terminal's size, in characters; before it has begun, it is kept for then."""
        with one.changed:
            one.size = (height, width)
            process = one.process
        if process is not None:
            process.resize(height, width)

    def run(self, target: Target, command: Command, *, timeout: float, limit: int = 4096) -> tuple[int, bytes]:
        """Run one to its end; its exit code and the first `limit` bytes of all it wrote. For health checks.

        Raises: TimeoutError, and the process is killed then; ExecFailed; EngineError.
        """
        one = self.create(target, command)
        process = self.start(one, detached=False)
        output = bytearray()
        try:
            if not gather(process.wires, lambda _, data: output.extend(data[: limit - len(output)]), timeout=timeout):
                process.kill()
                raise TimeoutError
            one.wait(timeout)
            return one.exit_code if one.exit_code is not None else -1, bytes(output)
        finally:
            process.wires.close()
            with self._lock:
                self._execs.pop(one.id, None)

    def of(self, container_id: str) -> list[str]:
        """The ids of a container's processes that run, for its inspection."""
        with self._lock:
            mine = [one for one in self._execs.values() if one.target.id == container_id]
        return [one.id for one in mine if one.process is not None and one.exit_code is None]

    def forget(self, container_id: str) -> None:
        """Forget a container that was removed; its processes have ended with it."""
        with self._lock:
            self._execs = {name: one for name, one in self._execs.items() if one.target.id != container_id}

    def close(self) -> None:
        """End every process, and wait for their ends: nobody will be there to read what they write."""
        with self._lock:
            begun = [one for one in self._execs.values() if one.process is not None]
        for one in begun:
            if one.process is not None:
                one.process.kill()
        for one in begun:
            one.wait(_END_WITHIN)

    def _claim(self, one: Exec) -> None:
        if one.exit_code is not None:
            raise Conflict(f"exec command {one.id} has already run")
        if one.started:
            raise Conflict(f"exec command {one.id} is already running")
        one.started = True

    def _begin(self, one: Exec, detached: bool) -> Process:
        command = replace(one.command, size=one.size)
        if detached:
            command = replace(command, stdin=False, stdout=False, stderr=False)
        target = one.target
        document = exec_process.document(
            target.process,
            command,
            identity=target.identity(command.user) if command.user else None,
            capabilities=target.capabilities() if command.privileged else None,
        )
        process = exec_run.start(self._runc(), target.id, document, command, self._room / one.id)
        if detached:
            process.drain()
        return process

    def _wait(self, one: Exec, process: Process) -> None:
        self._end(one, process.wait())
        with suppress(EngineError):
            self.publish(one, "exec_die", {"exitCode": str(one.exit_code)})

    def _end(self, one: Exec, exit_code: int) -> None:
        with one.changed:
            one.exit_code = exit_code
            one.ended_at = time.monotonic()
            one.changed.notify_all()

    def publish(self, one: Exec, action: str, more: Mapping[str, str] | None = None) -> None:
        """Tell of something that happened to one."""
        self._tell(one.target.id, action, {"execID": one.id, **(more or {})})


def process_of(bundle: Path) -> Mapping[str, Any]:
    """Read the `process` of a bundle's config.json. Raises: EngineError where the file is damaged."""
    try:
        found = json.loads(bundle.joinpath("config.json").read_bytes())["process"]
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"the container's config.json cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}
