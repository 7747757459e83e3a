"""The whole server in this process, and what a client does with it in one line.

The app is the one that workers serve, but for the middleware around it (tests/edge); the driver may be changed, so
that the same tests run on one that behaves like S3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from registry.app import Server, prepare
from registry.settings import Settings
from storage.driver import Driver
from storage.layout import Layout
from tests.spec.asgi import Answer, Body, Client
from tests.spec.contents import EMPTY, OCI_MANIFEST, digest_of, written


class Registry(Client):
    """A client that knows the endpoints."""

    async def send(
        self,
        method: str,
        target: str,
        body: Body = b"",
        headers: Mapping[str, str] | None = None,
        *,
        vanish: bool = False,
    ) -> Answer:
        """Send one request, and see that the answer has what every answer of the API has."""
        answer = await super().send(method, target, body, headers, vanish=vanish)
        if target.startswith("/v2/") and answer.status:
            assert answer["docker-distribution-api-version"] == "registry/2.0"
            assert answer["x-content-type-options"] == "nosniff"
        return answer

    def get(self, target: str, **headers: str) -> Answer:
        """Send GET; an underscore in a header's name stands for a dash."""
        return self.request("GET", target, headers=_named(headers))

    def head(self, target: str, **headers: str) -> Answer:
        """Send HEAD."""
        return self.request("HEAD", target, headers=_named(headers))

    def post(self, target: str, body: Body = b"", **headers: str) -> Answer:
        """Send POST."""
        return self.request("POST", target, body, _named(headers))

    def put(self, target: str, body: Body = b"", **headers: str) -> Answer:
        """Send PUT."""
        return self.request("PUT", target, body, _named(headers))

    def patch(self, target: str, body: Body = b"", **headers: str) -> Answer:
        """Send PATCH."""
        return self.request("PATCH", target, body, _named(headers))

    def delete(self, target: str) -> Answer:
        """Send DELETE."""
        return self.request("DELETE", target)

    def start(self, name: str, query: str = "") -> str:
        """Open an upload session and give its address."""
        return self.post(f"/v2/{name}/blobs/uploads/{query}").expect(202)["location"]

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob in one request and give its digest."""
        digest = digest_of(content, algorithm)
        self.post(f"/v2/{name}/blobs/uploads/?digest={digest}", content).expect(201)
        return digest

    def put_manifest(
        self, name: str, reference: str, document: object, media_type: str | None = OCI_MANIFEST, query: str = ""
    ) -> Answer:
        """Send a manifest, a document or its bytes; None sends no Content-Type."""
        content = document if isinstance(document, bytes) else written(document)
        headers = {"content-type": media_type} if media_type else {}
        return self.request("PUT", f"/v2/{name}/manifests/{reference}{query}", content, headers)

    def push(self, name: str, reference: str, document: Any, *blobs: bytes) -> bytes:
        """Push blobs, the empty one among them, and a manifest that names them; give the manifest's bytes."""
        for blob in (EMPTY, *blobs):
            self.push_blob(name, blob)
        content = document if isinstance(document, bytes) else written(document)
        media_type = None if isinstance(document, bytes) else document.get("mediaType")
        self.put_manifest(name, reference, content, media_type).expect(201)
        return content


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def running(
    directory: Path, sections: Mapping[str, Mapping[str, object]] | None = None, driver: Driver | None = None
) -> Iterator[Registry]:
    """Run a server on a data directory, made if it is missing; `driver` replaces the one for files."""
    values: dict[str, Mapping[str, object]] = {
        "auth": {"mode": "open"},
        **(sections or {}),
        "storage": {"path": directory, "reserve_bytes": 0},
    }
    settings = Settings.model_validate(values)
    Layout.open(directory, create=True)
    prepare(settings)
    with pytest.MonkeyPatch.context() as patch:
        if driver is not None:
            patch.setattr("registry.parts.driver_for", lambda _settings, _name: driver)
        server = Server(settings)
    with Registry(server) as registry:
        yield registry
