"""How many requests a worker answers at once. Beyond that it says 503 and when to come back, instead of falling over.

It counts requests, not connections: an idle connection costs nothing here. Probes of health are always let through.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from registry.edge.problems import problem_response
from registry.oci.errors import ErrorCode, RegistryError

RETRY_AFTER = "2"


class InFlight:
    """Lets `limit` requests through at a time.

    Args: exempt: paths that are always answered.
    """

    def __init__(self, app: ASGIApp, *, limit: int, exempt: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or turn it away."""
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        if self._now >= self._limit:
            await _turned_away(self._limit)(scope, receive, send)
            return
        self._now += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._now -= 1


def _turned_away(limit: int) -> ASGIApp:
    return problem_response(
        RegistryError(
            ErrorCode.UNAVAILABLE,
            f"the registry is answering {limit} requests already; try again in {RETRY_AFTER} seconds",
            headers={"retry-after": RETRY_AFTER},
        )
    )
