"""Upload sessions over HTTP: end-4a, end-4b, end-4c, end-5, end-6, end-13, end-14.

A client that vanishes leaves what it sent so far in its session; the status tells how much that is.
"""

from contextlib import suppress

from starlette.responses import Response

from registry.api.bodies import announced_chunk
from registry.api.call import Call
from registry.catalog.blobs import Blob
from registry.catalog.errors import CatalogError
from registry.content.reception import Reception, progress, uuid_text
from registry.edge.bridge import ClientGone, pour
from registry.oci.errors import ErrorCode, RegistryError
from storage.digest import Digest


async def post(call: Call) -> Response:
    """Open a session (end-4a, end-4c)."""
    algorithm = call.query("digest-algorithm") or "sha256"
    return started(call, await start(call, algorithm))


async def post_whole(call: Call) -> Response:
    """Take a whole blob in one request (end-4b)."""
    digest = _wanted_digest(call)
    session_id = await start(call, digest.algorithm)
    try:
        return created(call, await _finish(call, session_id, digest))
    except BaseException:
        # Nobody knows this session's address, so nobody could go on with it; where that fails too, a sweep does it.
        with suppress(RegistryError, CatalogError):
            await call.services.bridge.writes.call(
                call.services.uploads.cancel, call.name, session_id, subject=call.caller.name
            )
        raise


async def patch(call: Call) -> Response:
    """Take a chunk (end-5)."""
    reception = _reception(call, call.session_id)
    lane = call.services.bridge.writes
    try:
        last = await pour(call.request.receive, lane, reception.write)
        offset = await lane.call(reception.pause, last)
    except ClientGone as gone:
        await _keep(call, reception, gone)
        raise
    except BaseException:
        await lane.call(reception.close)
        raise
    return _position(call, call.session_id, offset, 202)


async def put(call: Call) -> Response:
    """Take the last chunk, if there is one, and publish the blob (end-6)."""
    return created(call, await _finish(call, call.session_id, _wanted_digest(call)))


async def get(call: Call) -> Response:
    """Tell how far a session is (end-13)."""
    session = await call.services.bridge.sql.call(
        call.services.uploads.status, call.name, call.session_id, subject=call.caller.name
    )
    return _position(call, session.id, session.offset, 204)


async def delete(call: Call) -> Response:
    """Cancel a session (end-14)."""
    await call.services.bridge.writes.call(
        call.services.uploads.cancel, call.name, call.session_id, subject=call.caller.name
    )
    return Response(status_code=204)


async def start(call: Call, algorithm: str) -> str:
    """Open a session and give its id."""
    return await call.services.bridge.sql.call(
        call.services.uploads.start, call.name, subject=call.caller.name, algorithm=algorithm
    )


def started(call: Call, session_id: str) -> Response:
    """Answer with a fresh session."""
    return _position(call, session_id, 0, 202)


def created(call: Call, blob: Blob) -> Response:
    """Answer with a blob that is there now."""
    digest = str(blob.digest)
    headers = {"location": f"/v2/{call.name}/blobs/{digest}", "docker-content-digest": digest}
    return Response(status_code=201, headers=headers)


async def _finish(call: Call, session_id: str, digest: Digest) -> Blob:
    reception = _reception(call, session_id)
    lane = call.services.bridge.writes
    try:
        last = await pour(call.request.receive, lane, reception.write)
        return await lane.call(reception.finish, last, digest)
    except ClientGone as gone:
        await _keep(call, reception, gone)
        raise
    except BaseException:
        await lane.call(reception.close)
        raise


async def _keep(call: Call, reception: Reception, gone: ClientGone) -> None:
    lane = call.services.bridge.writes
    try:
        await lane.call(reception.pause, gone.rest, whole=False)
    finally:
        await lane.call(reception.close)


def _reception(call: Call, session_id: str) -> Reception:
    chunk = announced_chunk(call.request)
    return Reception(call.services.uploads, call.name, session_id, subject=call.caller.name, chunk=chunk)


def _wanted_digest(call: Call) -> Digest:
    text = call.query("digest")
    if text is None:
        raise RegistryError(
            ErrorCode.DIGEST_INVALID, "the request has to name the whole blob's digest: ?digest=sha256:…"
        )
    return Digest.parse(text)


def _position(call: Call, session_id: str, offset: int, status: int) -> Response:
    shown = uuid_text(session_id)
    headers = {
        "location": f"/v2/{call.name}/blobs/uploads/{shown}",
        "range": progress(offset),
        "docker-upload-uuid": shown,
    }
    return Response(status_code=status, headers=headers)
