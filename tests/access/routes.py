"""Every endpoint with every method, as a request that succeeds for whoever may send it, and what is answered then.

A row is found by its pattern in the endpoint table, so that a route without cells is noticed.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from registry.api import endpoints
from tests.access.world import PUBLIC
from tests.spec.contents import EMPTY, OCI_INDEX, digest_of, image, index, written
from tests.spec.registry import Registry

LAYER = b"a layer that every repository of the matrix holds"
SPARE = b"a blob that no manifest names"
TAG = "latest"
MANIFEST = written(image(EMPTY, LAYER, annotations={"org.opencontainers.image.title": "matrix"}))
DOOMED = written(index(annotations={"what": "a manifest that comes and goes"}))
NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, but for who sends it."""

    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One route with one method.

    Args: needs: the letter of the right, "" for routes of no repository; make: from a repository and a session's id;
          here, absent: status and code of the answer to who may, where the repository is and where it is not;
          undone: the request takes something away.
    """

    id: str
    method: str
    pattern: str
    needs: str
    make: Callable[[str, str], Request]
    here: tuple[int, str | None]
    absent: tuple[int, str | None] = (0, None)
    query: str | None = None
    undone: bool = False

    @property
    def key(self) -> tuple[str, str, str, str | None]:
        """What names a row of the endpoint table with one of its methods."""
        return (self.id, self.method, self.pattern, self.query)


def table_keys() -> set[tuple[str, str, str, str | None]]:
    """Give the keys of everything in the endpoint table."""
    return {(row.id, method, row.pattern, row.query) for row in endpoints.ENDPOINTS for method in row.methods}


def stock(admin: Registry, name: str) -> None:
    """Bring a repository (back) to what the rows expect."""
    for blob in (EMPTY, LAYER, SPARE):
        admin.push_blob(name, blob)
    admin.put_manifest(name, TAG, MANIFEST).expect(201)
    admin.put_manifest(name, "doomed", DOOMED, OCI_INDEX).expect(201)


def _at(method: str, path: str, body: bytes = b"", **headers: str) -> Callable[[str, str], Request]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda name, session: Request(method, path.format(name=name, session=session), body, named)


def _fresh_blob(name: str, session: str) -> Request:
    content = b"blob %d" % next(NUMBERS)
    return Request("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(content)}", content)


def _closing(name: str, session: str) -> Request:
    content = b"closed %d" % next(NUMBERS)
    return Request("PUT", f"/v2/{name}/blobs/uploads/{session}?digest={digest_of(content)}", content)


def no_session() -> str:
    """Give the id of a session that there is not."""
    return str(uuid.uuid4())


_D = digest_of
_BLOB, _MANIFEST, _NAME = (404, "BLOB_UNKNOWN"), (404, "MANIFEST_UNKNOWN"), (404, "NAME_UNKNOWN")
_SESSION = (404, "BLOB_UPLOAD_UNKNOWN")
_UPLOADS = "/v2/{name}/blobs/uploads/"
_UPLOAD = _UPLOADS + "{session}"
_TYPE = {"content_type": OCI_INDEX}


def _reads(
    id: str, pattern: str, path: str, here: tuple[int, str | None], absent: tuple[int, str | None], needs: str = "p"
) -> list[Row]:
    return [Row(id, method, pattern, needs, _at(method, path), here, absent) for method in ("GET", "HEAD")]


ROWS = (
    *_reads("end-1", endpoints.PING, "/v2/", (200, None), (0, None), ""),
    *_reads("end-2", endpoints.BLOB, f"/v2/{{name}}/blobs/{_D(LAYER)}", (200, None), _BLOB),
    *_reads("end-3", endpoints.TAGGED, f"/v2/{{name}}/manifests/{TAG}", (200, None), _MANIFEST),
    *_reads("end-3", endpoints.DIGESTED, f"/v2/{{name}}/manifests/{_D(MANIFEST)}", (200, None), _MANIFEST),
    *_reads("end-8", endpoints.TAGS, "/v2/{name}/tags/list", (200, None), _NAME),
    *_reads("end-12", endpoints.REFERRERS, f"/v2/{{name}}/referrers/{_D(MANIFEST)}", (200, None), (200, None)),
    *_reads("end-13", endpoints.UPLOAD, _UPLOAD, (204, None), _SESSION, "w"),
    Row("end-11", "POST", endpoints.UPLOADS, "w", _at("POST", f"{_UPLOADS}?mount={_D(LAYER)}&from={PUBLIC}"),
        (201, None), (201, None), "mount"),
    Row("end-4b", "POST", endpoints.UPLOADS, "w", _fresh_blob, (201, None), (201, None), "digest"),
    Row("end-4c", "POST", endpoints.UPLOADS, "w", _at("POST", f"{_UPLOADS}?digest-algorithm=sha512"),
        (202, None), (202, None), "digest-algorithm"),
    Row("end-4a", "POST", endpoints.UPLOADS, "w", _at("POST", _UPLOADS), (202, None), (202, None)),
    Row("end-5", "PATCH", endpoints.UPLOAD, "w", _at("PATCH", _UPLOAD, b"some bytes"), (202, None), _SESSION),
    Row("end-6", "PUT", endpoints.UPLOAD, "w", _closing, (201, None), _SESSION),
    Row("end-14", "DELETE", endpoints.UPLOAD, "w", _at("DELETE", _UPLOAD), (204, None), _SESSION),
    Row("end-7a", "PUT", endpoints.TAGGED, "w", _at("PUT", "/v2/{name}/manifests/pushed", DOOMED, **_TYPE),
        (201, None), (201, None)),
    Row("end-7b", "PUT", endpoints.DIGESTED, "w", _at("PUT", f"/v2/{{name}}/manifests/{_D(DOOMED)}", DOOMED, **_TYPE),
        (201, None), (201, None)),
    Row("end-9", "DELETE", endpoints.TAGGED, "d", _at("DELETE", "/v2/{name}/manifests/doomed"),
        (202, None), _MANIFEST, undone=True),
    Row("end-9", "DELETE", endpoints.DIGESTED, "d", _at("DELETE", f"/v2/{{name}}/manifests/{_D(DOOMED)}"),
        (202, None), _MANIFEST, undone=True),
    Row("end-10", "DELETE", endpoints.BLOB, "d", _at("DELETE", f"/v2/{{name}}/blobs/{_D(SPARE)}"),
        (202, None), _BLOB, undone=True),
    *_reads("_catalog", endpoints.CATALOG, "/v2/_catalog?n=1000", (200, None), (0, None), ""),
    *_reads("token", endpoints.TOKEN, "/token?service=moorage", (200, None), (0, None), ""),
    Row("token", "POST", endpoints.TOKEN, "", _at("POST", "/token", b"{}", content_type="application/json"),
        (400, "UNSUPPORTED")),
    *_reads("jwks", endpoints.JWKS, "/.well-known/jwks.json", (200, None), (0, None), ""),
    *_reads("search-ping", endpoints.SEARCH_PING, "/v1/_ping", (200, None), (0, None), ""),
    *_reads("search", endpoints.SEARCH, "/v1/search?n=100", (200, None), (0, None), ""),
)  # fmt: skip
