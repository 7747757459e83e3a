"""A terminal whose newlines were translated twice at first shows them as if once."""

import os

import pytest

from runtime.containers.streams.wires import STDOUT, Terminal


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        ([b"a\r\r\nb\r\n"], b"a\r\nb\r\n"),
        ([b"a\r", b"\r\nb"], b"a\r\nb"),
        ([b"50%\r", b"60%\r"], b"50%\r60%\r"),
        ([b"x" * 65536, b"a\r\r\n"], b"x" * 65536 + b"a\r\r\n"),
    ],
)
def test_newlines_translated_twice(pieces: list[bytes], shown: bytes) -> None:
    read, write = os.pipe()
    terminal, found = Terminal(read), b""
    for piece in pieces:
        os.write(write, piece)
        while len(piece) > 0:
            got = terminal.read()
            assert got is not None
            assert got[0] == STDOUT
            found += got[1]
            piece = piece[32 * 1024 :]
    os.close(write)
    assert terminal.read() is None
    assert found == shown
    terminal.close()
    terminal.close()
    terminal.resize(1, 1)
