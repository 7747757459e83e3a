"""Manifests over HTTP: end-3, end-7a, end-7b, end-9. Content negotiation never converts and never refuses."""

from starlette.responses import Response

from registry.api.answers import Ready
from registry.api.bodies import announced_length, announced_type, not_modified, read_limited
from registry.api.call import Call
from registry.catalog.errors import NotFound
from registry.content.manifests import PushedManifest, manifest_unknown
from registry.edge.callers import origin_of
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import NAME_LIMIT, Tag

MANIFEST_LIMIT = 4 * 2**20
TAGS_LIMIT = 20
WARNINGS_LIMIT = 4096


async def get(call: Call) -> Ready:
    """Give a manifest's exact bytes (end-3)."""
    try:
        entry, content = await call.manifest()
    except NotFound:
        raise manifest_unknown(call.name, call.reference) from None
    headers = call.services.heads.of(entry)
    if not_modified(call.scope, entry.digest):
        return Ready(headers[:3] + headers[5:], status=304)
    if call.scope["method"] == "HEAD":
        return Ready(headers)
    call.services.pulls.count(call.name.value)
    return Ready(headers, content)


async def put(call: Call) -> Response:
    """Publish a manifest under a tag, or under its digest with any tags of the query (end-7a, end-7b)."""
    reference = call.reference
    tags = _tags(call)
    content = await read_limited(call.request, MANIFEST_LIMIT, ErrorCode.MANIFEST_TOO_LARGE)
    announced = announced_length(call.request)
    if announced is not None and announced != len(content):
        raise RegistryError(ErrorCode.SIZE_INVALID)
    pushed = await call.services.bridge.sql.call(
        call.services.manifests.push,
        call.name,
        reference,
        content,
        content_type=announced_type(call.request),
        tags=tags,
        origin=origin_of(call.scope, call.caller),
    )
    return _pushed(call, pushed)


async def delete(call: Call) -> Response:
    """Remove a tag alone, or a manifest with its tags (end-9)."""
    await call.services.bridge.sql.call(
        call.services.manifests.delete, call.name, call.known_reference, origin=origin_of(call.scope, call.caller)
    )
    return Response(status_code=202)


def _tags(call: Call) -> tuple[Tag, ...]:
    """Read `?tag=`, which counts only beside a digest."""
    texts = call.request.query_params.getlist("tag")
    if texts and not call.by_digest:
        raise RegistryError(ErrorCode.MANIFEST_INVALID, "?tag= goes with a push by digest, not with one by tag")
    if len(texts) > TAGS_LIMIT:
        raise RegistryError(ErrorCode.URI_TOO_LONG, f"{len(texts)} tags in one request; the limit is {TAGS_LIMIT}")
    return tuple(dict.fromkeys(Tag.parse(text) for text in texts))


def _pushed(call: Call, pushed: PushedManifest) -> Response:
    response = Response(status_code=201)
    digest = str(pushed.digest)
    response.headers["location"] = f"/v2/{call.name}/manifests/{digest}"
    response.headers["docker-content-digest"] = digest
    if pushed.subject is not None:
        response.headers["oci-subject"] = str(pushed.subject)
    if call.by_digest:
        for tag in pushed.tags:
            response.headers.append("oci-tag", str(tag))
    room = WARNINGS_LIMIT
    for warning in (*pushed.warnings, *_name_warnings(call)):
        text = f'299 - "{warning}"'
        room -= len(text)
        if room >= 0:
            response.headers.append("warning", text)
    return response


def _name_warnings(call: Call) -> list[str]:
    """Warn of a name that fits here, but not behind this host's name in clients (spec, "Pulling manifests")."""
    host = call.request.headers.get("host", "")
    if len(host) + 1 + len(call.name.value) <= NAME_LIMIT:
        return []
    return [f"many clients take at most {NAME_LIMIT} characters for host and repository name together"]
