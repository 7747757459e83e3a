"""What a container wrote, as its supervisor kept it: CRI's log format, one entry a line.

`2026-01-02T03:04:05.000000006+00:00 stdout F text`: F ends a line of the container's, P is a piece of one. Read at once
or as it grows; across rotation, where conmon renames a new file over the old. Knows nothing of Docker's framing.
Source: Kubernetes CRI logging; conmon's src/ctr_logging.c.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runtime.containers.streams.wires import STDERR, STDOUT
from runtime.moments import parse_rfc3339, rfc3339

BLOCK = 64 * 1024

_STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}
_TAGS = frozenset({b"F", b"P"})
_UTC = b"+00:00"
_UTC_LENGTH = len(b"2026-01-02T03:04:05.000000006+00:00")
_LINE_LIMIT = 1024 * 1024
"""conmon's lines have 8 KiB; what is longer is no log."""


class Entry(NamedTuple):
    """A piece of output: bytes as the container wrote them; `moment` in RFC 3339 as it stands in the log.

    `ends`: the container's own line ends with it. A tuple, for a log has millions of them.
    """

    moment: bytes
    stream: int
    data: bytes
    ends: bool

    def nanoseconds(self) -> int:
        """The moment, since 1970. Raises ValueError."""
        return parse_rfc3339(self.moment.decode("ascii", "replace"))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries: of these streams, from `since` to `until` (nanoseconds), of the last `tail` lines of all."""

    streams: frozenset[int] = frozenset({STDOUT, STDERR})
    since: int = 0
    until: int | None = None
    tail: int | None = None


def parse(line: bytes) -> Entry | None:
    """Read one line of a log, without its newline; None where it is no entry (a disk that was full cuts lines)."""
    parts = line.split(b" ", 3)
    if len(parts) != 4:
        return None
    moment, name, tag, text = parts
    stream = _STREAMS.get(name)
    if stream is None or tag[:1] not in _TAGS:
        return None
    ends = tag[:1] == b"F"
    return Entry(moment, stream, text + b"\n" if ends else text, ends)


class LogReader:
    """Reads one container's log, piece by piece: the first `read` opens it, each goes on where the last one ended."""

    def __init__(self, path: Path, selection: Selection) -> None:
        self._path = path
        self._selection = selection
        self._rest = b""
        self._fd = -1
        self.finished = False
        """An entry later than `until` has been met."""
        self._begun = False
        self._since, self._until = _as_logged(selection.since), _as_logged(selection.until)
        both = len(selection.streams) == len(_STREAMS)
        self._is_all = both and not selection.since and selection.until is None

    def read(self) -> list[Entry]:
        """Read on, at most a block of the log; an empty list where nothing more is there now.

        Entries of other streams and times are left out, so a block may hold none: `read` then goes on by itself.
        """
        while not self.finished:
            block = self._block()
            if not block:
                break
            entries = filter(None, map(parse, self._lines(block)))
            chosen = list(entries if self._is_all else filter(self._is_chosen, entries))
            if chosen:
                return chosen
        return []

    def close(self) -> None:
        """Close the log; harmless at any time."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _block(self) -> bytes:
        """The next bytes; of the file that took this one's place, once this one is read to its end."""
        if self._fd < 0:
            self._open()
        if not self._begun:
            self._begun = True
            if self._fd >= 0 and self._selection.tail is not None:
                os.lseek(self._fd, tail_offset(self._fd, self._selection.tail), os.SEEK_SET)
        data = os.read(self._fd, BLOCK) if self._fd >= 0 else b""
        if not data and self._replaced():
            data = os.read(self._fd, BLOCK)  # written between the first look and the renaming
            if not data:
                self.close()
                self._rest = b""
                return self._block()
        return data

    def _open(self) -> None:
        with suppress(FileNotFoundError):
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def _replaced(self) -> bool:
        if self._fd < 0:
            return False
        try:
            current = self._path.lstat()
        except FileNotFoundError:  # the container is being removed
            return False
        return not os.path.samestat(current, os.fstat(self._fd))

    def _lines(self, block: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + block).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._rest = b""
        return lines

    def _is_chosen(self, entry: Entry) -> bool:
        if self.finished or not self._is_in_time(entry):
            return False
        return entry.stream in self._selection.streams

    def _is_in_time(self, entry: Entry) -> bool:
        """Compare as text where the log has the form that conmon gives it in UTC: a log has millions of entries."""
        moment = entry.moment
        if len(moment) == _UTC_LENGTH and moment.endswith(_UTC):
            self.finished = bool(self._until) and moment > self._until
            return moment >= self._since and not self.finished
        with suppress(ValueError):
            found, until = entry.nanoseconds(), self._selection.until
            self.finished = until is not None and found > until
            return found >= self._selection.since and not self.finished
        return False


def _as_logged(moment: int | None) -> bytes:
    """A moment as conmon writes it in UTC; nothing for none."""
    return rfc3339(moment).replace("Z", "+00:00").encode() if moment else b""


def tail_offset(fd: int, lines: int) -> int:
    """Find where the last `lines` lines of the container begin in its log, reading from the end.

    A last line without its end counts as one.
    """
    size = os.fstat(fd).st_size
    wanted = lines
    at_end = True
    for offset, line in _backwards(fd, size):
        entry = parse(line)
        if entry is None:
            continue
        if entry.ends or at_end:
            wanted -= 1
        at_end = False
        if wanted < 0:
            return offset + len(line) + 1
    return 0


def _backwards(fd: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines of a file and where each begins, from the last to the first."""
    tail = b""
    position = size
    complete = False  # what follows the last newline is not written to its end yet
    while position > 0:
        start = max(position - BLOCK, 0)
        pieces = (os.pread(fd, position - start, start) + tail).split(b"\n")
        end = start + sum(map(len, pieces)) + len(pieces) - 1
        for piece in reversed(pieces[1:]):
            if complete:
                yield end - len(piece), piece
            complete = True
            end -= len(piece) + 1
        tail, position = pieces[0], start
    if complete:
        yield 0, tail


def shown(entry: Entry, details: bytes = b"", *, times: bool) -> bytes:
    """Write the beginning of a line as `docker logs` does: its time in UTC, where that is asked for, and details."""
    if not times:
        return details + entry.data
    if entry.moment.endswith(b"+00:00"):
        return entry.moment.removesuffix(b"+00:00") + b"Z " + details + entry.data
    with suppress(ValueError):
        return rfc3339(entry.nanoseconds()).encode() + b" " + details + entry.data
    return entry.moment + b" " + details + entry.data
