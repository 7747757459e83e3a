"""What a peer holds before it is measured: by its API, so that every peer holds the same, made its own way.

A million rows would take hours by API, so Moorage's catalog gets them by SQL while the server is down; this is the
one place in the benchmark that knows the inside of a peer.
"""

import sqlite3
from pathlib import Path

from benchmarks.contents import Body, Content, Small, image
from benchmarks.peers import NGINX
from benchmarks.running import Running
from benchmarks.wire import Client

MIB = 2**20
BLOBS = "bench/blobs"
SMALL = "bench/small"
TAGS = "bench/tags"
TAG = "latest"
THOUSAND = 1000
MILLION = 10**6

CONFIG = Small(
    b'{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":[]}}'
)
LAYERS = tuple(Small(f"layer {number} ".encode() * 50) for number in range(8))
IMAGE = image(CONFIG, *LAYERS)
EMPTY = image(CONFIG)


def tag_name(number: int) -> str:
    """Names that sort as their numbers do."""
    return f"t{number:07d}"


def repository_name(number: int) -> str:
    """Likewise."""
    return f"many/r{number:07d}"


def seed_image(running: Running) -> None:
    """One image of eight layers, tagged; its manifest is what small GETs ask for."""
    client = Client(running.port)
    for blob in (CONFIG, *LAYERS):
        client.push_small(SMALL, blob)
    client.put_manifest(SMALL, TAG, IMAGE)
    client.close()


def seed_blob(running: Running, content: Content, body: Body) -> None:
    """One large blob that every peer gets alike; nginx gets it as a file."""
    if running.peer.name == NGINX:
        body.write(content, running.place.data / blob_file(content.size))
        return
    client = Client(running.port)
    client.put_blob(BLOBS, content)
    client.close()


def blob_file(size: int) -> str:
    """Where nginx has a blob of that size."""
    return f"blob-{size}"


def blob_path(running: Running, content: Content) -> str:
    """What to GET for a seeded blob."""
    if running.peer.name == NGINX:
        return f"/{blob_file(content.size)}"
    return f"/v2/{BLOBS}/blobs/{content.digest}"


def seed_tags(running: Running) -> None:
    """A thousand tags of one manifest."""
    client = Client(running.port)
    client.push_small(TAGS, CONFIG)
    for number in range(THOUSAND):
        client.put_manifest(TAGS, tag_name(number), EMPTY)
    client.close()


def seed_repositories(running: Running) -> None:
    """A thousand repositories of one image each."""
    client = Client(running.port)
    for number in range(THOUSAND):
        client.push_small(repository_name(number), CONFIG)
        client.put_manifest(repository_name(number), TAG, EMPTY)
    client.close()


def seed_million(database: Path) -> None:
    """A million tags in one repository and a million repositories of one manifest, written into a catalog at rest.

    The repository TAGS has to hold one tagged manifest already; all the others are its like.
    """
    connection = sqlite3.connect(database)
    with connection:
        repository, manifest, at = connection.execute(_TAGGED, (TAGS,)).fetchone()
        connection.executemany(_TAG_ROW, ((repository, tag_name(number), manifest, at) for number in range(MILLION)))
        connection.executemany(_REPOSITORY_ROW, ((repository_name(number), at) for number in range(MILLION)))
        connection.execute(_MANIFEST_ROWS, (manifest, repository))
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


_TAGGED = """
    SELECT tag.repository_id, tag.manifest_id, tag.updated_at
    FROM tag JOIN repository ON repository.id = tag.repository_id WHERE repository.name = ?
"""
_TAG_ROW = "INSERT OR IGNORE INTO tag (repository_id, name, manifest_id, updated_at) VALUES (?, ?, ?, ?)"
_REPOSITORY_ROW = "INSERT OR IGNORE INTO repository (name, created_at) VALUES (?, ?)"
_MANIFEST_ROWS = """
    INSERT INTO manifest (repository_id, digest, media_type, size, pushed_at, content)
    SELECT repository.id, digest, media_type, size, pushed_at, content
    FROM repository JOIN manifest ON manifest.id = ? WHERE repository.id <> ?
"""
