"""Where a request goes: scheme, host and port; and what an answer may send us to.

URLs are read by the parser that also connects, so that no two readings of one text exist. Credentials belong to an
origin (RFC 6454): another scheme or port of the same host is another origin.
"""

import ipaddress
from dataclasses import dataclass

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from registry.client.errors import Untrusted

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, a host (without brackets) and a port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _PORTS[self.scheme] else "")

    @property
    def loopback(self) -> bool:
        """Tell whether the host is this machine, by its name or address alone."""
        return is_loopback(self.host)

    @property
    def inward(self) -> bool:
        """Tell whether the host is an address that means something else on every machine: loopback or link-local."""
        address = _address(self.host)
        return self.loopback or (address is not None and (address.is_link_local or address.is_unspecified))


@dataclass(frozen=True, slots=True)
class Url:
    """An address: its origin, and the path with its query, which begins with a slash."""

    origin: Origin
    target: str

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def is_loopback(host: str) -> bool:
    """Tell whether a host without a port is this machine."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def origin_of(scheme: str, authority: str) -> Origin:
    """Read host[:port], as image references have it. Raises Untrusted."""
    url = parse(f"{scheme}://{authority}/")
    if url.target != "/" or "#" in authority:
        raise Untrusted(f"{authority[:100]!a} is no host of a registry")
    return url.origin


def parse(text: str, base: Url | None = None) -> Url:
    """Read a URL; a path without a host is one of `base`.

    Raises: Untrusted for every other form: another scheme, a user in it, characters that no URL holds.
    """
    if not text.isascii() or not text.isprintable() or any(character in text for character in ' \\"<>^`{|}'):
        raise Untrusted(f"the registry gave an address that is none: {text[:100]!a}")
    if base is not None and text.startswith("/") and not text.startswith("//"):
        return Url(base.origin, text.partition("#")[0])
    try:
        parts = parse_url(text)
    except LocationParseError:
        raise Untrusted(f"the registry gave an address that is none: {text[:100]!a}") from None
    if parts.scheme not in _PORTS or not parts.host or parts.auth is not None:
        raise Untrusted(f"the registry gave an address that is not followed: {text[:100]!a}")
    host = parts.host.strip("[]")
    return Url(Origin(parts.scheme, host, parts.port or _PORTS[parts.scheme]), parts.request_uri)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
