"""The specification's table of endpoints in code, in its order; a test compares the two.

An endpoint cannot be written down without the action that it needs, so a new one is closed until somebody opens it.
What docker needs beside the specification stands below its rows: tokens (Distribution's token specification, RFC 6749),
their keys (RFC 7517), and the search of Docker's first API.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from auth.policy import Action
from registry.api import blobs, keys, lists, manifests, search, token, uploads
from registry.api.call import Call

SPECIFICATION = "1.1.1+dev (967efdc079b91785ad18c77cc4f8991a47feefbf)"

Handler = Callable[[Call], Awaitable[ASGIApp]]

NAME = r"(?P<name>.+)"
PING = "/v2/?"
BLOB = f"/v2/{NAME}/blobs/(?P<digest>[^/]*)"
TAGGED = f"/v2/{NAME}/manifests/(?P<reference>[^/:]*)"
DIGESTED = f"/v2/{NAME}/manifests/(?P<reference>[^/:]*:[^/]*)"
UPLOADS = f"/v2/{NAME}/blobs/uploads/?"
UPLOAD = f"/v2/{NAME}/blobs/uploads/(?P<session>[^/]+)"
TAGS = f"/v2/{NAME}/tags/list"
REFERRERS = f"/v2/{NAME}/referrers/(?P<digest>[^/]*)"
CATALOG = "/v2/_catalog"
TOKEN = "/token"  # noqa: S105  # an address
JWKS = r"/\.well-known/jwks\.json"
SEARCH_PING = "/v1/_ping"
SEARCH = "/v1/search"

GET = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: the specification's number, methods, the path's pattern, who answers, and what right it takes.

    `query`: the row is for requests that carry this parameter; rows with one come before the row without.
    """

    id: str
    methods: tuple[str, ...]
    pattern: str
    handler: Handler
    action: Action
    query: str | None = None


ENDPOINTS = (
    Endpoint("end-1", GET, PING, lists.ping, Action.PING),
    Endpoint("end-2", GET, BLOB, blobs.get, Action.PULL),
    Endpoint("end-3", GET, TAGGED, manifests.get, Action.PULL),
    Endpoint("end-3", GET, DIGESTED, manifests.get, Action.PULL),
    Endpoint("end-11", ("POST",), UPLOADS, blobs.mount, Action.PUSH, query="mount"),
    Endpoint("end-4b", ("POST",), UPLOADS, uploads.post_whole, Action.PUSH, query="digest"),
    Endpoint("end-4c", ("POST",), UPLOADS, uploads.post, Action.PUSH, query="digest-algorithm"),
    Endpoint("end-4a", ("POST",), UPLOADS, uploads.post, Action.PUSH),
    Endpoint("end-5", ("PATCH",), UPLOAD, uploads.patch, Action.PUSH),
    Endpoint("end-6", ("PUT",), UPLOAD, uploads.put, Action.PUSH),
    Endpoint("end-7a", ("PUT",), TAGGED, manifests.put, Action.PUSH),
    Endpoint("end-7b", ("PUT",), DIGESTED, manifests.put, Action.PUSH),
    Endpoint("end-8", GET, TAGS, lists.tags, Action.PULL),
    Endpoint("end-9", ("DELETE",), TAGGED, manifests.delete, Action.DELETE_TAG),
    Endpoint("end-9", ("DELETE",), DIGESTED, manifests.delete, Action.DELETE_MANIFEST),
    Endpoint("end-10", ("DELETE",), BLOB, blobs.delete, Action.DELETE_BLOB),
    Endpoint("end-12", GET, REFERRERS, lists.referrers, Action.PULL),
    Endpoint("end-13", GET, UPLOAD, uploads.get, Action.PUSH),
    Endpoint("end-14", ("DELETE",), UPLOAD, uploads.delete, Action.PUSH),
    Endpoint("_catalog", GET, CATALOG, lists.catalog, Action.CATALOG),
    Endpoint("token", GET, TOKEN, token.get, Action.ANYONE),
    Endpoint("token", ("POST",), TOKEN, token.post, Action.ANYONE),
    Endpoint("jwks", GET, JWKS, keys.get, Action.ANYONE),
    Endpoint("search-ping", GET, SEARCH_PING, search.ping, Action.ANYONE),
    Endpoint("search", GET, SEARCH, search.get, Action.SEARCH),
)
