"""Registry operations as clients send them, each written into the ledger before it is sent and after it is answered.

Pushes in all four ways of the specification (POST+PUT, POST+PATCH+PUT, single POST, mount), manifests by tag and by
digest, retags, referrers, deletions and reads. It judges only what one answer alone can prove (rule I4); the rest is
the oracle's work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.ledger import HERE, Content, Key, Ledger
from tests.faults.linear import Act, Op
from tests.faults.oracle import ACCEPT, digest_of
from tests.faults.wire import Lost, Reply, Wire

OCTETS = {"Content-Type": "application/octet-stream"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(slots=True)
class Client:
    """One client: a connection and the ledger it writes to."""

    wire: Wire
    ledger: Ledger
    tags: tuple[str, ...] = ()  # every tag that any client uses, so that a deletion by digest knows what it may hit

    def push_blob(self, repository: str, content: bytes, way: str) -> int:
        """Push a blob; returns the status of the last answer. Raises Lost when there was none."""
        digest = digest_of(content)
        key = Key("blob", repository, digest)
        ops = self.ledger.begin((key, Act.WRITE, HERE), redo=(repository, content))
        reply = self._upload(repository, content, digest, way)
        return self._settle(ops, reply, 201, f"blob by {way}")

    def mount_blob(self, repository: str, source: str, digest: str) -> int:
        """Mount a blob from another repository; 202 (an upload instead) counts as refused."""
        ops = self.ledger.begin((Key("blob", repository, digest), Act.WRITE, HERE))
        reply = self.wire.call("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}")
        if reply.status == 202:
            self.ledger.settle(ops, acked=False)
            self.wire.call("DELETE", reply.header("location"))
            return reply.status
        return self._settle(ops, reply, 201, "mount")

    def push_manifest(
        self, repository: str, content: Content, tags: tuple[str, ...], *, by_digest: bool = False
    ) -> int:
        """Push a manifest by one tag, or by digest with any number of ?tag= parameters."""
        digest = digest_of(content.body)
        self.ledger.manifest(digest, content)
        steps: list[tuple[Key, Act, str | None]] = [(Key("manifest", repository, digest), Act.WRITE, HERE)]
        steps += [(Key("tag", repository, tag), Act.WRITE, digest) for tag in tags]
        ops = self.ledger.begin(*steps, redo=(repository, content, tags, by_digest))
        reference = digest if by_digest else tags[0]
        query = "?" + "&".join(f"tag={tag}" for tag in tags) if by_digest and tags else ""
        path = f"/v2/{repository}/manifests/{reference}{query}"
        reply = self.wire.call("PUT", path, content.body, {"Content-Type": content.media_type})
        return self._settle(ops, reply, 201, "manifest")

    def delete_tag(self, repository: str, tag: str) -> int:
        """Delete a tag; 404 is a read that found none."""
        key = Key("tag", repository, tag)
        ops = self.ledger.begin((key, Act.REMOVE, None))
        reply = self.wire.call("DELETE", key.path())
        if reply.status == 404:
            ops[0].act = Act.READ
            self.ledger.settle(ops, acked=True)
            return 404
        return self._settle(ops, reply, 202, "delete tag")

    def delete_manifest(self, repository: str, digest: str) -> int:
        """Delete a manifest and with it every tag that names it."""
        key = Key("manifest", repository, digest)
        steps: list[tuple[Key, Act, str | None]] = [(key, Act.REMOVE, None)]
        steps += [(Key("tag", repository, tag), Act.DROP, digest) for tag in self.tags]
        ops = self.ledger.begin(*steps)
        reply = self.wire.call("DELETE", key.path())
        if reply.status == 404:
            ops[0].act = Act.READ
            self.ledger.settle(ops[:1], acked=True)
            self.ledger.settle(ops[1:], acked=False)
            return 404
        return self._settle(ops, reply, 202, "delete manifest")

    def read(self, key: Key) -> int:
        """Read a tag, a manifest or a blob and note what was seen; I4: a complete 200 is right, fault or no fault."""
        reply = self.wire.call("GET", key.path(), headers=ACCEPT)
        if reply.status == 404:
            self.ledger.observe(key, None, reply.start, reply.end)
        if reply.status != 200 or not reply.whole:
            self.ledger.count(f"read {reply.status if reply.whole else 'cut'}")
            return reply.status
        digest = digest_of(reply.body)
        promised = key.name if key.kind != "tag" else reply.header("docker-content-digest")
        if digest != promised:
            text = f"GET {key.path()} was a complete 200 with {digest}, not {promised}"
            self.ledger.violation("I4", text)
            return 200
        self.ledger.observe(key, digest if key.kind == "tag" else HERE, reply.start, reply.end)
        self.ledger.count("read 200")
        return 200

    def _upload(self, repository: str, content: bytes, digest: str, way: str) -> Reply:
        uploads = f"/v2/{repository}/blobs/uploads/"
        if way == "single":
            reply = self.wire.call("POST", f"{uploads}?digest={digest}", content, OCTETS)
            if reply.status != 202:
                return reply
            return self.wire.call("PUT", closing(reply.header("location"), digest), content, OCTETS)
        opened = self.wire.call("POST", uploads)
        if opened.status != 202:
            return opened
        location = opened.header("location")
        if way == "put":
            return self.wire.call("PUT", closing(location, digest), content, OCTETS)
        half = len(content) // 2
        for piece, first in ((content[:half], 0), (content[half:], half)):
            if piece:
                span = {"Content-Range": f"{first}-{first + len(piece) - 1}"}
                reply = self.wire.call("PATCH", location, piece, OCTETS | span)
                if reply.status != 202:
                    return reply
                location = reply.header("location")
        return self.wire.call("PUT", closing(location, digest))

    def _settle(self, ops: list[Op], reply: Reply, wanted: int, what: str) -> int:
        """Close the operations: acknowledged, refused (4xx), or left open after a 5xx."""
        self.ledger.count(f"{what} {reply.status}")
        if reply.status == wanted:
            self.ledger.settle(ops, acked=True)
        elif 400 <= reply.status < 500:
            self.ledger.settle(ops, acked=False)
        return reply.status


def closing(location: str, digest: str) -> str:
    """Return the request target that closes an upload: its Location, made relative, with the digest."""
    path = "/" + location.split("/", 3)[3] if "://" in location else location
    return f"{path}{'&' if '?' in path else '?'}digest={digest}"


def image(blobs: Mapping[str, int], note: str, subject: tuple[str, int] | None = None) -> Content:
    """Build an image manifest over blobs (digest to size, the config first); the note makes it unique."""
    entries = [{"mediaType": LAYER, "digest": digest, "size": size} for digest, size in blobs.items()]
    entries[0]["mediaType"] = CONFIG
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": entries[0],
        "layers": entries[1:],
    }
    document["annotations"] = {"note": note}
    if subject is not None:
        document["artifactType"] = "application/vnd.example.note"
        document["subject"] = {"mediaType": MANIFEST, "digest": subject[0], "size": subject[1]}
    return Content(MANIFEST, json.dumps(document).encode(), tuple(blobs), subject[0] if subject else "")


def repeat(client: Client, redo: object) -> str | None:
    """I7: send an unanswered push again; returns what is wrong with its answer."""
    try:
        if isinstance(redo, tuple) and len(redo) == 2:
            status = client.push_blob(redo[0], redo[1], "patch")
        elif isinstance(redo, tuple) and len(redo) == 4:
            status = client.push_manifest(redo[0], redo[1], redo[2], by_digest=redo[3])
        else:
            return None
    except Lost as error:
        return f"I7: a push repeated after the recovery got no answer: {error}"
    what = "blob" if len(redo) == 2 else "manifest"
    return None if status == 201 else f"I7: a {what} of {redo[0]} pushed again after the recovery answers {status}"
