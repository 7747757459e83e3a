"""The outside oracle: after a fault it asks the server, over HTTP alone, for everything the ledger knows.

Rules I1-I6 and I10 of docs/reliability.md (I7, a push repeated, is client.repeat). It must run while no other client
writes. It knows no file, table or process of the server, so it judges any registry.
"""

from __future__ import annotations

import hashlib
import json
from random import Random

from tests.faults.ledger import HERE, Key, Ledger
from tests.faults.target import Features
from tests.faults.wire import Lost, Reply, Wire

ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*"}


def digest_of(content: bytes) -> str:
    """Return the sha256 digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Oracle:
    """Checks one server against one ledger."""

    def __init__(self, ledger: Ledger, wire: Wire, features: Features) -> None:
        self.ledger = ledger
        self.wire = wire
        self.features = features
        self.problems: list[str] = []
        self.seen: dict[Key, str | None] = {}

    def check(self, *, sample: int | None = None, random: Random | None = None) -> list[str]:
        """Read all registers (or the touched ones and a sample of the rest) and return every violation."""
        keys = self._choose(sample, random)
        for key in keys:
            self._read(key)
        for repository in sorted({key.repository for key in keys}):
            self._listings(repository, complete=sample is None)
        if self.features.referrers:
            self._referrers()
        if self.features.catalog:
            self._catalog()
        return self.problems + self.ledger.judge(self.seen)

    def _choose(self, sample: int | None, random: Random | None) -> list[Key]:
        tags, manifests, blobs = (self.ledger.keys(kind) for kind in ("tag", "manifest", "blob"))
        if sample is None or random is None:
            return tags + manifests + blobs
        touched = self.ledger.touched()
        rest = [key for key in manifests + blobs if key not in touched]
        return tags + sorted(touched - set(tags)) + random.sample(rest, min(sample, len(rest)))

    def _read(self, key: Key) -> None:
        """Read one register and remember what it holds; I4: a complete 200 has the right bytes."""
        reply = self._get(key.path())
        if reply is None:
            return
        if reply.status == 404:
            self.seen[key] = None
            return
        if reply.status != 200 or not reply.whole:
            self._fail("I5", f"{key.path()} answers {reply.status}, {'whole' if reply.whole else 'cut'}")
            return
        found = digest_of(reply.body)
        promised = key.name if key.kind != "tag" else reply.header("docker-content-digest")
        if found != promised:
            self._fail("I4", f"{key.path()}: a complete 200 of {len(reply.body)} bytes is {found}, not {promised}")
            return
        self.seen[key] = found if key.kind == "tag" else HERE
        if key.kind == "tag":
            self._follow(key, found)
        elif key.kind == "manifest":
            self._reach(key)

    def _follow(self, key: Key, digest: str) -> None:
        """I6: what a tag names is there by digest as well."""
        target = Key("manifest", key.repository, digest)
        if target not in self.seen:
            self._read(target)
        if self.seen.get(target) is None:
            self._fail("I6", f"tag {key.repository}:{key.name} names {digest}, which is not there")

    def _reach(self, key: Key) -> None:
        """I2: every blob of a manifest that is there is there too, whether its own push was acknowledged or not."""
        content = self.ledger.manifests.get(key.name)
        for name in content.blobs if content else ():
            blob = Key("blob", key.repository, name)
            if blob not in self.seen:
                self._read(blob)
            if self.seen.get(blob) is None:
                self._fail("I2", f"manifest {key.repository}@{key.name} is there without its blob {name}")

    def _listings(self, repository: str, *, complete: bool) -> None:
        """I6: the tags listed are exactly those that resolve."""
        reply = self._get(f"/v2/{repository}/tags/list")
        if reply is None or reply.status not in (200, 404):
            self._fail("I6", f"tags/list of {repository} answers {reply.status if reply else 'nothing'}")
            return
        listed = json.loads(reply.body).get("tags") or [] if reply.status == 200 else []
        there = {
            key.name for key, value in self.seen.items() if key.kind == "tag" and key.repository == repository if value
        }
        if len(listed) != len(set(listed)) or set(listed) != there:
            self._fail("I6", f"tags/list of {repository} names {sorted(listed)}, but {sorted(there)} resolve")

    def _referrers(self) -> None:
        """I6: every referrer that is there is listed once, and nothing else is."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for key, value in self.seen.items():
            content = self.ledger.manifests.get(key.name) if key.kind == "manifest" else None
            if content is not None and content.subject:
                listed = wanted.setdefault((key.repository, content.subject), set())
                if value:
                    listed.add(key.name)
        for (repository, subject), there in wanted.items():
            self._referrers_of(repository, subject, there)

    def _referrers_of(self, repository: str, subject: str, there: set[str]) -> None:
        reply = self._get(f"/v2/{repository}/referrers/{subject}")
        if reply is None or reply.status != 200:
            self._fail("I6", f"referrers of {repository}@{subject} answer {reply.status if reply else 'nothing'}")
            return
        listed = [entry["digest"] for entry in json.loads(reply.body)["manifests"]]
        for name in set(listed) - there:
            key = Key("manifest", repository, name)  # perhaps only not in this sample
            if key not in self.seen:
                self._read(key)
        resolved = {name for name in listed if self.seen.get(Key("manifest", repository, name))}
        if len(listed) != len(set(listed)) or set(listed) != resolved or not there <= resolved:
            self._fail("I6", f"referrers of {repository}@{subject} list {sorted(listed)}, there are {sorted(there)}")

    def _catalog(self) -> None:
        """I6: every repository in the catalogue answers, and each one with a tag is in it."""
        names: list[str] = []
        path = "/v2/_catalog?n=1000"
        while path:
            reply = self._get(path)
            if reply is None or reply.status != 200:
                self._fail("I6", f"{path} answers {reply.status if reply else 'nothing'}")
                return
            names += json.loads(reply.body)["repositories"]
            link = reply.header("link")
            path = link.partition("<")[2].partition(">")[0] if link else ""
        tagged = {key.repository for key, value in self.seen.items() if key.kind == "tag" and value}
        if not tagged <= set(names) or len(names) != len(set(names)):
            self._fail("I6", f"the catalogue lists {sorted(names)}, tags are in {sorted(tagged)}")
        for name in names:
            reply = self._get(f"/v2/{name}/tags/list")
            if reply is None or reply.status != 200:
                self._fail(
                    "I6", f"the catalogue lists {name}, whose tags answer {reply.status if reply else 'nothing'}"
                )

    def _get(self, path: str) -> Reply | None:
        for attempt in (1, 2):
            try:
                return self.wire.call("GET", path, headers=ACCEPT)
            except Lost as error:
                if attempt == 2:
                    self._fail("I9", f"the server is up, but {error}")
        return None

    def _fail(self, rule: str, text: str) -> None:
        self.problems.append(f"{rule}: {text}")
