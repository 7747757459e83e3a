"""Blobs over HTTP: end-2 with every kind of range, end-10, and mounting, end-11."""

from starlette.responses import Response
from starlette.types import ASGIApp

from auth.policy import Action
from registry.api.answers import MARKS, SANDBOX, Ready, encoded
from registry.api.bodies import not_modified
from registry.api.call import Call
from registry.api.ranges import Span, parse_ranges
from registry.api.streams import FileAnswer, PartsAnswer
from registry.api.uploads import created, start, started
from registry.catalog.blobs import Blob
from registry.catalog.errors import NotFound
from registry.content.blobs import blob_unknown
from registry.edge.callers import Means, origin_of
from registry.oci.names import RepositoryName
from storage.digest import Digest


async def get(call: Call) -> ASGIApp:
    """Give a blob's bytes, whole or in ranges (end-2)."""
    digest = call.digest
    try:
        blob = await call.blob()
    except NotFound:
        raise blob_unknown(call.name, digest) from None
    text = str(digest)
    headers = {"docker-content-digest": text, "etag": f'"{text}"', "accept-ranges": "bytes"}
    if not_modified(call.scope, digest):
        return Response(status_code=304, headers=headers)
    headers["content-type"] = "application/octet-stream"
    headers["content-security-policy"] = SANDBOX
    if call.scope["method"] == "HEAD":
        return await _head(call, blob, headers)
    spans = parse_ranges(_range(call, text), blob.size)
    return await _body(call, blob, headers, spans)


async def mount(call: Call) -> Response:
    """Let a repository see a blob that another one holds, or open a session for it (end-11)."""
    digest = Digest.parse(call.query("mount") or "")
    text = call.query("from")
    source = RepositoryName.parse(text) if text else None
    lane = call.services.bridge.sql
    if source is None:
        blob = await lane.call(_mount_from_anywhere, call, digest)
    elif await _may_mount_from(call, source):
        origin = origin_of(call.scope, call.caller)
        blob = await lane.call(call.services.blobs.mount, call.name, digest, source, origin=origin)
    else:
        blob = None
    if blob is None:
        return started(call, await start(call, digest.algorithm))
    return created(call, blob)


async def delete(call: Call) -> Response:
    """Take a blob out of a repository (end-10)."""
    await call.services.bridge.sql.call(
        call.services.blobs.delete, call.name, call.digest, origin=origin_of(call.scope, call.caller)
    )
    return Response(status_code=202)


async def _may_mount_from(call: Call, source: RepositoryName) -> bool:
    """Tell whether the caller may pull from a mount's source.

    Where only the token is too small, a challenge that names both scopes gets the client a larger one; where the source
    is hidden or absent, the client uploads, as it would if the blob were not there.
    """
    if call.caller.may(Action.PULL, source.value):
        return True
    access = call.services.access
    if call.caller.means is Means.BEARER and await call.services.bridge.sql.call(
        access.may_pull_now, call.caller, source
    ):
        raise await access.refusal(call.scope, call.caller, Action.PUSH, (call.name, source))
    return False


def _mount_from_anywhere(call: Call, digest: Digest) -> Blob | None:
    """Mount a blob that the registry may have anywhere the caller may pull from now."""
    reach = call.services.access.reach(call.caller)
    origin = origin_of(call.scope, call.caller)
    return call.services.blobs.mount_from_any(call.name, digest, reach=reach, origin=origin)


async def _head(call: Call, blob: Blob, headers: dict[str, str]) -> Ready:
    """Tell that a blob is there, and keep it for the pusher who will rely on that."""
    if blob.unreferenced and call.caller.may(Action.PUSH, call.name.value):
        await call.services.bridge.sql.call(call.services.blobs.keep, call.name, blob)
    headers["content-length"] = str(blob.size)
    return Ready(encoded(headers) + MARKS)


def _range(call: Call, digest: str) -> str | None:
    """Give the Range header, unless If-Range names other content (RFC 9110, section 13.1.5)."""
    condition = call.request.headers.get("if-range")
    if condition is not None and condition != f'"{digest}"':
        return None
    return call.request.headers.get("range")


async def _body(call: Call, blob: Blob, headers: dict[str, str], spans: list[Span] | None) -> ASGIApp:
    blobs, lane = call.services.blobs, call.services.bridge.reads
    if spans is not None and len(spans) > 1:
        return PartsAnswer(blobs, lane, blob, spans, headers)
    address = await call.services.redirects.address(call.scope, blob)
    if address is not None:
        return _elsewhere(address, headers)
    if spans is None:
        return FileAnswer(blobs, lane, blob, (0, blob.size), headers, status=200)
    start, stop = spans[0]
    headers["content-range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    return FileAnswer(blobs, lane, blob, spans[0], headers, status=206)


def _elsewhere(address: str, headers: dict[str, str]) -> Response:
    """Send the client on; the range, if any, it asks for again there."""
    kept = {name: headers[name] for name in ("docker-content-digest", "etag")}
    return Response(status_code=307, headers={**kept, "location": address, "cache-control": "no-store"})
