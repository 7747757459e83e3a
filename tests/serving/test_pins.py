"""The engines are extended by subclasses, so their minor versions are pinned; a new one wants them read again."""

import inspect
from importlib.metadata import version

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from registry.serving.http1 import PINNED

OURS = {"on_headers_complete", "on_response_complete", "on_body", "on_message_complete", "on_message_begin"}


def test_uvicorn_is_the_version_that_was_read() -> None:
    assert version("uvicorn").startswith(f"{PINNED}.")
    assert set(dir(HttpToolsProtocol)) >= OURS
    assert list(inspect.signature(RequestResponseCycle.__init__).parameters)[1:] == [
        "scope", "transport", "flow", "logger", "access_logger", "access_log", "default_headers", "message_event",
        "expect_100_continue", "keep_alive", "on_response",
    ]  # fmt: skip


def test_granian_is_the_version_that_was_read() -> None:
    pytest.importorskip("granian")
    from registry.serving.granian_engine import PINNED as GRANIAN

    assert version("granian").startswith(f"{GRANIAN}.")
