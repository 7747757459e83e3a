"""Mounts what a volume's options name at its directory, and undoes it. Source: mount(8), moby volume/local."""

from pathlib import Path

from runtime import programs
from runtime.errors import EngineError
from runtime.programs import ProgramFailed
from runtime.volumes.volume import Volume


def mount(volume: Volume) -> None:
    """Mount the volume's device; once is enough. Raises EngineError, in Docker's words."""
    if not volume.mounted_from or mounted(volume.data):
        return
    options = volume.options.get("o", "")
    extra = ("-o", options) if options else ()
    kind = volume.options["type"]
    try:
        programs.run(
            programs.find("mount"), "-t", kind, *extra, "--source", volume.mounted_from, "--target", str(volume.data)
        )
    except ProgramFailed as error:
        raise EngineError(
            f"failed to mount local volume: mount {volume.mounted_from}:{volume.data}, data: {options}: "
            f"{error.said.strip() or error}"
        ) from error


def unmount(volume: Volume) -> None:
    """Take the mount away; harmless where there is none. Raises EngineError."""
    if volume.mounted_from and mounted(volume.data):
        programs.run(programs.find("umount"), "--", str(volume.data))


def mounted(path: Path) -> bool:
    """Whether something is mounted at a path (proc(5), mountinfo: spaces and their like are octal there)."""
    place = str(path).translate({ord(each): f"\\{ord(each):03o}" for each in " \t\n\\"})
    with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="surrogateescape") as lines:
        return any(line.split(" ", 5)[4] == place for line in lines)
