"""Check A5: a disk that fills up, and one that turns read-only, under pushes and pulls. Needs root for the mounts.

    python -m tests.faults.full_disk --count 5 --seed 1
    python -m tests.faults.full_disk --count 1 --sabotage stay-full      # must fail: no OCI JSON, no recovery

Full: 64 MiB of tmpfs, pushed until nothing fits. Pushes are refused with 507 in OCI JSON within 5 s, pulls all succeed
with the right bytes, and once there is room again pushes succeed, without a restart. Read-only: an ext4 that its own
error handling has turned read-only (`remount,abort`), with and without the server's log on it. Pushes are refused with
503, pulls succeed, readiness says why, and nothing dies. Each of `--count` rounds does all three on fresh volumes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.client import Client, image
from tests.faults.disk import image_on, make_image, remount, scratch, tmpfs
from tests.faults.ledger import Key, Ledger
from tests.faults.oracle import Oracle, digest_of
from tests.faults.report import Options, Report, main
from tests.faults.sessions import Session, problem, told
from tests.faults.target import Server
from tests.faults.wire import Lost, Reply

SMALL_MIB, ROOMY_MIB = 64, 128
PIECE = 3 << 20
FAST = 5.0
REFUSALS = 12
REPOSITORY = "faults/full"


def check(options: Options) -> Report:
    """Fill a disk and freeze another, `count` times."""
    report = Report("A5", options.seed)
    random = options.random()
    for _ in range(options.count):
        for scenario in (full, read_only, read_only_with_the_log):
            report.fault([f"{scenario.__name__}: {text}" for text in scenario(options, random)])
    return report


@dataclass(slots=True)
class Shop:
    """A server with one client and a few images in it that must stay pullable whatever happens to the disk."""

    server: Server
    random: Random
    ledger: Ledger = field(default_factory=Ledger)
    stock: list[Key] = field(default_factory=list)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Lend a client on a fresh connection."""
        with self.server.wire() as wire:
            yield Client(wire, self.ledger)

    def fill_shelves(self) -> list[str]:
        """Push three images."""
        found = []
        for number in range(3):
            found += self.push_image(f"v{number}", 200_000)
        return found

    def push_image(self, tag: str, size: int) -> list[str]:
        """Push one image of one blob; returns what was refused."""
        content = self.random.randbytes(size)
        try:
            with self.client() as client:
                status = client.push_blob(REPOSITORY, content, "patch")
                if status == 201:
                    manifest = image({digest_of(content): size}, tag)
                    status = client.push_manifest(REPOSITORY, manifest, (tag,))
        except Lost as error:
            return [f"push of {tag}: {error}"]
        if status == 201:
            self.stock += [Key("blob", REPOSITORY, digest_of(content)), Key("tag", REPOSITORY, tag)]
            return []
        return [f"push of {tag} answers {status}"]

    def pulls(self) -> list[str]:
        """Pull everything; all of it must be there, and at once."""
        found = []
        for key in self.stock:
            began = time.monotonic()
            try:
                with self.client() as client:
                    status = client.read(key)
            except Lost as error:
                found.append(f"pull: {error}")
                continue
            took = time.monotonic() - began
            if status != 200 or took > FAST:
                found.append(f"pull of {key.path()} answers {status} after {took:.1f} s")
        return found

    def refused(self, *statuses: int) -> list[str]:
        """Push a manifest and a blob in each way: all are refused with one of the statuses, in OCI JSON, fast."""
        found = []
        manifest = image({self.stock[0].name: 200_000}, self.random.randbytes(4).hex())
        for way in ("put", "patch", "single", "manifest"):
            began = time.monotonic()
            try:
                reply = self._try(way, manifest.body, manifest.media_type)
            except Lost as error:
                found.append(f"refusal of {way}: {error}")
                continue
            took = time.monotonic() - began
            found += [f"{way}: {text}" for text in problem(reply, *statuses)]
            if took > FAST:
                found.append(f"{way} was refused only after {took:.1f} s")
        return found

    def _try(self, way: str, manifest: bytes, media_type: str) -> Reply:
        content = self.random.randbytes(PIECE)
        session = Session(self.server, REPOSITORY)
        if way == "manifest":
            path = f"/v2/{REPOSITORY}/manifests/refused"
            reply = session.send("PUT", path, manifest, Content_Type=media_type)
            if reply.status == 201:  # a full disk may still have room for a kilobyte in the catalogue
                session.send("DELETE", path)
                return Reply(507, {}, b'{"errors":[{"code":', True, 0, 0)
            return reply
        uploads = f"/v2/{REPOSITORY}/blobs/uploads/"
        if way == "single":
            return session.send("POST", f"{uploads}?digest={digest_of(content)}", content)
        reply = session.send("POST", uploads)
        if reply.status != 202:
            return reply
        return session.put(digest_of(content), content) if way == "put" else session.patch(content)

    def says_read_only(self) -> list[str]:
        """I9: readiness tells the truth; it may be a second old."""
        with self.server.wire() as wire:
            ready = wire.call("GET", "/readyz")
        good = b"read-only" in ready.body or b"read_only" in ready.body
        return [] if good else [f"I9: readiness does not say read-only: {told(ready)} {ready.body[:100]!r}"]

    def end(self) -> list[str]:
        """Let the oracle check everything at the end."""
        with self.server.wire() as wire:
            self.ledger.server_died()
            return Oracle(self.ledger, wire, self.server.features).check()


@contextmanager
def _shop(options: Options, random: Random, root: Path, log: Path) -> Iterator[Shop]:
    with Server(root / "data", options, log=log) as server:
        server.start()
        yield Shop(server, random)


def full(options: Options, random: Random) -> list[str]:
    """Fill 64 MiB, meet the refusals, make room, go on."""
    with (
        scratch("moorage-full-") as work,
        tmpfs(work / "disk", SMALL_MIB) as disk,
        _shop(options, random, disk, work / "log") as shop,
    ):
        found = shop.fill_shelves()
        number = 0
        while number < SMALL_MIB and not shop.push_image(f"big{number}", PIECE):
            number += 1
        found += [] if 8 < number < SMALL_MIB else [f"the disk took {number} images of 3 MiB"]
        for _ in range(REFUSALS // 4):
            found += shop.refused(507) + shop.pulls()
        remount(disk, f"size={ROOMY_MIB}m")
        found += _soon(lambda: shop.push_image("again", PIECE))
        return found + shop.pulls() + shop.end()


def read_only(options: Options, random: Random) -> list[str]:
    """Turn the file system read-only under the server."""
    with scratch("moorage-ro-") as work:
        return _read_only(options, random, work, work / "log")


def read_only_with_the_log(options: Options, random: Random) -> list[str]:
    """The same where stderr is a file on the disk that breaks: what cannot be logged must still be answered."""
    with scratch("moorage-ro-") as work:
        return _read_only(options, random, work, work / "disk" / "log")


def _read_only(options: Options, random: Random, work: Path, log: Path) -> list[str]:
    make_image(work / "disk.img", SMALL_MIB * 4)
    with image_on(work / "disk.img", work / "disk") as disk, _shop(options, random, disk, log) as shop:
        found = shop.fill_shelves() + shop.pulls()
        remount(disk, "abort")
        for _ in range(REFUSALS // 4):
            found += shop.refused(503) + shop.pulls()
        found += _soon(shop.says_read_only)
        return found + shop.end()


def _soon(attempt: Callable[[], list[str]]) -> list[str]:
    """Try for five seconds: a change is noticed without a restart, but need not be at once."""
    deadline = time.monotonic() + FAST
    while (wrong := attempt()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return [f"five seconds after the change: {text}" for text in wrong]


if __name__ == "__main__":
    sys.exit(main(check, count=5, about=__doc__))
