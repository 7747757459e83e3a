"""Is the process alive, and can it serve? For probes; no access check, no cost worth naming.

`/livez` answers while the loop turns. `/readyz` (and `/healthz`) looks at the catalog and the storage, at most once a
second, names what is down, and is 503 while the server drains.
"""

import time
from collections.abc import Callable, Mapping

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from registry.catalog.catalog import Catalog
from registry.catalog.errors import CatalogUnavailable
from registry.edge.bridge import Lane
from storage.blobs import BlobStore

PATHS = frozenset({"/livez", "/readyz", "/healthz"})
REMEMBERED = 1.0


class Health:
    """Answers the probes."""

    def __init__(
        self, catalog: Catalog, stores: Mapping[str, BlobStore], lane: Lane, draining: Callable[[], bool]
    ) -> None:
        self._catalog = catalog
        self._stores = stores
        self._lane = lane
        self._draining = draining
        self._checked = -REMEMBERED
        self._problems: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one probe."""
        await (await self._answer(scope["path"]))(scope, receive, send)

    async def _answer(self, path: str) -> Response:
        if path == "/livez":
            return _answer(200, {"status": "alive"})
        if self._draining():
            return _answer(503, {"status": "draining"})
        if time.monotonic() - self._checked > REMEMBERED:
            self._problems = await self._lane.call(self._look)
            self._checked = time.monotonic()
        serving = "database" not in self._problems
        state = "ready" if not self._problems else "degraded" if serving else "down"
        return _answer(200 if serving else 503, {"status": state, **self._problems})

    def _look(self) -> dict[str, str]:
        """Name what is down. Storage that takes no more bytes still serves pulls, so it is told and not fatal."""
        problems: dict[str, str] = {}
        try:
            with self._catalog.read() as tx:
                tx.repositories.page("", 1)
        except CatalogUnavailable as error:
            problems["database"] = str(error)
        for name, store in self._stores.items():
            health = store.health()
            if health.problem:
                problems[f"storage {name}"] = health.problem
        return problems


def _answer(status: int, document: dict[str, str]) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")
