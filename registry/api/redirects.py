"""Sending clients to the store itself for a blob's bytes, where the store can give addresses (307, RFC 9110, 15.4.8).

An address is good for minutes, for whoever has it: it is given only after the access check, and may not be cached.
Whoever is on this machine, or in a network that the settings name, gets the bytes from the server.
"""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope

from registry.catalog.blobs import Blob
from registry.content.blobs import Blobs
from registry.edge.bridge import Lane


class Redirects:
    """Decides who is sent, and where. Without a `lifetime` nobody is."""

    def __init__(
        self, blobs: Blobs, lane: Lane, *, lifetime: timedelta | None = None, direct: Sequence[str] = ()
    ) -> None:
        self._blobs = blobs
        self._lane = lane
        self._lifetime = lifetime
        self._direct = tuple(ip_network(text, strict=False) for text in direct)

    async def address(self, scope: Scope, blob: Blob) -> str | None:
        """Give the address for a client to go to; None where the server has to answer."""
        if self._lifetime is None or not blob.size or self._is_direct(scope):
            return None
        return await self._lane.call(self._blobs.presigned, blob, self._lifetime)

    def _is_direct(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ip_address(client[0]) if client else None
        except ValueError:
            address = None
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return address is None or address.is_loopback or any(address in network for network in self._direct)
