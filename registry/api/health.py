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

    def __init__(self, catalog: Catalog, stores: Mapping[str, BlobStore], lane: Lane, *, writes: str) -> None:
        """Look at a catalog and at all stores; `writes` is the one that has to take bytes."""
        self._catalog = catalog
        self._stores = stores
        self._lane = lane
        self._writes = writes
        self._checked = -REMEMBERED
        self._problems: dict[str, str] = {}
        self._status = "ready"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one probe."""
        draining: Callable[[], bool] | None = scope.get("state", {}).get("draining")
        answer = await self._answer(scope["path"], draining is not None and draining())
        await answer(scope, receive, send)

    async def _answer(self, path: str, draining: bool) -> Response:
        if path == "/livez":
            return _answer(200, {"status": "alive"})
        if draining:
            return _answer(503, {"status": "draining"})
        if time.monotonic() - self._checked > REMEMBERED:
            self._status, self._problems = await self._lane.call(self._look)
            self._checked = time.monotonic()
        return _answer(503 if self._status == "down" else 200, {"status": self._status, **self._problems})

    def _look(self) -> tuple[str, dict[str, str]]:
        """Say how things are, and name what is wrong.

        Storage that takes no bytes may still serve pulls: read-only. A former store need not take any: a full disk is
        why people move.
        """
        status, problems = "ready", {}
        for name, store in self._stores.items():
            health = store.health()
            if health.problem:
                problems[f"storage {name}"] = health.problem
                if not health.readable:
                    status = "down"
                elif name == self._writes and status != "down":
                    status = "read-only"
        try:
            with self._catalog.read() as tx:
                tx.repositories.page("", 1)
        except CatalogUnavailable as error:
            status, problems["database"] = "down", str(error)
        return status, problems


def _answer(status: int, document: dict[str, str]) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")
