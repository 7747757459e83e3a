"""The only place where an error becomes an HTTP answer: OCI JSON with a sentence a person can act on.

Exceptions of the inner rooms are mapped here by type, once; what nobody expected is logged with its request id and
answered without detail (distribution-spec, "Error Codes").
"""

import orjson
import structlog
from starlette.responses import Response

from registry.catalog.errors import CatalogFull, CatalogMoved, CatalogUnavailable, Conflict
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import InvalidName, InvalidTag
from storage.digest import InvalidDigest
from storage.errors import Full, NotFound, ReadOnly, StorageError, Unavailable

RETRY_AFTER = "5"

EVERY_ANSWER = {"docker-distribution-api-version": "registry/2.0", "x-content-type-options": "nosniff"}
"""Headers of every answer below /v2/, and of every refusal anywhere."""

KNOWN: dict[type[Exception], tuple[ErrorCode, str | None]] = {
    InvalidName: (ErrorCode.NAME_INVALID, None),
    InvalidTag: (ErrorCode.MANIFEST_INVALID, None),
    InvalidDigest: (ErrorCode.DIGEST_INVALID, None),
    Full: (ErrorCode.STORAGE_FULL, ErrorCode.STORAGE_FULL.message),
    CatalogFull: (ErrorCode.STORAGE_FULL, ErrorCode.STORAGE_FULL.message),
    ReadOnly: (ErrorCode.UNAVAILABLE, "the registry's storage is read-only at the moment; pulls still work"),
    Unavailable: (ErrorCode.UNAVAILABLE, "the registry's storage does not answer; try again shortly"),
    NotFound: (ErrorCode.UNAVAILABLE, "the registry's storage lost this content; push it again to heal it"),
    StorageError: (ErrorCode.UNAVAILABLE, "the registry's storage failed; try again shortly"),
    Conflict: (ErrorCode.UNAVAILABLE, "somebody else changed the same thing at the same moment; try again"),
    CatalogMoved: (ErrorCode.UNAVAILABLE, "the registry's database is moving to another place; try again shortly"),
    CatalogUnavailable: (ErrorCode.UNAVAILABLE, "the registry's database does not answer; try again shortly"),
}
"""What each exception of the inner rooms means to a client; None: its own text is meant for the client."""

_log = structlog.get_logger("moorage.errors")


def problem_of(error: Exception, request_id: str = "") -> RegistryError:
    """Turn any exception into what the client is told; trouble of ours is logged."""
    if isinstance(error, RegistryError):
        return error
    for kind in type(error).__mro__:
        if kind in KNOWN:
            code, message = KNOWN[kind]
            if code.status >= 500:
                _log.error("request failed", request_id=request_id, error=type(error).__name__, reason=str(error))
            return RegistryError(code, message or str(error))
    _log.error("request failed unexpectedly", request_id=request_id, exc_info=error)
    return RegistryError(ErrorCode.UNKNOWN, details=({"requestId": request_id},))


def problem_response(error: RegistryError) -> Response:
    """Render what a client is told."""
    headers = {**error.headers, **EVERY_ANSWER}
    if error.code.status in (429, 503):
        headers.setdefault("retry-after", RETRY_AFTER)
    content = orjson.dumps(error.body(), default=str)
    return Response(content, error.code.status, headers=headers, media_type="application/json")
