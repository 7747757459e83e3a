"""The program that copies files into and out of a container: it locks itself in, then does the one thing it was asked.

Run by `archive_process.py` with what to do as JSON. The tar goes through standard input or output; the answers, a JSON
object each, to standard error: `{"stat": {...}}` before a tar, `{"done": true}` at the end, `{"problem": KIND, ...}`.
"""

# ruff: noqa: PTH116, PTH119, PTH123  # importing pathlib would take as long as copying a small file
import json
import os
import resource
import stat
import sys
import zlib  # noqa: F401  # tarfile imports it when it meets an error, and by then there is nothing to import from
from typing import Any

from runtime.containers.archives.archive_pack import Packer
from runtime.containers.archives.archive_unpack import Copy, Rules
from runtime.containers.archives.jail import Bind, enter
from runtime.images.unpack_child import TROUBLE, unpack
from runtime.images.unpack_input import Input, Refused

MEMORY_LIMIT = 1024 * 2**20
INPUT, OUTPUT, ANSWERS = 0, 1, 2


def main() -> None:
    """Do what the file asks for whose descriptor is the only argument."""
    with open(int(sys.argv[1]), encoding="ascii") as file:
        request: dict[str, Any] = json.load(file)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0)
    try:
        binds = [Bind(*bind) for bind in request["binds"]]
        enter(request["root"], binds, read_only=request["read_only"], mounted=request["mounted"])
        _ACTIONS[request["action"]](request)
        answer({"done": True})
    except Refused as error:
        answer({"problem": "refused", "detail": str(error)})
    except (OSError, *TROUBLE) as error:
        number = error.errno if isinstance(error, OSError) else None
        answer({"problem": "failed", "errno": number, "detail": str(error) or type(error).__name__})


def answer(document: dict[str, Any]) -> None:
    """Say something to the engine."""
    os.write(ANSWERS, json.dumps(document).encode("ascii") + b"\n")


def _stat(request: dict[str, Any]) -> os.stat_result:
    """Look at a path; its last name is followed only where the path ends in a slash, as in Docker."""
    path = request["path"]
    status = os.lstat(path)
    link = os.path.realpath(path) if stat.S_ISLNK(status.st_mode) else ""
    base = os.path.basename(path.rstrip("/")) or "/"
    answer(
        {
            "stat": {
                "name": base,
                "size": status.st_size,
                "mode": status.st_mode,
                "mtime": status.st_mtime_ns,
                "linkTarget": link,
            }
        }
    )
    return status


def _pack(request: dict[str, Any]) -> None:
    status = _stat(request)
    path = request["path"]
    directory = stat.S_ISDIR(status.st_mode)
    name = os.path.basename(path.rstrip("/")) or "/"
    Packer(OUTPUT).tree(path if directory else path.rstrip("/"), name)


def _export(_: dict[str, Any]) -> None:
    Packer(OUTPUT).tree("/", "")


def _extract(request: dict[str, Any]) -> None:
    target = os.path.realpath(request["path"])
    if not stat.S_ISDIR(os.stat(target).st_mode):
        raise Refused("extraction point is not a directory")
    if os.statvfs(target).f_flag & os.ST_RDONLY:
        answer({"problem": "read-only", "detail": target})
        sys.exit()
    os.chdir(target)
    owner = request["owner"]
    copy = Copy(Rules(request["keeps_kinds"], tuple(owner) if owner else None, request["rootless"]))
    unpack(Input(INPUT), copy)  # type: ignore[arg-type]  # it has what is used of a Layer


_ACTIONS = {"stat": _stat, "pack": _pack, "export": _export, "extract": _extract}
