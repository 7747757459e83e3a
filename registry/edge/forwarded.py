"""Behind reverse proxies that the settings name: who the client really is, and by which address it came.

X-Forwarded-For, -Proto and -Host count only where the connection comes from a trusted proxy; of the chain of
addresses the last one that is no trusted proxy is the client. From anybody else these headers are ignored.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network

LONGEST_CHAIN = 20


class Forwarded:
    """Puts the client's address, scheme and host in the place of the proxy's.

    Args: trusted: networks of proxies, such as 10.0.0.0/8; `unix` trusts whoever connects by a unix socket.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._unix = "unix" in trusted
        self._networks = tuple(ip_network(text, strict=False) for text in trusted if text != "unix")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as it was before the proxies."""
        if scope["type"] == "http" and self._trusts(_peer(scope)):
            scope = self._rewritten(scope)
        await self._app(scope, receive, send)

    def _rewritten(self, scope: Scope) -> Scope:
        said: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name.startswith(b"x-forwarded-"):  # lines of one name are one list (RFC 9110, section 5.3)
                said[name] = f"{said[name]},{value.decode('latin-1')}" if name in said else value.decode("latin-1")
        changed = dict(scope)
        if client := self._client(said.get(b"x-forwarded-for", "")):
            changed["client"] = (client, 0)
        if (scheme := said.get(b"x-forwarded-proto", "").strip().lower()) in ("http", "https"):
            changed["scheme"] = scheme
        if host := said.get(b"x-forwarded-host", "").strip():
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            changed["headers"] = [*others, (b"host", host.encode("latin-1"))]
        return changed

    def _client(self, chain: str) -> str | None:
        """Give the last address of the chain that is no trusted proxy; None where something else stands there first."""
        addresses = [part.strip() for part in chain.split(",")][-LONGEST_CHAIN:]
        for address in reversed(addresses):
            try:
                parsed = ip_address(address.partition("%")[0])  # a zone may be any text, and is no part of an address
            except ValueError:
                return None
            if not self._trusts(str(parsed)):
                return str(parsed)
        return addresses[0].partition("%")[0] if chain else None

    def _trusts(self, peer: str | None) -> bool:
        if peer is None:
            return self._unix
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return str(client[0]) if client and client[0] else None
