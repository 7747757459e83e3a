"""The client of every streaming and pushing load: the wire protocol with as little work as Python allows.

Bodies go out by sendfile from a file in memory and come in through one scratch buffer that is never looked at, so
that the server and not the client is what a load measures. Every answer's status is checked.
"""

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from benchmarks.contents import MANIFEST_TYPE, Content, Small

SCRATCH = 2**20  # bytes a read asks for
PATIENCE = 600.0  # seconds without a byte
OCTETS = "application/octet-stream"


class WrongAnswer(RuntimeError):
    """A server answered with another status or length than the load needs."""


class Client:
    """One connection, kept alive. `headers` go with every small request."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._headers = dict(headers or {})
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._scratch = memoryview(bytearray(SCRATCH))

    def request(
        self, method: str, path: str, expected: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Send a small request and check the answer, whose body is read. Raises WrongAnswer."""
        given = {"content-length": str(len(body)), **(headers or {})} if method not in ("GET", "HEAD") else {}
        given |= self._headers
        self._connection.request(method, path, body or None, given)
        return self._answer(expected, f"{method} {path}")

    def get(self, path: str, size: int) -> None:
        """Read a body of exactly `size` bytes and forget it. Raises WrongAnswer."""
        self._connection.request("GET", path, headers=self._headers)
        self._read(self._connection, path, size)

    def get_redirected(self, path: str, size: int) -> None:
        """The same, where the answer has to name another server that has the bytes. Raises WrongAnswer."""
        address = urlsplit(self.request("GET", path, 307).headers["location"])
        other = http.client.HTTPConnection(address.netloc, timeout=PATIENCE)
        other.request("GET", f"{address.path}?{address.query}")
        self._read(other, address.path, size)
        other.close()

    def _read(self, connection: http.client.HTTPConnection, path: str, size: int) -> None:
        response = connection.getresponse()
        received = 0
        while count := response.readinto(self._scratch):
            received += count
        if (response.status, received) != (200, size):
            raise WrongAnswer(f"GET {path}: status {response.status}, {received} bytes for {size}")

    def has_blob(self, repository: str, digest: str) -> bool:
        """HEAD, as every client asks before it pushes."""
        self._connection.request("HEAD", f"/v2/{repository}/blobs/{digest}", headers=self._headers)
        response = self._connection.getresponse()
        response.read()
        if response.status not in (200, 404):
            raise WrongAnswer(f"HEAD of a blob: status {response.status}")
        return response.status == 200

    def put_blob(self, repository: str, content: Content) -> None:
        """POST and one PUT with the bytes and the digest, as containerd pushes."""
        self._send("PUT", self._closing(self._open_session(repository), content.digest), content, 201)

    def patch_blob(self, repository: str, content: Content) -> None:
        """POST, one PATCH with the bytes and an empty PUT, as docker pushes."""
        self.finish(self.patch(repository, content), content)

    def patch(self, repository: str, content: Content) -> str:
        """POST and one PATCH with the bytes; give the session's address."""
        return _path(self._send("PATCH", self._open_session(repository), content, 202).headers["location"])

    def finish(self, session: str, content: Content) -> None:
        """Close a session whose bytes are all there."""
        self.request("PUT", self._closing(session, content.digest), 201)

    def push_small(self, repository: str, blob: Small) -> None:
        """HEAD, POST, PATCH and PUT of a blob that fits one packet, as docker pushes."""
        if self.has_blob(repository, blob.digest):
            return
        headers = {"content-type": OCTETS}
        answer = self.request("PATCH", self._open_session(repository), 202, blob.content, headers)
        self.request("PUT", self._closing(_path(answer.headers["location"]), blob.digest), 201)

    def put_manifest(self, repository: str, reference: str, manifest: Small) -> None:
        """PUT a manifest under a tag or digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        self.request("PUT", path, 201, manifest.content, {"content-type": MANIFEST_TYPE})

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _open_session(self, repository: str) -> str:
        return _path(self.request("POST", f"/v2/{repository}/blobs/uploads/", 202).headers["location"])

    @staticmethod
    def _closing(location: str, digest: str) -> str:
        return f"{location}{'&' if '?' in location else '?'}digest={digest}"

    def _send(self, method: str, path: str, content: Content, expected: int) -> http.client.HTTPResponse:
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        self._connection.putheader("content-length", str(content.size))
        self._connection.putheader("content-type", OCTETS)
        self._connection.endheaders()
        with content.file.open("rb") as file:
            for _ in range(content.times):
                self._connection.sock.sendfile(file, 0, content.shared)
        self._connection.sock.sendall(content.trailer)
        return self._answer(expected, f"{method} {path}")

    def _answer(self, expected: int, what: str) -> http.client.HTTPResponse:
        response = self._connection.getresponse()
        said = response.read()
        if response.status != expected:
            raise WrongAnswer(f"{what}: status {response.status} for {expected}: {said[:500].decode(errors='replace')}")
        return response


def _path(location: str) -> str:
    """A Location as a request target, whether it came absolute or relative."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
