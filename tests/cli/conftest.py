"""Data directories as the first start leaves them; settings come from nowhere but the test."""

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from registry.app import prepare
from registry.settings import load
from storage.layout import Layout
from tests.cli.desk import Desk, copied, without_settings
from tests.spec.conftest import fast_directory

__all__ = ["fast_directory"]


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Undo what a command does to this process's logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def first_start(fast_directory: Path) -> Path:
    """A data directory after the first start; tests work on copies."""
    place = fast_directory / uuid.uuid4().hex
    settings, _ = load(None, {"storage": {"path": place}, "auth": {"mode": "accounts"}})
    Layout.open(place, create=True)
    prepare(settings)
    return place


@pytest.fixture
def desk(first_start: Path, fast_directory: Path, monkeypatch: pytest.MonkeyPatch, logging_as_before: None) -> Desk:
    """An administrator's desk after the first start, at which `admin` is the only account."""
    without_settings(monkeypatch, list(os.environ))
    return copied(first_start, fast_directory / uuid.uuid4().hex)
