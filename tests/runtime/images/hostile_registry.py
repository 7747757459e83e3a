"""A registry that lies: a real server on loopback that holds one good image, of which each test spoils something.

It answers from a table of paths; a value is the bytes of a whole answer, or a function that has the socket and may do
anything with it. Every request is kept with its headers, so that a test can say who was shown a credential.
"""

from __future__ import annotations

import gzip
import io
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.parts.images import CONFIG, LAYER, MANIFEST, digest_of, image_config, tar_of

REPOSITORY = "team/app"
TAG = "1"
PLACE = f"/v2/{REPOSITORY}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


Act = Callable[[socket.socket, Request], None]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of an answer; `content_length` and other names are written with dashes."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    named.setdefault("Content-Length", str(len(body)))
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def document(value: object, status: int = 200, **headers: str) -> bytes:
    """An answer of JSON."""
    return answer(status, json.dumps(value).encode(), content_type="application/json", **headers)


@dataclass
class Contents:
    """The good image: its parts by name, so that a test can spoil one and put it back in its place."""

    layer: bytes = field(default_factory=lambda: gzip.compress(tar_of({"file": b"content" * 500}), mtime=0))
    config: bytes = b""
    manifest: bytes = b""

    def __post_init__(self) -> None:
        tar = gzip.decompress(self.layer)
        self.config = self.config or image_config([digest_of(tar)], "amd64", ["/bin/true"])
        self.manifest = self.manifest or json.dumps(self.document()).encode()

    def document(self, **changed: object) -> dict[str, object]:
        """The manifest, with fields of it changed."""
        return {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(self.config), "size": len(self.config)},
            "layers": [
                {"mediaType": f"{LAYER}+gzip", "digest": digest_of(self.layer), "size": len(self.layer)},
            ],
            **changed,
        }


class HostileRegistry:
    """The server. `table`: (method, path) to what is answered; "*" for any path."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self._over = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.contents = Contents()
        self.table: dict[tuple[str, str], bytes | Act] = {}
        self.requests: list[Request] = []
        self.serve(self.contents)
        self._threads[0].start()

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @property
    def shown(self) -> list[str]:
        """Every Authorization that it was sent, and every body of a POST."""
        found = [request.headers["authorization"] for request in self.requests if "authorization" in request.headers]
        return found + [request.body.decode() for request in self.requests if request.method == "POST" and request.body]

    def serve(self, contents: Contents) -> None:
        """Answer as a good registry does, with that image."""
        self.contents = contents
        manifest = answer(
            200,
            contents.manifest,
            content_type=MANIFEST,
            docker_content_digest=digest_of(contents.manifest),
        )
        self.table |= {
            ("GET", "/v2/"): document({}),
            ("GET", f"{PLACE}/manifests/{TAG}"): manifest,
            ("GET", f"{PLACE}/manifests/{digest_of(contents.manifest)}"): manifest,
        }
        for blob in (contents.config, contents.layer):
            self.blob(digest_of(blob), answer(200, blob))

    def blob(self, digest: str, answered: bytes | Act) -> None:
        """Answer a blob's GET; its HEAD says that it is there."""
        self.table["GET", f"{PLACE}/blobs/{digest}"] = answered

    def manifest(self, content: bytes, media_type: str = MANIFEST, **headers: str) -> None:
        """Answer the tag with that manifest."""
        self.table["GET", f"{PLACE}/manifests/{TAG}"] = answer(200, content, content_type=media_type, **headers)

    def lock(self, realm: str) -> None:
        """Want a token of a realm for everything but the realm's own path."""
        challenge = f'Bearer realm="{realm}",service="hostile"'
        refusal = document({"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}, 401, www_authenticate=challenge)
        self.table["GET", "/v2/"] = refusal
        for key, opened in list(self.table.items()):
            if key[1].startswith(PLACE):
                self.table[key] = _locked(refusal, opened)

    def stop(self) -> None:
        """End every connection and thread."""
        self._over.set()
        for connection in (self._listening, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.add(connection)
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            with connection, connection.makefile("rb") as file:
                while (request := _read(file)) is not None:
                    self.requests.append(request)
                    found = self.table.get((request.method, request.path)) or self.table.get((request.method, "*"))
                    if found is None:
                        found = document({"errors": [{"code": "BLOB_UNKNOWN", "message": "none"}]}, 404)
                    if isinstance(found, bytes):
                        connection.sendall(
                            found if request.method != "HEAD" else found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                        )
                    else:
                        found(connection, request)
                        return


def _locked(refusal: bytes, opened: bytes | Act) -> Act:
    def act(connection: socket.socket, request: Request) -> None:
        if "authorization" not in request.headers:
            connection.sendall(refusal.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        elif isinstance(opened, bytes):
            connection.sendall(opened.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        else:
            opened(connection, request)

    return act


def _read(file: io.BufferedReader) -> Request | None:
    """Read a request; None at the end, or where it is none."""
    if file.peek(1)[:1] == b"\x16":
        return None  # a TLS client, which is to find out quickly that this is none of its servers
    words = file.readline(65536).decode("latin-1").split()
    if len(words) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := file.readline(65536).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = b""
    if (length := headers.get("content-length", "0")).isdecimal() and int(length):
        body = file.read(int(length))
    return Request(words[0], words[1], headers, body)


@contextmanager
def hostile_registry(tls: ssl.SSLContext | None = None) -> Iterator[HostileRegistry]:
    """A server that is stopped at the end."""
    server = HostileRegistry(tls)
    try:
        yield server
    finally:
        server.stop()


def endless(piece: bytes, head: bytes = b"", pause: float = 0.0) -> Act:
    """Send a head, then a piece again and again until the other side has gone; with a pause before each."""

    def act(connection: socket.socket, _: Request) -> None:
        connection.sendall(head)
        wait = threading.Event()
        for _piece in range(10**6):
            wait.wait(pause)
            connection.sendall(piece)

    return act
