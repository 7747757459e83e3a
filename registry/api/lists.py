"""Lists over HTTP: end-1, end-8, end-12 and `_catalog`, page by page with a Link to the next (RFC 8288)."""

from urllib.parse import quote, urlencode

import orjson
from starlette.responses import Response

from registry.api.bodies import NUMBER
from registry.api.call import Call
from registry.catalog.manifests import Referrer
from registry.content.listings import Page
from registry.oci import mediatypes
from registry.oci.descriptors import is_media_type
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest

CATALOG_DEFAULT = 100
PAGE_LIMIT = 1000


async def ping(call: Call) -> Response:
    """Say that this is a registry (end-1)."""
    return Response(b"{}", media_type="application/json")


async def tags(call: Call) -> Response:
    """List tags (end-8)."""
    after = call.query("last")
    limit = _limit(call, PAGE_LIMIT)
    start = Tag.parse(after).value if after else ""
    page = await call.services.bridge.sql.call(call.services.listings.tags, call.name, after=start, limit=limit)
    headers = _link(call, {"n": str(limit), "last": page.items[-1]}) if page.more else {}
    return _json({"name": str(call.name), "tags": page.items}, "application/json", headers)


async def catalog(call: Call) -> Response:
    """List the repositories that the caller may pull (`_catalog`)."""
    after = call.query("last")
    limit = _limit(call, CATALOG_DEFAULT)
    start = RepositoryName.parse(after).value if after else ""
    page = await call.services.bridge.sql.call(_reached, call, start, limit)
    headers = _link(call, {"n": str(limit), "last": page.items[-1]}) if page.more else {}
    return _json({"repositories": page.items}, "application/json", headers)


def _reached(call: Call, after: str, limit: int) -> Page[str]:
    reach = call.services.access.reach(call.caller)
    return call.services.listings.repositories(after=after, limit=limit, reach=reach)


async def referrers(call: Call) -> Response:
    """List what refers to a manifest (end-12), whether or not that manifest is here."""
    subject = call.digest
    artifact_type = call.query("artifactType") or None
    if artifact_type is not None and not is_media_type(artifact_type):
        raise RegistryError(ErrorCode.REQUEST_INVALID, "artifactType is no media type")
    after = call.query("last")
    page = await call.services.bridge.sql.call(
        call.services.listings.referrers,
        call.name,
        subject,
        artifact_type=artifact_type,
        after=str(Digest.parse(after)) if after else "",
        limit=_limit(call, PAGE_LIMIT, least=1),
    )
    headers = {"oci-filters-applied": "artifactType"} if artifact_type else {}
    if page.more:
        filters = {"artifactType": artifact_type} if artifact_type else {}
        headers |= _link(call, {**filters, "last": page.items[-1].digest})
    index = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [_line(referrer) for referrer in page.items],
    }
    return _json(index, mediatypes.OCI_INDEX, headers)


def _line(referrer: Referrer) -> dict[str, object]:
    line: dict[str, object] = {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.size,
    }
    if referrer.artifact_type:
        line["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        line["annotations"] = referrer.annotations
    return line


def _limit(call: Call, default: int, *, least: int = 0) -> int:
    """Read `n`: at most PAGE_LIMIT are given, however many are asked for."""
    text = call.query("n")
    if text is None:
        return default
    if not NUMBER.fullmatch(text):
        raise RegistryError(ErrorCode.REQUEST_INVALID, "n has to be a whole number, 0 or more")
    return max(min(int(text), PAGE_LIMIT), least)


def _link(call: Call, query: dict[str, str]) -> dict[str, str]:
    path = quote(call.request.scope["path"], safe="/:")
    return {"link": f'<{path}?{urlencode(query)}>; rel="next"'}


def _json(document: object, media_type: str, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(document), headers={**headers, "content-type": media_type})
