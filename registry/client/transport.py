"""HTTP with one peer at a time: connections that are kept, answers that are bounded in bytes and time.

Follows no redirect and adds no credential: `session.py` decides about both. The only place that speaks urllib3.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from registry.client.errors import Answered, ClientError, Interrupted, Unreachable, Untrusted
from registry.client.guard import ALL, Guard
from registry.client.limits import Limits
from registry.client.origins import Origin, Url

BLOCK = 2**18
KEPT = 8
"""Connections to one origin that are kept for the next request."""

_BARE = {
    401: ("UNAUTHORIZED", "authentication required"),
    403: ("DENIED", "requested access to the resource is denied"),
    429: ("TOOMANYREQUESTS", "too many requests"),
}
"""What a status without a document means, in Distribution's words."""
_FAILURES = (HTTPError, http.client.HTTPException, OSError, ValueError)


class _Plain(HTTPConnection):
    """A connection whose answers' heads must be whole in time, however slowly they drip in."""

    watched: socket.socket | None = None

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself narrows it
        """Wait for the head of an answer."""
        self.watched = self.sock
        with Guard(self.sock, self.timeout or 60, ALL):
            return super().getresponse()


class _Tls(HTTPSConnection):
    """The same over TLS."""

    watched: socket.socket | None = None

    def connect(self) -> None:
        """Connect; whom to believe was decided when the context was made, and no warning changes it."""
        super().connect()
        self.is_verified = True

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        """Wait for the head of an answer."""
        self.watched = self.sock
        with Guard(self.sock, self.timeout or 60, ALL):
            return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class Answer:
    """One answer; its body is read once, by `read` or `blocks`, or not at all."""

    def __init__(self, url: Url, response: urllib3.BaseHTTPResponse, limits: Limits) -> None:
        self.url = url
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._limits = limits

    def read(self, limit: int) -> bytes:
        """Read a document of at most `limit` bytes. Raises: Untrusted where there is more; Interrupted."""
        found = bytearray()
        for block in self._read(self._limits.document, ALL, limit + 1):
            found += block
            if len(found) > limit:
                raise Untrusted(f"{self.url} answers with more than {limit} bytes")
        return bytes(found)

    def json(self, limit: int) -> Any:
        """Read a JSON document. Raises: Untrusted, Interrupted."""
        try:
            return json.loads(self.read(limit))
        except (ValueError, RecursionError):
            raise Untrusted(f"{self.url} answers with something that is not JSON") from None

    def blocks(self, size: int) -> Iterator[bytes]:
        """Read `size` bytes, as they come. Raises: Untrusted where there are more or fewer; Interrupted."""
        left = size
        for block in self._read(self._limits.window, self._limits.floor, size + 1):
            left -= len(block)
            if left < 0:
                break
            yield block
        if left:
            raise Untrusted(f"{self.url} answers with {'more' if left < 0 else 'fewer'} than {size} bytes")

    def error(self) -> Answered:
        """Read what the registry says against the request (distribution-spec, "Error Codes")."""
        code, message = _BARE.get(self.status, ("", f"unexpected status from {self.url.origin}: {self.status}"))
        try:
            problem = self.json(self._limits.document_size)["errors"][0]
            code, message = str(problem["code"]), str(problem.get("message") or problem["code"])
        except (ClientError, LookupError, TypeError, AttributeError):
            pass  # a proxy's page, or nothing: the status has to do
        return Answered(self.status, _shown(code), _shown(message))

    def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""
        if self._response.length_remaining == 0:
            self._response.drain_conn()  # an empty body has an end, too, that has to be seen
            self._response.release_conn()
        else:
            self._response.close()

    def _read(self, window: float, floor: int, limit: int) -> Iterator[bytes]:
        """Give the body in the blocks in which it comes, about `limit` bytes of it at most."""
        with ExitStack() as stack:
            guard = self._guarded(stack, window, floor)
            while limit > 0:
                try:
                    block = self._response.read1(min(BLOCK, limit), decode_content=False)
                except _FAILURES as error:
                    raise self._interrupted(guard, error) from error
                if not block:
                    if guard is not None and guard.fired:
                        raise self._interrupted(guard, None)
                    return
                limit -= len(block)
                if guard is not None:
                    guard.note(len(block))
                yield block

    def _guarded(self, stack: ExitStack, window: float, floor: int) -> Guard | None:
        connection = self._response.connection
        if not isinstance(connection, _Plain | _Tls) or connection.watched is None:
            return None  # the answer was whole with its head
        return stack.enter_context(Guard(connection.watched, window, floor))

    def _interrupted(self, guard: Guard | None, error: BaseException | None) -> Interrupted:
        slow = guard is not None and guard.fired
        return Interrupted(f"{self.url}: " + ("the registry sends too slowly" if slow else f"unexpected EOF: {error}"))


class Transport:
    """The connections of one registry's client, whomever they lead to. Close it when done."""

    def __init__(self, limits: Limits, secure: ssl.SSLContext, elsewhere: ssl.SSLContext, host: str) -> None:
        """Args: secure: how the host of the registry is trusted, and no other; elsewhere: everybody else."""
        self._limits = limits
        self._secure = secure
        self._elsewhere = elsewhere
        self._host = host
        self._pools: dict[Origin, HTTPConnectionPool] = {}
        self._lock = Lock()

    @contextmanager
    def send(
        self,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        *,
        body: bytes | Iterable[bytes] | None = None,
        patience: float = 0,
    ) -> Iterator[Answer]:
        """Make one request and lend its answer.

        Args:   patience: seconds until the answer's head is whole, where it is not `Limits.head`.
        Raises: Unreachable; Interrupted, after the connection was made.
        """
        timeout = urllib3.Timeout(connect=self._limits.connect, read=patience or self._limits.head)
        try:
            response = self._pool(url.origin).urlopen(
                method,
                url.target,
                body=body,
                headers={"User-Agent": "moorage", "Accept-Encoding": "identity", **headers},
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                timeout=timeout,
            )
        except (NewConnectionError, urllib3.exceptions.SSLError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise Unreachable(f'{method.title()} "{url}": {_reason(url, error)}') from error
        except _FAILURES as error:
            raise Interrupted(f'{method.title()} "{url}": {_reason(url, error)}') from error
        answer = Answer(url, response, self._limits)
        try:
            yield answer
        finally:
            answer.close()

    def close(self) -> None:
        """End the connections that nobody uses; what is under way goes on, and may make new ones."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, origin: Origin) -> HTTPConnectionPool:
        with self._lock:
            if origin not in self._pools:
                self._pools[origin] = self._connect(origin)
            return self._pools[origin]

    def _connect(self, origin: Origin) -> HTTPConnectionPool:
        if origin.scheme == "http":
            return _PlainPool(origin.host, origin.port, maxsize=KEPT)
        ours = str(origin).partition("//")[2] == self._host or f"{origin.host}:{origin.port}" == self._host
        tls = self._secure if ours else self._elsewhere
        return _TlsPool(origin.host, origin.port, maxsize=KEPT, ssl_context=tls)


def _shown(text: str) -> str:
    """Make a stranger's text safe to print: no control characters, no novel."""
    return "".join(character if character.isprintable() else "?" for character in text[:500])


def _reason(url: Url, error: BaseException) -> str:
    """Say in Docker's words (those of Go's net/http) why there is no answer."""
    where = f"dial tcp {str(url.origin).partition('//')[2]}: connect: "
    causes = [error, error.__cause__, error.__context__, *error.args]
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {tls.verify_message}"
    if tls is not None and tls.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return "http: server gave HTTP response to HTTPS client"
    if _among(causes, ConnectionRefusedError):
        return where + "connection refused"
    if _among(causes, socket.gaierror) or _among(causes, urllib3.exceptions.NameResolutionError):
        return f"dial tcp: lookup {url.origin.host}: no such host"
    if _among(causes, TimeoutError) or _among(causes, urllib3.exceptions.TimeoutError):
        return "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
    return f"unexpected EOF: {causes[0]}"


def _among(causes: Iterable[object], kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in causes)
