"""Addresses as people write them: HOST:PORT, with IPv6 in brackets."""

from ipaddress import ip_address

from registry.cli.common import USAGE, stop


def split_listen(text: str) -> tuple[str, int]:
    """Read HOST:PORT, with IPv6 addresses in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        stop(f"server.listen has to be HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000; got {text!r}", USAGE)
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(listen: str) -> bool:
    """Tell whether HOST:PORT is reached from this machine alone."""
    host, _ = split_listen(listen)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
