"""runc (or crun) as the engine calls it: one command, its root directory, and what its failures say.

`create` is conmon's to call (`conmon`). Where cgroups are hybrid, crun is shown them without the v2 part, for it
refuses the mixture; runc needs nothing.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runtime import programs
from runtime.errors import Unavailable
from runtime.programs import ProgramFailed

_PATIENCE = 60.0
_HYBRID = Path("/sys/fs/cgroup/unified")
_WRAPPER = """#!/bin/sh
exec unshare -m --propagation slave sh -c 'umount {hybrid} && exec {crun} "$@"' crun "$@"
"""

_LOG_PREFIX = re.compile(r'^(?:time="[^"]*" level=\w+ msg=)?"?(.*?)"?$', re.DOTALL)


class OciRuntime:
    """One runtime with its own state directory."""

    def __init__(self, path: str, root: Path) -> None:
        self.path = path
        self.root = root

    def command(self, *arguments: str) -> list[str]:
        """The argument list of one call."""
        return [self.path, "--root", str(self.root), *arguments]

    def start(self, container_id: str) -> None:
        """Let a created container's process run. Raises ProgramFailed."""
        programs.run(*self.command("start", container_id), timeout=_PATIENCE)

    def kill(self, container_id: str, signal: int) -> None:
        """Send the first process a signal. Raises ProgramFailed."""
        programs.run(*self.command("kill", container_id, str(signal)), timeout=_PATIENCE)

    def pause(self, container_id: str) -> None:
        """Freeze all processes. Raises ProgramFailed."""
        programs.run(*self.command("pause", container_id), timeout=_PATIENCE)

    def resume(self, container_id: str) -> None:
        """Let them go on. Raises ProgramFailed."""
        programs.run(*self.command("resume", container_id), timeout=_PATIENCE)

    def update(self, container_id: str, resources: Mapping[str, Any]) -> None:
        """Change the limits of what runs (runtime-spec's resources). Raises ProgramFailed."""
        command = self.command("update", "--resources", "-", container_id)
        programs.run(*command, stdin=json.dumps(resources), timeout=_PATIENCE)

    def delete(self, container_id: str) -> None:
        """Kill what is left of a container and forget it; harmless where there is nothing. Raises ProgramFailed."""
        if not (self.root / container_id).exists():
            return
        try:
            programs.run(*self.command("delete", "--force", container_id), timeout=_PATIENCE)
        except ProgramFailed:
            if (self.root / container_id / "state.json").exists():
                raise
        self.forget(container_id)  # it was killed before it had written what it would read now

    def forget(self, container_id: str) -> None:
        """Forget a container whose process has ended and whose control groups are gone: no program is run for it."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / container_id)

    def status(self, container_id: str) -> str:
        """created, running, paused or stopped; "" where it knows no such container."""
        if not (self.root / container_id / "state.json").exists():
            return ""
        with suppress(ProgramFailed, ValueError, KeyError):
            return str(json.loads(programs.run(*self.command("state", container_id), timeout=_PATIENCE))["status"])
        return ""


def found(wanted: str, run: Path) -> OciRuntime:
    """Find the runtime: the configured one, else runc, else crun. Raises Unavailable with what installs one."""
    root = run / "oci"
    if wanted:
        if not os.access(wanted, os.X_OK):
            raise Unavailable(f"{wanted} cannot be run: it is what the setting runtime names")
        return OciRuntime(_wrapped(wanted, run), root)
    for name in ("runc", "crun"):
        with suppress(Unavailable):
            return OciRuntime(_wrapped(programs.find(name), run), root)
    raise Unavailable("runc or crun not found; install it with: apt-get install runc conmon")


def _wrapped(path: str, run: Path) -> str:
    """crun behind a script that hides the v2 part of hybrid cgroups; every other runtime as it is."""
    if Path(path).name != "crun" or not _HYBRID.is_mount():
        return path
    wrapper = run / "crun"
    wrapper.write_text(_WRAPPER.format(hybrid=_HYBRID, crun=path), encoding="utf-8")
    wrapper.chmod(0o700)
    return str(wrapper)


def plain(said: str) -> str:
    """What runc's last line of log says, without time and level."""
    line = said.strip().splitlines()[-1] if said.strip() else "the runtime said nothing"
    match = _LOG_PREFIX.match(line)
    text = match[1] if match else line
    return text.replace('\\"', '"').replace("\\\\", "\\").removesuffix(": unknown")
