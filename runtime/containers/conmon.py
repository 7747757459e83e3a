"""Starts conmon, which creates a container with the OCI runtime and then holds its streams, log and exit code.

conmon leaves our process tree at once, so a container outlives the daemon. Its side of the protocol: a pipe on which it
tells the container's process id, or why there is none (conmon, src/conmon.c and src/parent_pipe_fd.c).
"""

import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from runtime.containers.model import Container
from runtime.containers.oci_runtime import OciRuntime
from runtime.containers.specification import settled
from runtime.errors import EngineError

ATTACH = "attach"
_PATIENCE = 120.0
_LIMIT = 2**20
_SAID = 4000


class CreateFailed(EngineError):
    """The runtime could not create the container; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Created:
    """A container whose process waits to be started."""

    pid: int
    supervisor: int


@dataclass(frozen=True, slots=True)
class Conmon:
    """How conmon is called. `log_size_max`: bytes after which a log begins anew; 0: never."""

    path: str
    runtime: OciRuntime
    log_size_max: int = 0

    def create(self, container: Container) -> Created:
        """Create a container from its bundle. Raises: CreateFailed, with what the runtime said."""
        for name in ("pid", "conmon.pid", "oom"):
            (container.bundle / name).unlink(missing_ok=True)
        exit_file(container).unlink(missing_ok=True)
        with ExitStack() as stack:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            stack.callback(os.close, reader)
            said = stack.enter_context((container.bundle / "conmon.log").open("w+b"))
            try:
                child = subprocess.Popen(
                    self._command(container),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    pass_fds=(writer,),
                    cwd=container.bundle,
                    env=_environment(writer),
                    start_new_session=True,
                )
            finally:
                os.close(writer)
            try:
                child.wait(_PATIENCE)  # the first of its processes only writes the second's number down
            except subprocess.TimeoutExpired:
                child.kill()
                raise CreateFailed(f"conmon did not answer within {_PATIENCE:.0f} s") from None
            pid = _answer(reader, container.bundle / "conmon.log")
        return Created(pid, int((container.bundle / "conmon.pid").read_text(encoding="ascii")))

    def _command(self, container: Container) -> Sequence[str]:
        bundle = str(container.bundle)
        command = [self.path, "--api-version", "1", "-c", container.id, "-u", container.id, "-r", self.runtime.path]
        command += ["-b", bundle, "-p", f"{bundle}/pid", "-P", f"{bundle}/conmon.pid", "--full-attach"]
        command += ["-l", f"k8s-file:{container.log}", "--exit-dir", str(exit_file(container).parent)]
        command += ["--no-sync-log", "--runtime-arg", "--root", "--runtime-arg", str(self.runtime.root)]
        if log_size := settled.log_size(container.host_config) or self.log_size_max:
            command += ["--log-size-max", str(log_size)]
        if container.config["Tty"]:
            command.append("-t")
        if container.config["OpenStdin"]:
            command.append("-i")
        if container.config["Tty"] or (container.config["OpenStdin"] and not container.config["StdinOnce"]):
            command.append("--leave-stdin-open")
        return command


def exit_file(container: Container) -> Path:
    """Where conmon writes the exit code."""
    return container.directory / "exits" / container.id


def _environment(writer: int) -> dict[str, str]:
    """What conmon needs; nothing of the daemon's own environment goes further."""
    return {"_OCI_SYNCPIPE": str(writer), "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def _answer(reader: int, log: Path) -> int:
    """Read conmon's one line: {"data": PID}, or {"data": -1, "message": why}."""
    limit = time.monotonic() + _PATIENCE
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while not line.endswith(b"\n") and len(line) < _LIMIT:
            if not selector.select(limit - time.monotonic()):
                raise CreateFailed(f"the runtime did not create the container within {_PATIENCE:.0f} s")
            block = os.read(reader, 65536)
            if not block:
                break
            line += block
    try:
        told = json.loads(line)
        pid = int(told["data"])
    except (ValueError, KeyError, TypeError):
        raise CreateFailed(
            log.read_text(errors="replace")[-_SAID:].strip() or "conmon ended and said nothing"
        ) from None
    if pid <= 0:
        raise CreateFailed(str(told.get("message") or "").strip() or log.read_text(errors="replace")[-_SAID:].strip())
    return pid
