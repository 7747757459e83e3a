"""A push as a server makes it, and the sweep that follows a crash."""

from pathlib import Path

from storage.blobs import BlobStore, StoredBlob
from storage.digest import Digest

FIRST, SECOND = b"first" * 100, b"second" * 100
CONTENT = Digest.of(FIRST + SECOND)


def push(store: BlobStore, upload_id: str, rows: list[str]) -> StoredBlob:
    """Push in two chunks and a commit, as a server does; `rows` is its catalog."""
    with store.begin(upload_id) as writer:
        writer.write(FIRST)
        state = writer.checkpoint()
    with store.resume(upload_id, lambda: state) as writer:
        writer.write(SECOND)
        stored = writer.commit(CONTENT)
        rows.append(stored.key)
        writer.abort()
    return stored


def sweep(store: BlobStore, rows: list[str]) -> None:
    """Remove what uploads left, as a server does."""
    for upload_id in store.uploads():
        store.settle(upload_id, lambda key: key in rows)
        store.discard(upload_id, None)


def kept(root: Path) -> list[str]:
    """List everything that is under a key or belongs to an upload."""
    return [
        str(path.relative_to(root))
        for part in ("blobs", "uploads")
        for path in (root / part).rglob("*")
        if path.is_file()
    ]
