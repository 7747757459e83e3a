"""The lines of a pull, push, load or build as they come: bars that move on a terminal, plain lines elsewhere.

Source: moby pkg/jsonmessage (what a message's fields mean, how a bar looks); ECMA-48 for the escapes.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from runtime.cli.options import Failure
from runtime.cli.words import size

BAR = 50
NARROW = 110
"""Columns below which there is no room for a bar."""

_UP, _DOWN, _CLEAR = "\x1b[{}A", "\x1b[{}B", "\x1b[2K\r"


class Progress:
    """Shows messages on one stream; every id has a line of its own there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._lines: dict[str, int] = {}

    def show(self, messages: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Show every message; returns what came as `aux`. Raises: Failure with the message of an error among them."""
        extra: list[Any] = []
        for message in messages:
            if "error" in message or "errorDetail" in message:
                detail = message.get("errorDetail") or {}
                raise Failure(str(detail.get("message") or message.get("error")), _status(detail))
            if message.get("aux") is not None:
                extra.append(message["aux"])
            else:
                self._show(message)
        return extra

    def _show(self, message: Mapping[str, Any]) -> None:
        if "stream" in message:
            self._write(str(message["stream"]))
            return
        bar = self._bar(message.get("progressDetail") or {})
        line = f"{message.get('status', '')} {bar}".rstrip() if bar else str(message.get("status", ""))
        identifier = message.get("id") or ""
        if identifier:
            line = f"{identifier}: {line}"
        if not self._terminal:
            if not bar:
                self._write(line + "\n")
            return
        self._place(identifier, line, lasting=not (message.get("progressDetail") or bar))

    def _place(self, identifier: str, line: str, *, lasting: bool) -> None:
        if not identifier:
            if lasting:
                self._lines.clear()  # what follows scrolls: the lines above are where they stay
            self._write(f"{_CLEAR}{line}\n")
            return
        if identifier not in self._lines:
            self._lines[identifier] = len(self._lines)
            self._write(f"{_CLEAR}{line}\n")
            return
        up = len(self._lines) - self._lines[identifier]
        self._write(f"{_UP.format(up)}{_CLEAR}{line}\r{_DOWN.format(up)}")

    def _bar(self, detail: Mapping[str, Any]) -> str:
        current, total = detail.get("current") or 0, detail.get("total") or 0
        if not current and not total:
            return ""
        if detail.get("units"):
            return f"{current}/{total} {detail['units']}" if total else f"{current} {detail['units']}"
        if total <= 0:
            return f"{size(current):>8}"
        counted = f"{size(current):>8}/{size(total)}" if current <= total else f"{size(current):>8}"
        if self._width() <= NARROW:
            return counted
        done = min(BAR, current * BAR // total)
        return f"[{'=' * done}>{' ' * (BAR - done)}] {counted}"

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            return NARROW + 1

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def quietly(messages: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Read every message and show none; as `show` otherwise."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # no path of anybody's
        return Progress(nowhere).show(messages)


def texts(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The `stream` texts among the messages."""
    for message in messages:
        if "stream" in message:
            yield str(message["stream"])


def _status(detail: Mapping[str, Any]) -> int:
    code = detail.get("code")
    return code if isinstance(code, int) and 0 < code < 256 else 1
