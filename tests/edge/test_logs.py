"""Log lines: both formats, both worlds (structlog and the standard library), and nothing forged."""

import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from registry.edge.logs import REQUEST_ID, Format, configure_logging, timestamp, visible


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Put the logging configuration back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_json_lines_of_both_worlds(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    token = REQUEST_ID.set("req-1")
    structlog.get_logger("a").warning("one thing", repository="team/app", size=5)
    logging.getLogger("b").error("another %s", "thing")
    logging.getLogger("b").debug("not this")
    REQUEST_ID.reset(token)
    first, second = map(orjson.loads, lines(capsys))
    assert (first["event"], first["level"], first["repository"], first["size"]) == (
        "one thing",
        "warning",
        "team/app",
        5,
    )
    assert (second["event"], second["level"], second["logger"]) == ("another thing", "error", "b")
    assert first["request_id"] == second["request_id"] == "req-1"


def test_text_lines_of_both_worlds(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text", "info")
    structlog.get_logger("a").info("one thing", repository="team/app", note="two words")
    logging.getLogger("b").info("another")
    first, second = lines(capsys)
    assert ' info    one thing repository=team/app note="two words" logger=a' in first
    assert " info    another logger=b" in second


@pytest.mark.parametrize("format", ["json", "text"])
def test_an_exception_keeps_its_trace(format: Format, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(format, "info")
    try:
        raise ValueError("broken")
    except ValueError as error:
        structlog.get_logger("a").error("failed", exc_info=error)
    assert "ValueError: broken" in "\n".join(lines(capsys))


@pytest.mark.parametrize("format", ["json", "text"])
def test_values_cannot_forge_a_line(format: Format, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(format, "info")
    structlog.get_logger("a").info("seen", name="x\n2026 info forged\x1b[2J\x9b\x7f")
    logging.getLogger("b").info("message\nforged")
    written = lines(capsys)
    assert len(written) == 2
    assert all(line.isprintable() for line in written)


def test_a_lower_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "error")
    structlog.get_logger("a").warning("no")
    logging.getLogger("b").warning("no")
    assert lines(capsys) == []


def test_times_are_rfc_3339() -> None:
    assert timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1.9996) == "1970-01-01T00:00:01.999Z"


@pytest.mark.parametrize(("text", "shown"), [("a b", "a b"), ("a\nb", "a\\nb"), ("\x1b", "\\x1b"), ("é", "é")])
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
