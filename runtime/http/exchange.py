"""One request and its answer: an ASGI scope, `receive` and `send` over h11 and a client's connection.

Offers two extensions: `moorage.hijack(status, headers) -> Duplex` gives the connection away behind a head, and
`moorage.gone()` waits until the client has left for good. Source: ASGI HTTP specification 2.4; RFC 9112.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

import h11

from runtime.http.duplex import BLOCK, Duplex

Headers = list[tuple[bytes, bytes]]

REASONS = MappingProxyType({status.value: status.phrase.encode() for status in HTTPStatus})
BODILESS = frozenset({204, 304})


class Exchange:
    """A request being answered. `begun`: its head has gone out; `over`: the connection is not HTTP's any more."""

    def __init__(self, protocol: h11.Connection, duplex: Duplex, request: h11.Request) -> None:
        self._protocol = protocol
        self._duplex = duplex
        self._request = request
        self._answer: h11.Response | None = None
        self.begun = False
        self.over = False
        self.broken: h11.RemoteProtocolError | None = None
        """What was wrong with the request's body, where something was."""

    def scope(self) -> dict[str, Any]:
        """The request as ASGI has it."""
        target = self._request.target
        if not target.startswith(b"/"):  # absolute form, as a proxy sends it
            target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
        raw_path, _, query = target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": self._request.http_version.decode(),
            "method": self._request.method.decode(),
            "scheme": "http",
            "path": unquote_to_bytes(raw_path).decode(errors="replace"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": list(self._request.headers),
            "client": None,
            "server": None,
            "extensions": {"moorage.hijack": self.hijack, "moorage.gone": self._duplex.gone},
        }

    async def receive(self) -> dict[str, Any]:
        """Give the next piece of the body; after its end, wait until the client has left."""
        if self._protocol.their_state is not h11.SEND_BODY or self.broken:
            await self._duplex.gone()
            return {"type": "http.disconnect"}
        if self._protocol.they_are_waiting_for_100_continue:
            await self._duplex.write(self._protocol.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        try:
            event = await next_event(self._protocol, self._duplex)
        except h11.RemoteProtocolError as error:
            self.broken = error
            return {"type": "http.disconnect"}
        data = bytes(event.data) if isinstance(event, h11.Data) else b""
        return {"type": "http.request", "body": data, "more_body": isinstance(event, h11.Data)}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a part of the answer, at the client's pace. Raises ConnectionError when the client is gone."""
        if message["type"] == "http.response.start":
            headers: Headers = [*message.get("headers", ()), (b"date", _date())]
            status = message["status"]
            self._answer = h11.Response(status_code=status, headers=headers, reason=REASONS.get(status, b""))
            return
        if message["type"] != "http.response.body" or self._answer is None:
            raise RuntimeError(f"{message['type']} at a wrong time")
        data = b"" if self.begun else self._protocol.send(self._answer) or b""
        self.begun = True
        body = message.get("body", b"")
        if body and self._request.method != b"HEAD" and self._answer.status_code not in BODILESS:
            data += self._protocol.send(h11.Data(data=body)) or b""
        if not message.get("more_body", False):
            data += self._protocol.send(h11.EndOfMessage()) or b""
        await self._duplex.write(data)

    async def hijack(self, status: int, headers: Headers) -> Duplex:
        """Answer with a head, and give the connection away; whoever has it closes it.

        By hand, for h11 frames what follows a 200. Raises ConnectionError when the client is gone.
        """
        while self._protocol.their_state is h11.SEND_BODY:
            if (await self.receive())["type"] == "http.disconnect":
                raise ConnectionResetError("the client's request was not whole")
        self.over = self.begun = True
        self._duplex.unread(self._protocol.trailing_data[0])
        reason = b"UPGRADED" if status == 101 else b"OK"
        lines = [b"HTTP/1.1 %d %b" % (status, reason), *(b"%b: %b" % pair for pair in headers), b"", b""]
        await self._duplex.write(b"\r\n".join(lines))
        return self._duplex


async def next_event(protocol: h11.Connection, duplex: Duplex, block: int = BLOCK) -> Any:
    """Read, at most `block` bytes at a time, until h11 has an event. Raises h11.RemoteProtocolError."""
    while (event := protocol.next_event()) is h11.NEED_DATA:
        protocol.receive_data(await duplex.read(block))
    return event


def _date() -> bytes:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode()
