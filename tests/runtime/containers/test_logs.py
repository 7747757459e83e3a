"""Logs in CRI's format: whole or the last lines, by stream and time, as they grow and across rotation."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.containers.streams import logs
from runtime.containers.streams.inotify import Watch
from runtime.containers.streams.logs import Entry, LogReader, Selection
from runtime.containers.streams.wires import STDERR, STDOUT
from runtime.moments import parse_rfc3339, rfc3339

T0 = parse_rfc3339("2026-01-02T03:04:05.000000006Z")
ALL = Selection()


def line(second: int, text: str, stream: str = "stdout", tag: str = "F") -> bytes:
    moment = rfc3339(T0 + second * 10**9).replace("Z", "+00:00")
    return f"{moment} {stream} {tag} {text}\n".encode()


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def whole(reader: LogReader) -> bytes:
    found = b""
    while entries := reader.read():
        found += b"".join(entry.data for entry in entries)
    return found


def test_an_entry_is_what_the_container_wrote() -> None:
    entry = logs.parse(line(0, "a  b ", "stderr")[:-1])
    assert entry == Entry(b"2026-01-02T03:04:05.000000006+00:00", STDERR, b"a  b \n", True)
    assert entry.nanoseconds() == T0


def test_a_piece_of_a_line_has_no_end() -> None:
    entry = logs.parse(line(0, "half", tag="P")[:-1])
    assert entry is not None
    assert (entry.data, entry.ends) == (b"half", False)


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"2026-01-02T03:04:05Z stdout", b"2026-01-02T03:04:05Z stdin F x", b"t stdout Q x", b"t stdout F"],
)
def test_what_is_no_entry_is_left_out(text: bytes) -> None:
    assert logs.parse(text) is None


def test_streams_and_times_are_chosen(tmp_path: Path) -> None:
    log = write(tmp_path / "log", *(line(n, f"{n}", ("stdout", "stderr")[n % 2]) for n in range(8)))
    chosen = Selection(streams=frozenset({STDOUT}), since=T0 + 2 * 10**9, until=T0 + 5 * 10**9)
    assert whole(LogReader(log, chosen)) == b"2\n4\n"


def test_reading_ends_at_until(tmp_path: Path) -> None:
    log = write(tmp_path / "log", line(0, "in"), line(9, "out"))
    reader = LogReader(log, Selection(until=T0))
    assert whole(reader) == b"in\n"
    assert reader.finished


@pytest.mark.parametrize(
    ("tail", "text"),
    [
        (0, b""),
        (1, b"last"),
        (2, b"one long line\nlast"),
        (3, b"a\none long line\nlast"),
        (9, b"a\none long line\nlast"),
    ],
)
def test_the_last_lines_are_the_container_s_lines(tmp_path: Path, tail: int, text: bytes) -> None:
    log = write(
        tmp_path / "log",
        line(0, "a"),
        line(1, "one ", tag="P"),
        line(1, "long ", tag="P"),
        line(1, "line"),
        line(2, "last", tag="P"),
    )
    assert whole(LogReader(log, Selection(tail=tail))) == text


@given(st.lists(st.integers(0, 200_000), max_size=12), st.integers(0, 14))
def test_tail_is_the_end_of_the_whole(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], tail: int) -> None:
    lines = [line(number, "x" * size) for number, size in enumerate(sizes)]
    log = write(tmp_path_factory.mktemp("log") / "log", *lines)
    expected = b"".join(b"x" * size + b"\n" for size in (sizes[-tail:] if tail else []))
    assert whole(LogReader(log, Selection(tail=tail))) == expected


def test_a_log_is_read_as_it_grows(tmp_path: Path) -> None:
    log = write(tmp_path / "log", line(0, "first"), line(1, "cut")[:20])
    reader = LogReader(log, ALL)
    assert whole(reader) == b"first\n"
    with log.open("ab") as file:
        file.write(line(1, "cut")[20:] + line(2, "more"))
    assert whole(reader) == b"cut\nmore\n"


def test_a_log_that_is_not_there_yet_is_read_once_it_is(tmp_path: Path) -> None:
    reader = LogReader(tmp_path / "log", Selection(tail=0))
    assert whole(reader) == b""
    write(tmp_path / "log", line(0, "now"))
    assert whole(reader) == b"now\n"


def test_reading_goes_on_across_rotation(tmp_path: Path) -> None:
    log = write(tmp_path / "log", line(0, "old"))
    reader = LogReader(log, ALL)
    assert whole(reader) == b"old\n"
    with log.open("ab") as file:
        file.write(line(1, "last of the old"))
        write(tmp_path / "log.tmp", line(2, "new")).rename(log)
    assert whole(reader) == b"last of the old\nnew\n"


def test_a_link_in_a_log_s_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(write(tmp_path / "other", line(0, "secret")))
    with pytest.raises(OSError, match="symbolic links"):
        LogReader(tmp_path / "log", ALL).read()


def test_times_are_shown_in_utc() -> None:
    entry = logs.parse(b"2026-01-02T05:04:05.000000006+02:00 stdout F x")
    assert entry is not None
    assert logs.shown(entry, times=True) == b"2026-01-02T03:04:05.000000006Z x\n"
    assert logs.shown(entry, b" ", times=False) == b" x\n"
    assert logs.shown(Entry(b"sometime", STDOUT, b"y", True), times=True) == b"sometime y"


def test_a_watch_tells_of_changes(tmp_path: Path) -> None:
    import select

    watch = Watch(tmp_path)
    try:
        assert select.select([watch], [], [], 0)[0] == []
        write(tmp_path / "log", b"x")
        assert select.select([watch], [], [], 30)[0] == [watch]
        watch.clear()
        assert select.select([watch], [], [], 0)[0] == []
    finally:
        watch.close()


def test_a_directory_that_is_not_there_is_not_watched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Watch(tmp_path / "nowhere")
