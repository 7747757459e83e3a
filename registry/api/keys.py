"""The keys that verify our tokens, for whoever wants to check one themselves (JWK set, RFC 7517)."""

import orjson
from starlette.responses import Response

from registry.api.call import Call

CACHED = "public, max-age=60"


async def get(call: Call) -> Response:
    """Give the public keys: the one that signs, the next one, and those that signed until a while ago."""
    document = await call.services.bridge.sql.call(call.accounts.keys.jwks)
    return Response(orjson.dumps(document), headers={"cache-control": CACHED}, media_type="application/jwk-set+json")
