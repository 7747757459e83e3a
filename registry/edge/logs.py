"""How log lines look: structlog over the standard library, JSON for machines or text for people, on standard error.

Values that clients control are escaped, so that nobody can forge a line or send control characters to a terminal. The
request's id is in every line that is written while a request is answered, in threads too.
"""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Literal

import orjson
import structlog

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

Format = Literal["text", "json"]
Sink = Callable[[bytes], None]

_PLAIN = re.compile(r"[A-Za-z0-9._~:/@+,%*\[\]-]+")


def configure_logging(format: Format, level: str) -> None:
    """Send structlog's and the standard library's lines to standard error, in one format, from this level on."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_time,
        _add_request_id,
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _render_json if format == "json" else _render_text,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def timestamp(now: float) -> str:
    """Write a time as RFC 3339 in UTC, to the millisecond."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"


def visible(text: str) -> str:
    """Escape what is not printable, so that the text stays on its line and cannot steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def as_text(fields: Mapping[str, object]) -> str:
    """Write fields as `key=value`, in quotes where the value holds more than harmless characters."""
    return " ".join(f"{key}={quoted(str(value))}" for key, value in fields.items())


def to_stderr(line: bytes) -> None:
    """Write one whole line at once; a log that cannot be written never fails a request."""
    try:
        os.write(2, line)
    except OSError:
        return


def quoted(value: str) -> str:
    """Write a value as it is where it is harmless, else in quotes, escaped."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + visible(value).replace('"', '\\"') + '"'


def _add_time(logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["time"] = timestamp(time.time())
    return event


def _add_request_id(logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    request_id = REQUEST_ID.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def _render_json(logger: Any, name: str, event: structlog.typing.EventDict) -> str:
    head = {"time": event.pop("time"), "level": event.pop("level"), "event": event.pop("event")}
    line = orjson.dumps({**head, **event}, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8")
    if line.isprintable():
        return line
    # JSON escapes C0 alone; DEL and C1 steer terminals too.
    return json.dumps(orjson.loads(line)).replace("\x7f", "\\u007f")


def _render_text(logger: Any, name: str, event: structlog.typing.EventDict) -> str:
    trace = event.pop("exception", None)
    head = f"{event.pop('time')} {event.pop('level'):7} {visible(str(event.pop('event')))}"
    line = f"{head} {as_text(event)}".rstrip()
    return f"{line}\n{trace}" if trace else line
