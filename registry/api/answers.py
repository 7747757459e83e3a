"""Answers of the busiest endpoints: a finished head and body, sent in two messages without more ado.

Everything else is answered by Starlette's responses. Both carry the headers that every answer below /v2/ has.
"""

from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from registry.catalog.manifests import ManifestEntry
from registry.edge.problems import EVERY_ANSWER

RawHeaders = list[tuple[bytes, bytes]]

SANDBOX = "sandbox; default-src 'none'"
"""Content-Security-Policy of content: what somebody pushed never runs in a browser as ours."""

HEADS_LIMIT = 10_000


class Ready:
    """A whole answer with its headers encoded, those of every answer among them."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, headers: RawHeaders, body: bytes = b"", *, status: int = 200) -> None:
        self.headers = headers
        self.body = body
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers.copy()})
        await send({"type": "http.response.body", "body": self.body})


class ManifestHeads:
    """The encoded headers of manifests, which never change, by the manifest's id. Belongs to the event loop."""

    def __init__(self) -> None:
        self._known: dict[int, RawHeaders] = {}

    def of(self, entry: ManifestEntry) -> RawHeaders:
        """Give the headers of a manifest's 200."""
        head = self._known.get(entry.id)
        if head is None:
            if len(self._known) >= HEADS_LIMIT:
                self._known.clear()
            head = self._known[entry.id] = encoded(
                {
                    "docker-content-digest": str(entry.digest),
                    "etag": f'"{entry.digest}"',
                    "content-security-policy": SANDBOX,
                    "content-type": entry.media_type,
                    "content-length": str(entry.size),
                    **EVERY_ANSWER,
                }
            )
        return head


def encoded(headers: Mapping[str, str]) -> RawHeaders:
    """Write headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


MARKS = encoded(EVERY_ANSWER)
"""The headers of every answer, as ASGI wants them."""
