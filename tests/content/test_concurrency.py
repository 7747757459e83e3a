"""Pushes, deletes and mounts of the same few things at once: nobody fails, and what is left agrees with itself.

On SQLite writers queue, so this is quick and proves little; on PostgreSQL they run side by side.
"""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from registry.catalog.catalog import Catalog
from registry.oci.errors import ErrorCode, RegistryError
from registry.oci.names import RepositoryName, Tag
from storage.digest import Digest
from tests.content.conftest import ANN, Room
from tests.spec.contents import EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, image, index, written

NAMES = tuple(RepositoryName.parse(name) for name in ("team/app", "team/other"))
TAGS = tuple(Tag.parse(tag) for tag in ("a", "b", "c"))
LAYERS = tuple(f"layer {number}".encode() for number in range(4))
THREADS, ROUNDS = 6, 60
TOLD = {
    *(ErrorCode.BLOB_UNKNOWN, ErrorCode.MANIFEST_UNKNOWN, ErrorCode.MANIFEST_BLOB_UNKNOWN),
    *(ErrorCode.UNSUPPORTED, ErrorCode.TOOMANYREQUESTS),
}
"""What somebody who comes too early or too late is told."""


@dataclass
class Client:
    """Does one thing after the other, at random, and notes what no client should ever be told."""

    room: Room
    random: random.Random
    problems: list[str]

    def work(self) -> None:
        """Do all rounds."""
        actions: tuple[Callable[[], None], ...] = (
            self.push,
            self.push,
            self.delete,
            self.forget,
            self.upload,
            self.mount,
        )
        for _ in range(ROUNDS):
            action = self.random.choice([*actions, self.push])
            try:
                action()
            except RegistryError as error:
                if error.code not in TOLD:
                    self.problems.append(f"{action.__name__}: {error}")
            except Exception as error:  # whatever it is, it is told
                self.problems.append(f"{action.__name__}: {error!r}")

    def push(self) -> None:
        """Push an image of a few layers, or an index of it, under some tags."""
        name, layers = self._name(), self.random.sample(LAYERS, 2)
        content = written(image(EMPTY, *layers))
        tags = tuple(self.random.sample(TAGS, 2))
        self.room.manifests.push(name, tags[0], content, content_type=None, origin=ANN)
        digest = self._digest(content)
        self.room.manifests.push(name, digest, content, content_type=None, tags=tags, origin=ANN)
        if self.random.random() < 0.3:
            whole = written(index(descriptor(content, OCI_MANIFEST)))
            self.room.manifests.push(name, tags[1], whole, content_type=OCI_INDEX, origin=ANN)

    def delete(self) -> None:
        """Delete a manifest with its tags, or a tag alone."""
        if self.random.random() < 0.3:
            self.room.manifests.delete(self._name(), self.random.choice(TAGS), origin=ANN)
        content = written(image(EMPTY, *self.random.sample(LAYERS, 2)))
        self.room.manifests.delete(self._name(), self._digest(content), origin=ANN)

    def forget(self) -> None:
        """Delete a blob."""
        self.room.blobs.delete(self._name(), self._digest(self.random.choice(LAYERS)), origin=ANN)

    def upload(self) -> None:
        """Push blobs, which are there already."""
        for content in (EMPTY, *self.random.sample(LAYERS, 2)):
            self.room.push(content, self._name())

    def mount(self) -> None:
        """Mount a blob from one repository in the other."""
        one, other = self.random.sample(NAMES, 2)
        self.room.blobs.mount(one, self._digest(self.random.choice(LAYERS)), other, origin=ANN)

    def _name(self) -> RepositoryName:
        return self.random.choice(NAMES)

    def _digest(self, content: bytes) -> Digest:
        return Digest.parse(digest_of(content))


def rows(catalog: Catalog, query: str) -> list[tuple[object, ...]]:
    """Ask the database itself."""
    with catalog.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def torn(catalog: Catalog) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """Give what does not agree, by what it is."""
    yield (
        "manifests that name what their repository does not hold",
        rows(
            catalog,
            "SELECT r.* FROM manifest_reference r WHERE r.role <> 'subject'"
            " AND NOT EXISTS (SELECT 1 FROM blob_link l JOIN blob b ON b.id = l.blob_id"
            "   WHERE l.repository_id = r.repository_id AND b.digest = r.digest)"
            " AND r.role <> 'child'",
        ),
    )
    yield (
        "blobs whose mark is wrong",
        rows(
            catalog,
            "SELECT b.digest, b.unreferenced_at FROM blob b WHERE (b.unreferenced_at IS NULL) <>"
            " EXISTS (SELECT 1 FROM manifest_reference r WHERE r.digest = b.digest AND r.role <> 'subject')",
        ),
    )
    yield (
        "tags whose history does not end where they point",
        rows(
            catalog,
            "SELECT t.name, m.digest, h.new_digest FROM tag t JOIN manifest m ON m.id = t.manifest_id"
            " JOIN tag_history h ON h.repository_id = t.repository_id AND h.tag = t.name"
            " WHERE h.id = (SELECT max(id) FROM tag_history x"
            "   WHERE x.repository_id = t.repository_id AND x.tag = t.name)"
            " AND h.new_digest <> m.digest",
        ),
    )
    yield "histories that skip a step", broken_chains(catalog)
    yield "sessions that nobody closed", rows(catalog, "SELECT * FROM upload_session")


def broken_chains(catalog: Catalog) -> list[tuple[object, ...]]:
    """Follow each tag from line to line of its history."""
    at: dict[tuple[object, object], object] = {}
    broken: list[tuple[object, ...]] = []
    query = "SELECT repository_id, tag, old_digest, new_digest, id FROM tag_history ORDER BY id"
    for repository, tag, old, new, number in rows(catalog, query):
        if at.get((repository, tag)) != old:
            broken.append((number, tag, at.get((repository, tag)), old))
        at[repository, tag] = new
    return broken


def strangers(catalog: Catalog, data: Path) -> set[str]:
    """Give the files that the catalog neither maps to nor has noted for removal."""
    known = {str(key) for (key,) in rows(catalog, "SELECT key FROM blob UNION SELECT key FROM discarded_key")}
    return {str(path.relative_to(data)) for path in (data / "blobs").rglob("*") if path.is_file()} - known


def test_what_many_do_at_once_agrees_with_itself(room: Room, place: Path) -> None:
    for name in NAMES:
        for content in (EMPTY, *LAYERS):
            room.push(content, name)
    problems: list[str] = []
    seeds = range(THREADS)
    threads = [threading.Thread(target=Client(room, random.Random(seed), problems).work) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [found for found in torn(room.catalog) if found[1]] == []
    assert strangers(room.catalog, place / "data") == set()
