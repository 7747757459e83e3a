"""Port options: `-p [ip:][hostPort:]containerPort[/proto]` with ranges, and `--expose`. Pure.

Source: docker/go-connections nat/nat.go and nat/parse.go for the form and the sentences.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.cli.creation.values import is_address, pairs
from runtime.cli.options import Failure

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
LAST = 65535


@dataclass(frozen=True, slots=True)
class Published:
    """One port of the container, `80/tcp`, and where on the host: address and port, "" for any."""

    port: str
    address: str
    host_port: str


def published(texts: Iterable[str]) -> list[Published]:
    """Every port that `-p` options name. Raises: Failure with Docker's sentences."""
    return [one for text in texts for one in _published(_short(text))]


def exposed(texts: Iterable[str]) -> list[str]:
    """Every port that `--expose` options name, as `80/tcp`. Raises: Failure."""
    found = []
    for text in texts:
        ports, _, protocol = text.partition("/")
        if ":" in text:
            raise Failure(f"invalid port format for --expose: {text}", 125)
        first, last = _range(ports, f"invalid range format for --expose: {text}")
        found += [f"{port}/{_protocol(protocol)}" for port in range(first, last + 1)]
    return found


def _short(text: str) -> str:
    """The long form, `target=80,published=8080,protocol=tcp`, in the short one."""
    if "=" not in text:
        return text
    given = {"protocol": "tcp"} | pairs(text.split(","))
    if wrong := next((part for part in text.split(",") if "=" not in part), ""):
        raise Failure(f"invalid publish opts format (should be name=value but got '{wrong}')", 125)
    return f"{given.get('published', '')}:{given.get('target', '')}/{given['protocol']}"


def _published(text: str) -> list[Published]:
    rest, _, protocol = text.partition("/")
    protocol = _protocol(protocol)
    front, _, inside = rest.rpartition(":")
    address, host = _front(front)
    if not inside:
        raise Failure(f"no port specified: {text}<empty>", 125)
    if address and not is_address(address):
        raise Failure(f"invalid IP address: {address}", 125)
    first, last = _range(inside, f"invalid containerPort: {inside}")
    if not host:
        return [Published(f"{port}/{protocol}", address, "") for port in range(first, last + 1)]
    host_first, host_last = _range(host, f"invalid hostPort: {host}")
    if host_last - host_first != last - first:
        if first != last:
            raise Failure(f"invalid ranges specified for container and host Ports: {inside} and {host}", 125)
        return [Published(f"{first}/{protocol}", address, f"{host_first}-{host_last}")]
    return [Published(f"{first + i}/{protocol}", address, str(host_first + i)) for i in range(last - first + 1)]


def _front(text: str) -> tuple[str, str]:
    """Address and host port of what stands before the container's port."""
    if text.startswith("["):
        address, _, host = text[1:].partition("]")
        return address, host.removeprefix(":")
    address, colon, host = text.rpartition(":")
    return (address, host) if colon else ("", text)


def _range(text: str, problem: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise Failure(problem, 125)
    first, last = int(match[1]), int(match[2] or match[1])
    if not 0 <= first <= last <= LAST:
        raise Failure(problem, 125)
    return first, last


def _protocol(text: str) -> str:
    protocol = text.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise Failure(f"invalid proto: {text}", 125)
    return protocol
