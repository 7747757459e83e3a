"""The steps that tests of drivers are made of."""

import uuid
from collections.abc import Callable

from storage.digest import Digest
from storage.driver import Driver, Writer

BLOCK = 1 << 20


def new_id() -> str:
    """Return an upload id that was never used."""
    return uuid.uuid4().hex


def at(offset: int, state: bytes) -> Callable[[], tuple[int, bytes]]:
    """Say where a checkpoint was, when asked."""
    return lambda: (offset, state)


def publish(driver: Driver, data: bytes) -> str:
    """Upload bytes in one go and return their key."""
    writer = driver.begin(new_id())
    writer.write(memoryview(data))
    key = writer.commit(Digest.of(data))
    writer.abort()
    return key


def whole(driver: Driver, key: str) -> bytes:
    """Read everything under a key."""
    return b"".join(driver.read(key, 0, None))


def suspend(writer: Writer) -> bytes:
    """Make a checkpoint and release the upload."""
    state = writer.checkpoint()
    writer.close()
    return state


def suspended(driver: Driver, upload_id: str, data: bytes) -> bytes:
    """Begin an upload, write, suspend, and return the state."""
    writer = driver.begin(upload_id)
    writer.write(memoryview(data))
    return suspend(writer)


def committed(
    driver: Driver,
    upload_id: str,
    data: bytes,
    state: bytes,
    algorithm: str = "sha256",
    offset: int | None = None,
) -> str:
    """Resume an upload, commit it, and crash before the abort; return the key."""
    start = len(data) if offset is None else offset
    writer = driver.resume(upload_id, at(start, state))
    if data[start:]:
        writer.write(memoryview(data)[start:])
    key = writer.commit(Digest.of(data, algorithm))
    writer.close()
    return key
