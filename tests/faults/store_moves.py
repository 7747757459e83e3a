"""A registry whose blobs are moved between files and a real S3 store, and the load that goes on meanwhile."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.s3.bucket import Bucket
from tests.parts.ceph import Ceph
from tests.parts.server import RunningServer, clean_environment

SIZES = (0, 10, 70_000, 1 << 20, 9_000_000)
ENDS_WITHIN = 300.0


def content_of(number: int) -> bytes:
    """Give content of some size."""
    return random.Random(number).randbytes(SIZES[number % len(SIZES)])


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Name content."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@dataclass
class Site:
    """A data directory, a bucket, and a settings file that says which of them is in use."""

    ceph: Ceph
    bucket: str
    data: Path

    @property
    def file(self) -> Path:
        """The settings file, where `start_moorage` puts it."""
        return self.data.with_name(f"{self.data.name}.toml")

    def config(self, driver: str, former: str | None = None) -> str:
        """Say where blobs are, and were."""
        text = self.ceph.configuration(self.bucket).replace('driver = "s3"', f'driver = "{driver}"')
        return text.replace("[storage.s3]", f'former = "{former}"\n[storage.s3]') if former else text

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start to move."""
        moorage = Path(sys.executable).with_name("moorage")
        command: list[str | Path] = [
            moorage,
            "storage",
            "migrate",
            "--config",
            self.file,
            "--data",
            self.data,
            "--json",
            *args,
        ]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=clean_environment())

    def move(self, *args: str) -> dict[str, Any]:
        """Move everything that can be, and give what the command says."""
        with self.start(*args) as process:
            told, said = process.communicate(timeout=ENDS_WITHIN)
        assert process.returncode == 0, said
        return dict(json.loads(told))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask or change the catalog past everybody."""
        with closing(sqlite3.connect(self.data / "moorage.db", timeout=30)) as database, database:
            return database.execute(statement).fetchall()

    def rows(self) -> set[tuple[str, str]]:
        """Give where the catalog says that blobs are."""
        return {(store, key) for store, key in self.sql("SELECT store, key FROM blob")}

    def held(self) -> set[tuple[str, str]]:
        """List all that both stores hold, uploads too."""
        paths = [path for part in ("blobs", "uploads") for path in (self.data / part).rglob("*") if path.is_file()]
        bucket = Bucket(self.ceph.options(self.bucket))
        items = [item["Key"] for items in (bucket.objects(""), bucket.multiparts("")) for item in items]
        files = {("files", str(path.relative_to(self.data))) for path in paths}
        return files | {("s3", key) for key in items if key != "format"}

    def end_of_time(self) -> None:
        """Let the time of all replaced keys come."""
        self.sql("UPDATE discarded_key SET not_before = 0")


def asked(server: RunningServer, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send one request; status 0 where no whole answer came."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, {}, b""


def begun(server: RunningServer, content: bytes) -> str:
    """Open an upload and send the first half; gives the address to go on at."""
    status, headers, _ = asked(server, "POST", "/v2/team/app/blobs/uploads/")
    assert status == 202
    status, headers, _ = asked(server, "PATCH", headers["location"], content[: len(content) // 2])
    assert status == 202
    return headers["location"]


def ended(server: RunningServer, location: str, content: bytes) -> bool:
    """Send the rest and close the upload."""
    where = f"{location}?digest={digest_of(content)}"
    return asked(server, "PUT", where, content[len(content) // 2 :])[0] == 201


def pushed(server: RunningServer, content: bytes, algorithm: str = "sha256") -> bool:
    """Push in one request after another, without a second try."""
    status, headers, _ = asked(server, "POST", f"/v2/team/app/blobs/uploads/?digest-algorithm={algorithm}")
    where = f"{headers.get('location')}?digest={digest_of(content, algorithm)}"
    return status == 202 and asked(server, "PUT", where, content)[0] == 201


def pulled(server: RunningServer, content: bytes, algorithm: str = "sha256") -> bool:
    """Pull, without a second try, and compare every byte."""
    status, _, body = asked(server, "GET", f"/v2/team/app/blobs/{digest_of(content, algorithm)}")
    return status == 200 and body == content


@dataclass
class Load:
    """Pushes and pulls that go on until the block ends; what failed is kept."""

    server: RunningServer
    numbers: range
    done: dict[str, int] = field(default_factory=lambda: {"pull": 0, "push": 0, "push again": 0})
    failed: list[str] = field(default_factory=list)
    fresh: list[bytes] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def pull(self) -> None:
        """Pull what was there before."""
        self._repeat("pull", lambda draw: pulled(self.server, content_of(draw.choice(self.numbers))))

    def push(self) -> None:
        """Push what was never there."""

        def once(draw: random.Random) -> bool:
            content = os.urandom(draw.choice((100, 200_000)))
            self.fresh.append(content)
            return pushed(self.server, content)

        self._repeat("push", once)

    def push_again(self) -> None:
        """Push what may be under way."""
        self._repeat("push again", lambda draw: pushed(self.server, content_of(draw.choice(self.numbers[::4]))))

    def _repeat(self, what: str, act: Any) -> None:
        draw = random.Random(what)
        while not self._ended.wait(0.02):
            self.done[what] += 1
            if not act(draw):
                self.failed.append(f"{what} {self.done[what]}")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Go on for the length of a block."""
        threads = [threading.Thread(target=work) for work in (self.pull, self.pull, self.push, self.push_again)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()
