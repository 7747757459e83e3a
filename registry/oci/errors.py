"""The error codes of the distribution-spec ("Error Codes"), one row each, and the one exception that carries them.

The specification allows only its 14 codes on a 4xx answer; our finer rows reuse one of them.
The last rows answer a 5xx, which the specification leaves open.
"""

from collections.abc import Mapping
from enum import Enum


class ErrorCode(Enum):
    """One row: the code on the wire, the HTTP status, and a sentence for the person who meets it."""

    BLOB_UNKNOWN = ("BLOB_UNKNOWN", 404, "this repository holds no such blob")
    BLOB_UPLOAD_INVALID = ("BLOB_UPLOAD_INVALID", 400, "the blob upload cannot go on like this")
    BLOB_UPLOAD_UNKNOWN = ("BLOB_UPLOAD_UNKNOWN", 404, "no such upload session; start a new one with POST")
    DIGEST_INVALID = ("DIGEST_INVALID", 400, "the digest is not valid or does not match the content")
    MANIFEST_BLOB_UNKNOWN = ("MANIFEST_BLOB_UNKNOWN", 404, "the manifest names content that this repository lacks")
    MANIFEST_INVALID = ("MANIFEST_INVALID", 400, "the manifest is not valid")
    MANIFEST_UNKNOWN = ("MANIFEST_UNKNOWN", 404, "this repository holds no such manifest")
    NAME_INVALID = ("NAME_INVALID", 400, "the repository name is not valid")
    NAME_UNKNOWN = ("NAME_UNKNOWN", 404, "this registry holds no such repository")
    SIZE_INVALID = ("SIZE_INVALID", 400, "the content's length is not what was announced")
    UNAUTHORIZED = ("UNAUTHORIZED", 401, "sign in first")
    DENIED = ("DENIED", 403, "you may not do this")
    UNSUPPORTED = ("UNSUPPORTED", 405, "this operation is not supported here")
    TOOMANYREQUESTS = ("TOOMANYREQUESTS", 429, "too many requests; try again later")

    UPLOAD_OUT_OF_ORDER = ("BLOB_UPLOAD_INVALID", 416, "the chunk does not start where the upload stands")
    RANGE_UNSATISFIABLE = ("SIZE_INVALID", 416, "the range lies outside the content")
    MANIFEST_TOO_LARGE = ("MANIFEST_INVALID", 413, "the manifest is larger than this registry takes")
    BLOB_TOO_LARGE = ("SIZE_INVALID", 413, "the blob is larger than this registry takes")
    BODY_TOO_LARGE = ("SIZE_INVALID", 413, "the request's body is larger than this endpoint takes")
    URI_TOO_LONG = ("MANIFEST_INVALID", 414, "too many tags in one request")
    HEADERS_TOO_LARGE = ("UNSUPPORTED", 431, "the request line and headers are larger than this registry takes")
    REQUEST_INVALID = ("UNSUPPORTED", 400, "the request is not one that this registry understands")
    INSUFFICIENT_SCOPE = ("DENIED", 401, "this token does not cover that; ask for one that does")
    NOT_FOUND = ("UNSUPPORTED", 404, "there is nothing at this address")
    REQUEST_TIMEOUT = ("BLOB_UPLOAD_INVALID", 408, "the request's body came too slowly")

    UNKNOWN = ("UNKNOWN", 500, "the registry failed; its log says why, under this request's id")
    UNAVAILABLE = ("UNAVAILABLE", 503, "the registry cannot do this right now; try again shortly")
    STORAGE_FULL = ("STORAGE_FULL", 507, "the registry's storage is full; ask its administrator to free space")

    def __init__(self, wire: str, status: int, message: str) -> None:
        self.wire = wire
        self.status = status
        self.message = message


SPECIFIED_CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }
)


class RegistryError(Exception):
    """What a client is told: a code, a sentence, machine-readable detail, and headers that must go with it.

    Args:    code: the row of the table.
             message: a sentence that replaces the row's own, written for the person who meets it.
             details: one error is answered for each; none means one error without detail.
             headers: such as `Range` or `Retry-After`; names in lower case.

    `beside` holds members of the document beside `errors`, where another standard wants them too (RFC 6749, 5.2).
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        *,
        details: tuple[object, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or code.message)
        self.code = code
        self.message = message or code.message
        self.details = details
        self.headers = dict(headers or {})
        self.beside: dict[str, object] = {}

    def body(self) -> dict[str, object]:
        """Give the answer's JSON document (distribution-spec, "Error Codes"), and what `beside` adds to it."""
        rows: list[dict[str, object]] = [
            {"code": self.code.wire, "message": self.message, "detail": detail} for detail in self.details
        ]
        return {"errors": rows or [{"code": self.code.wire, "message": self.message}], **self.beside}
