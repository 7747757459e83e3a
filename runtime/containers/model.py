"""A container as the engine knows it, and its two records on disk.

`container.json` holds what was asked for and is written durably; `state.json` holds what became of it: it is replaced
whole at every step, and not synced, for after a power cut nothing runs anyway. Knows no runtime and no API.
"""

import json
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from runtime import records
from runtime.moments import NEVER

RECORD = "container.json"
STATE = "state.json"

_log = logging.getLogger(__name__)

CREATED, RUNNING, PAUSED, RESTARTING, EXITED, DEAD = "created", "running", "paused", "restarting", "exited", "dead"
ALIVE = frozenset({RUNNING, PAUSED})


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended. `error`: why it could not be started, or removed."""

    code: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What became of a container; moments are nanoseconds since 1970.

    `starting`: a supervisor was asked for, and nobody was told of its success; `by_hand`: the user stopped it.
    """

    status: str = CREATED
    pid: int = 0
    supervisor: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: int = NEVER
    finished_at: int = NEVER
    restarts: int = 0
    by_hand: bool = False
    starting: bool = False

    @property
    def alive(self) -> bool:
        """Whether its processes are there."""
        return self.status in ALIVE


@dataclass(frozen=True, slots=True)
class Mount:
    """What of the host is in the container at `target`, or a tmpfs.

    `kind`: bind, volume or tmpfs; `source`: a path of the host, or the volume's name; `options`: a tmpfs's.
    """

    kind: str
    source: str
    target: str
    writable: bool = True
    propagation: str = ""
    recursive: bool = True
    copies: bool = True
    options: tuple[str, ...] = ()
    driver: str = ""
    volume_options: Mapping[str, Any] = field(default_factory=dict)
    anonymous: bool = False
    makes_source: bool = False
    mode: str = ""


@dataclass(slots=True)
class Waiter:
    """Somebody who waits: `condition` is not-running, next-exit or removed."""

    condition: str
    future: "Future[Exit]"


@dataclass(slots=True, eq=False)
class Container:
    """One container. `state` is replaced, never changed; `lock` is held while it starts, ends, or is removed.

    `config`, `host_config`, `endpoints`: Docker's JSON, whole and checked (`settled`). `directory`: its records, log
    and writable layer; `run`: what is gone with the machine's next start, such as the mounted root.
    """

    id: str
    name: str
    created: int
    image_id: str
    image: str
    diff_ids: tuple[str, ...]
    config: dict[str, Any]
    host_config: dict[str, Any]
    endpoints: dict[str, Any]
    mounts: tuple[Mount, ...]
    directory: Path
    run: Path
    state: State = State()
    lock: threading.RLock = field(default_factory=threading.RLock)
    waiters: list[Waiter] = field(default_factory=list)
    removed: bool = False

    @property
    def bundle(self) -> Path:
        """Where config.json is, and conmon's socket."""
        return self.directory / "bundle"

    @property
    def root(self) -> Path:
        """Where its root file system is mounted while it runs."""
        return self.run / "rootfs"

    @property
    def log(self) -> Path:
        """conmon's log of its output."""
        return self.directory / "ctr.log"

    @property
    def upper(self) -> Path:
        """Its writable layer."""
        return self.directory / "upper"

    @property
    def terminal(self) -> bool:
        """Whether its streams are one terminal."""
        return bool(self.config.get("Tty"))

    def save(self) -> None:
        """Write what was asked for, durably."""
        records.save(self.directory / RECORD, self.record())

    def record(self) -> dict[str, Any]:
        """What `save` writes."""
        return {
            "Id": self.id,
            "Name": self.name,
            "Created": self.created,
            "ImageId": self.image_id,
            "Image": self.image,
            "DiffIds": list(self.diff_ids),
            "Config": self.config,
            "HostConfig": self.host_config,
            "Endpoints": self.endpoints,
            "Mounts": [asdict(mount) for mount in self.mounts],
        }

    def become(self, state: State) -> None:
        """Take a new state, and write it; a full disk must not keep an end from being noted, so that is only said.

        What is not written is found out again at the daemon's next start.
        """
        self.state = state
        try:
            self.enter(state)
        except OSError as error:
            _log.error("container %s: its state cannot be written: %s", self.id, error)

    def enter(self, state: State) -> None:
        """Take a new state once it is written. Raises OSError; the old state is then kept."""
        path = self.directory / STATE
        fresh = path.with_name(f".{STATE}.new")
        fresh.write_text(json.dumps(asdict(state)), encoding="utf-8")
        fresh.replace(path)
        self.state = state


def load(directory: Path, run: Path) -> Container:
    """Read a container back. Raises: FileNotFoundError, ValueError where its record is damaged."""
    record = records.load(directory / RECORD)
    try:
        return Container(
            id=str(record["Id"]),
            name=str(record["Name"]),
            created=int(record["Created"]),
            image_id=str(record["ImageId"]),
            image=str(record["Image"]),
            diff_ids=tuple(str(diff_id) for diff_id in record["DiffIds"]),
            config=dict(record["Config"]),
            host_config=dict(record["HostConfig"]),
            endpoints=dict(record["Endpoints"]),
            mounts=tuple(_mount(found) for found in record["Mounts"]),
            directory=directory,
            run=run,
            state=_state(directory / STATE),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{directory / RECORD} is damaged: {error}") from error


def _mount(found: Mapping[str, Any]) -> Mount:
    return Mount(**{**found, "options": tuple(found["options"])})


def _state(path: Path) -> State:
    """The state as written; where a power cut took it, the container has ended, and nobody knows how."""
    known = {each.name for each in fields(State)}
    try:
        found = json.loads(path.read_bytes())
        return State(**{name: value for name, value in found.items() if name in known})
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError, AttributeError):
        return State(status=EXITED, exit_code=255, error="the machine stopped before the state was written")
