"""Search as Docker's first API has it, for `docker search HOST/term` and `podman search` (docker: `/v1/search`)."""

import orjson
from starlette.responses import Response

from registry.api.bodies import NUMBER
from registry.api.call import Call
from registry.catalog.search import Found
from registry.oci.errors import ErrorCode, RegistryError

DEFAULT, MOST = 25, 100
LONGEST_TERM = 256


async def ping(call: Call) -> Response:
    """Say that this is a registry of its own, with its own search."""
    headers = {"x-docker-registry-standalone": "true"}
    return Response(b'{"standalone":true}', headers=headers, media_type="application/json")


async def get(call: Call) -> Response:
    """Find repositories that the caller may pull, the best first."""
    term = (call.query("q") or "")[:LONGEST_TERM]
    limit = _limit(call.query("n"))
    found = await call.services.bridge.sql.call(_find, call, term, limit)
    results = [
        {
            "name": line.name,
            "description": line.description,
            "star_count": 0,
            "is_official": False,
            "is_automated": False,
            "pull_count": line.pulls,
        }
        for line in found
    ]
    document = {"query": term, "num_results": len(results), "results": results}
    return Response(orjson.dumps(document), media_type="application/json")


def _find(call: Call, term: str, limit: int) -> list[Found]:
    return call.services.listings.search(term, reach=call.services.access.reach(call.caller), limit=limit)


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT
    if not NUMBER.fullmatch(text):
        raise RegistryError(ErrorCode.REQUEST_INVALID, "n has to be a whole number")
    return max(1, min(int(text), MOST))
