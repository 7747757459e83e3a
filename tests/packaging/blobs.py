"""Push one blob and look for it, over plain HTTP: enough to know that what was packaged is a registry."""

import http.client
from hashlib import sha256

REPOSITORY = "packaging/test"


def push_blob(port: int, content: bytes) -> int:
    """Push a blob in one request (end-4b); its status."""
    return _status(port, "POST", f"/v2/{REPOSITORY}/blobs/uploads/?digest={_digest(content)}", content)


def has_blob(port: int, content: bytes) -> bool:
    """Ask for it (end-2)."""
    return _status(port, "HEAD", f"/v2/{REPOSITORY}/blobs/{_digest(content)}", None) == 200


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _status(port: int, method: str, path: str, body: bytes | None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body=body)
        return connection.getresponse().status
    finally:
        connection.close()
