"""Small JSON files that survive a kill and a power cut: what the engine knows of images, containers and networks.

A record is written beside its name, synced, renamed over it, and its directory synced: a reader sees the old one or the
new one. Knows nothing of what the records hold.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storage import durable


def save(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record durably, readable by its owner only. Raises OSError; the old record is then still whole."""
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        durable.write_all(fd, memoryview(json.dumps(record, separators=(",", ":")).encode()))
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    durable.sync_directory(path.parent)


def load(path: Path) -> dict[str, Any]:
    """Read a record. Raises: FileNotFoundError; ValueError, with the path, where the file holds no JSON object."""
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path} is damaged: it holds no JSON object")
    return record
