"""The keys that let go of a container's terminal without ending what runs in it: ctrl-p ctrl-q, or what the user chose.

Source: docker attach, `--detach-keys`. Knows nothing of sockets: bytes come in, bytes go on.
"""

import re

from runtime.errors import BadParameter

USUAL = b"\x10\x11"

_KEY = re.compile(r"[a-zA-Z]|ctrl-([a-z@\[\\\]^_])", re.ASCII)


def parse(text: str) -> bytes:
    """Read keys, `a` or `ctrl-a`, with commas between; nothing means the usual ones. Raises: BadParameter."""
    return b"".join(_key(name, text) for name in text.split(",")) if text else USUAL


def _key(name: str, text: str) -> bytes:
    match = _KEY.fullmatch(name)
    if match is None:
        raise BadParameter(f"Invalid detach keys ({text}) provided")
    return bytes([ord(match[1].upper()) - 64]) if match[1] else name.encode()


class DetachKeys:
    """Looks for the keys in what a client types; holds back what may be their beginning."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def take(self, typed: bytes) -> tuple[bytes, bool]:
        """Return what goes on to the container, and whether the keys were pressed."""
        data = self._held + typed
        found = data.find(self._keys)
        if found >= 0:
            self._held = b""
            return data[:found], True
        held = next(n for n in range(min(len(self._keys) - 1, len(data)), -1, -1) if data.endswith(self._keys[:n]))
        self._held = data[len(data) - held :]
        return data[: len(data) - held], False

    def rest(self) -> bytes:
        """What was held back, once nothing more is typed."""
        held, self._held = self._held, b""
        return held
