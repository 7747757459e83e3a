"""What is answered to bytes that are not a request: a whole HTTP/1.1 answer in OCI JSON, made without any framework.

Such a connection is closed afterwards, for nobody knows where its next request would begin (RFC 9112, section 9.6).
"""

from http import HTTPStatus

import orjson

from registry.oci.errors import ErrorCode, RegistryError


def refusal(code: ErrorCode, message: str | None = None) -> bytes:
    """Give the bytes of an answer that ends its connection."""
    body = orjson.dumps(RegistryError(code, message).body())
    head = (
        f"HTTP/1.1 {code.status} {HTTPStatus(code.status).phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
