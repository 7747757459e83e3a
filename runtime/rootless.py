"""The engine of an ordinary user: its daemon in user, mount and network namespaces of its own, where it is root.

Inside, bridges, rules and overlays are made by the same code as outside; slirp4netns carries packets and published
ports between the two. A process that only sleeps holds the namespaces, so that a daemon that starts again comes back to
its containers. Knows nothing of them. Sources: user_namespaces(7), newuidmap(1), slirp4netns(1).
"""

import getpass
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from runtime import programs, records
from runtime.config import Settings
from runtime.errors import Unavailable

TOOLS = ("unshare", "nsenter", "newuidmap", "slirp4netns")
GUEST = "10.0.2.100"
"""The namespace's own address on slirp4netns's network; published ports lead there."""
NAME_SERVER = "10.0.2.3"

_TUN = Path("/dev/net/tun")
_WITHIN = 10.0
_HOLDER = ("sleep", "infinity")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the namespaces' own files are: a directory of the user's, gone with the machine's next start."""

    directory: Path

    @property
    def forwards(self) -> Path:
        """The socket on which slirp4netns takes orders to publish ports."""
        return self.directory / "slirp.sock"

    @property
    def record(self) -> Path:
        """Who holds the namespaces."""
        return self.directory / "namespaces.json"

    @property
    def resolv(self) -> Path:
        """What /etc/resolv.conf is inside."""
        return self.directory / "resolv.conf"


def place(settings: Settings) -> Place:
    """Tell where an engine keeps what belongs to its namespaces."""
    return Place(settings.run / "rootless")


def lacking() -> Iterator[str]:
    """Say, a line each, what an ordinary user's engine needs and this machine does not have."""
    for tool in TOOLS:
        try:
            programs.find(tool)
        except Unavailable as error:
            yield str(error)
    user, uid = getpass.getuser(), str(os.getuid())
    for file in (Path("/etc/subuid"), Path("/etc/subgid")):
        lines = file.read_text().splitlines() if file.exists() else []
        if not any(line.split(":")[0] in {user, uid} for line in lines):
            yield f"{file} gives {user} no range; as root: usermod --add-sub{file.name[3:]}s 300000-365535 {user}"
    if not os.access(_TUN, os.R_OK | os.W_OK):
        yield f"{_TUN} may not be used; as root: chmod 0666 {_TUN}"


def enter(settings: Settings, program: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Become `program`, inside the engine's namespaces, which are made where there are none.

    Raises: Unavailable, saying what to install or to set.
    """
    problems = list(lacking())
    if problems:
        raise Unavailable("an engine without root needs more of this machine: " + "; ".join(problems))
    where = place(settings)
    where.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    holder = _held(where) or _make(where)
    command = [*_entering(holder), *program]
    os.execve(command[0], command, {**environment, "MOOR_ROOTLESS": "1"})  # noqa: S606  # our own program


def _held(where: Place) -> int | None:
    """Find the process that holds the namespaces, if it and its network live."""
    try:
        known = records.load(where.record)
    except (FileNotFoundError, ValueError):
        return None
    if all(_started(int(known[name])) == known[f"{name}_started"] for name in ("holder", "network")):
        return int(known["holder"])
    for name in ("holder", "network"):
        if _started(int(known[name])) == known[f"{name}_started"]:
            os.kill(int(known[name]), 15)  # half of it is of no use, and its containers are cut off
    return None


def _make(where: Place) -> int:
    """Make the namespaces, connect them, and write down who holds them."""
    holder = _spawn(
        *(
            programs.find("unshare"),
            "--user",
            "--map-root-user",
            "--map-auto",
            "--mount",
            "--net",
            "--propagation=slave",
        ),
        *_HOLDER,
    )
    try:
        _wait(lambda: _is_holding(holder.pid), "making the engine's namespaces", holder)
        where.forwards.unlink(missing_ok=True)
        network = _spawn(
            *(programs.find("slirp4netns"), "--configure", "--mtu=65520", "--disable-host-loopback"),
            *("--api-socket", str(where.forwards), str(holder.pid), "tap0"),
        )
        _wait(where.forwards.exists, "connecting the engine's network", network)
        where.resolv.write_text(f"nameserver {NAME_SERVER}\n")
        programs.run(*_entering(holder.pid), "mount", "--bind", str(where.resolv), "/etc/resolv.conf")
    except BaseException:
        holder.kill()  # slirp4netns ends with the namespace
        raise
    known = {"holder": holder.pid, "network": network.pid}
    records.save(where.record, known | {f"{name}_started": _started(pid) for name, pid in known.items()})
    return holder.pid


def _spawn(*command: str) -> subprocess.Popen[bytes]:
    """Start a process that outlives us."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _wait(holds: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    """Return once `holds()`. Raises Unavailable when the process ends first, or time runs out."""
    limit = time.monotonic() + _WITHIN
    while not holds():
        if process.poll() is not None or time.monotonic() > limit:
            raise Unavailable(f"{what} failed; see what this says: moor doctor")
        time.sleep(0.01)


def _is_holding(pid: int) -> bool:
    """Whether the process sleeps in its namespaces: its ids are mapped, and it is `sleep` by now."""
    with suppress(OSError):
        mapped = len(Path(f"/proc/{pid}/uid_map").read_text().splitlines()) >= 2
        return mapped and Path(f"/proc/{pid}/comm").read_text().strip() == _HOLDER[0]
    return False


def _entering(holder: int) -> list[str]:
    spaces = ("--user", "--mount", "--net", "--preserve-credentials", "--wd=/")
    return [programs.find("nsenter"), f"--target={holder}", *spaces, "--"]


def _started(pid: int) -> int | None:
    """When a live process began, in ticks since the machine's start: it tells apart a number that is used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
