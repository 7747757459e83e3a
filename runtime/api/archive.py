"""Files into and out of containers (Engine API, "archive", "export", "changes").

Each call runs in one thread from its beginning to its end: a container that does not run is kept from starting
meanwhile, by its lock.
"""

import base64
import json
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from runtime.api.call import Call
from runtime.api.streams import download
from runtime.api.uploads import Upload
from runtime.containers.archives import archive
from runtime.containers.archives.archive_process import PathStat
from runtime.containers.model import Container
from runtime.errors import BadParameter

TAR = "application/x-tar"
STAT = "X-Docker-Container-Path-Stat"
BLOCK = 256 * 1024

_EARLIEST, _LATEST = -62_135_596_800 * 10**9, 253_402_300_799 * 10**9
_GO_MODES = (
    (stat.S_ISDIR, 1 << 31),
    (stat.S_ISLNK, 1 << 27),
    (stat.S_ISFIFO, 1 << 25),
    (stat.S_ISSOCK, 1 << 24),
    (stat.S_ISBLK, 1 << 26),
    (stat.S_ISCHR, 1 << 26 | 1 << 21),
)
_GO_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


async def head(call: Call) -> ASGIApp:
    """HEAD /containers/ID/archive: what a path is, in a header."""
    container, path = await _asked(call)
    found = await call.run(_stat, call, container, path)
    return Response(headers={STAT: header(found)})


async def get(call: Call) -> ASGIApp:
    """GET /containers/ID/archive: a path as a tar."""
    container, path = await _asked(call)
    found = await call.run(_stat, call, container, path)

    def send(write: Callable[[bytes], None]) -> None:
        with call.engine.files.view(container, call.parts["id"]) as view, archive.pack(view, path) as (_, source):
            for block in source.blocks():
                write(block)
        call.engine.containers.tell(container, "archive-path")

    return download(call, send, TAR, {STAT: header(found)})


async def put(call: Call) -> ASGIApp:
    """PUT /containers/ID/archive: a tar into a directory."""
    container, path = await _asked(call)
    upload = Upload(call)
    keeps_kinds, owned = call.flag("noOverwriteDirNonDir"), call.flag("copyUIDGID")

    def take() -> None:
        with call.engine.files.view(container, call.parts["id"]) as view:
            owner = call.engine.files.owner(container, view) if owned else None
            archive.extract(view, path, _blocks(upload), keeps_kinds=keeps_kinds, owner=owner)
        call.engine.containers.tell(container, "extract-to-dir")

    await call.run(take)
    return Response(status_code=200)


async def export(call: Call) -> ASGIApp:
    """GET /containers/ID/export: the whole root file system as a tar."""
    container = await call.run(call.engine.containers.get, call.parts["id"])

    def send(write: Callable[[bytes], None]) -> None:
        with call.engine.files.view(container, call.parts["id"]) as view, archive.export(view) as source:
            for block in source.blocks():
                write(block)
        call.engine.containers.tell(container, "export")

    return download(call, send, "application/octet-stream")


async def list_changes(call: Call) -> ASGIApp:
    """GET /containers/ID/changes."""
    container = await call.run(call.engine.containers.get, call.parts["id"])
    found = await call.run(call.engine.files.changes, container)
    return JSONResponse([{"Kind": change.kind, "Path": change.path} for change in found])


def header(found: PathStat) -> str:
    """Write what a file is as Docker does: base64 of JSON, the mode in Go's bits (io/fs, FileMode)."""
    document = {
        "name": found.name,
        "size": found.size,
        "mode": go_mode(found.mode),
        "mtime": _time(found.mtime),
        "linkTarget": found.link_target,
    }
    return base64.b64encode(json.dumps(document).encode()).decode()


def _time(moment: int) -> str:
    """Write a file's time, which anyone may have set: 1970 is a time like any other, and past 9999 there is none."""
    seconds, nanoseconds = divmod(min(max(moment, _EARLIEST), _LATEST), 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z".zfill(30)


def go_mode(mode: int) -> int:
    """A file's kind and permissions in the bits that Go has for them."""
    kind = next((bit for fits, bit in _GO_MODES if fits(mode)), 0)
    return kind | sum(bit for unix, bit in _GO_BITS if mode & unix) | stat.S_IMODE(mode) & 0o777


async def _asked(call: Call) -> tuple[Container, str]:
    path = call.query.get("path", "")
    if not path:
        raise BadParameter('bad parameter: "path" cannot be empty')
    return await call.run(call.engine.containers.get, call.parts["id"]), path


def _stat(call: Call, container: Container, path: str) -> PathStat:
    with call.engine.files.view(container, call.parts["id"]) as view:
        return archive.stat(view, path)


def _blocks(upload: Upload) -> Iterator[bytes]:
    while block := upload.read1(BLOCK):
        yield block
