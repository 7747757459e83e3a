"""The process that unpacks one layer: it locks itself into an empty directory (chroot) and reads a tar from its input.

A program of its own, run by `unpack.py`; it and its neighbours import nothing else of ours, for its start is part of
every layer's time. tarfile is used as a parser only, and the worst that a tar can do is to fill its own directory up
to the limits. Its answer is one line: `unpacked BYTES ENTRIES`, or `refused` or `failed` and why.
"""

import errno
import os
import resource
import sys
import tarfile
import zlib  # noqa: F401  # tarfile imports it when it meets an error, and by then there is nothing to import from

from runtime.images.unpack_entries import Layer
from runtime.images.unpack_input import Header, Input, Refused

MEMORY_LIMIT = 1024 * 2**20
"""Bytes; tarfile keeps what an extended header says until it is whole."""
OPEN_FILES = 64
PROCESSOR_LIMIT = 1800
"""Seconds of processor time; 100 GB of files take about 200."""

_UNMAPPED = " (try increasing the number of subordinate IDs in /etc/subuid and /etc/subgid)"


def unpack(source: Input, layer: Layer) -> None:
    """Unpack a tar into the current root directory, and read its input to the end.

    Raises: OSError, and what nonsense raises (`TROUBLE`).
    """
    archive = tarfile.TarFile(fileobj=source, tarinfo=Header, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]  # as much of a file as tarfile uses
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # it keeps them all, for who wants to look twice
        source.seek(member.offset_data)
        layer.add(member, source)
    layer.finish()
    while source.take(2**20):
        pass


TROUBLE = (Refused, tarfile.TarError, ValueError, OverflowError, MemoryError, RecursionError)
"""What a hostile tar may raise; the machine's own trouble is OSError."""


def main() -> None:
    """Unpack standard input into a directory; arguments: directory, overlayfs's namespace, limits."""
    root, namespace, entries, size = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_LIMIT, PROCESSOR_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0)
    os.chroot(root)
    os.chdir("/")
    layer = Layer(namespace, int(entries), int(size))
    try:
        unpack(Input(0), layer)
        answer = f"unpacked {layer.size} {layer.entries}"
    except OSError as error:
        unmapped = error.errno == errno.EINVAL and namespace.startswith("user")
        answer = f"failed {error.strerror or error}{_UNMAPPED if unmapped else ''}"
    except TROUBLE as error:
        answer = f"refused {str(error) or type(error).__name__}"
    os.write(1, answer.encode("ascii", "backslashreplace"))
