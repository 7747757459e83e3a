"""A small S3 server in this process, for unit tests: what the driver asks for and nothing else, and trouble on demand.

It checks what a real one checks: hashes, part lists, ranges, the name of the access key (no signatures). `trouble`
holds what the next requests of an operation meet, first in first out. Parts may be of any size, so that tests can be
small.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from storage.s3.options import S3Options
from tests.parts.fake_s3_contents import Open, Stored, Trouble

ACCESS_KEY, SECRET_KEY = "fake", "secret"
PAGE = 3  # items of a listing; small, so that tests see more pages than one


class FakeS3:
    """One bucket, called `bucket`."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.objects: dict[str, Stored] = {}
        self.multiparts: dict[str, Open] = {}
        self.trouble: dict[str, deque[Trouble]] = defaultdict(deque)
        self.asked: list[str] = []
        self.unhashed: list[str] = []  # methods of requests whose bodies the signature covers by their MD5 alone
        self.lock = threading.RLock()
        self.down = False
        self.encrypts = True

    def options(self, **others: Any) -> S3Options:
        """Say how the driver gets here, with parts of ten bytes."""
        known: dict[str, Any] = {
            "endpoint": self.endpoint,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "path_style": True,
            "part_bytes": 10,
            "largest_blob": 100_000,
            "connect_timeout": 5.0,
            "read_timeout": 5.0,
            "deadline": 11.0,
        }
        return S3Options("bucket", **{**known, **others})

    def meets(self, operation: str, *troubles: Trouble) -> None:
        """Let the next requests of an operation meet trouble."""
        self.trouble[operation].extend(troubles)


@contextmanager
def start_fake_s3() -> Iterator[FakeS3]:
    """Start it on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    fake = FakeS3(server.server_address[1])
    server.fake = fake  # type: ignore[attr-defined]  # how handlers find it
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


OPERATIONS: tuple[tuple[str, set[str], str], ...] = (
    ("PUT", {"partNumber"}, "UploadPart"),
    ("PUT", set(), "PutObject"),
    ("POST", {"uploads"}, "CreateMultipartUpload"),
    ("POST", {"uploadId"}, "CompleteMultipartUpload"),
    ("DELETE", {"uploadId"}, "AbortMultipartUpload"),
    ("DELETE", set(), "DeleteObject"),
    ("GET", {"uploadId"}, "ListParts"),
    ("GET", {"uploads"}, "ListMultipartUploads"),
    ("GET", {"list-type"}, "ListObjectsV2"),
    ("GET", set(), "GetObject"),
    ("HEAD", set(), "HeadObject"),
)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


Result = tuple[int, dict[str, str], bytes]


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        self.fake: FakeS3 = self.server.fake  # type: ignore[attr-defined]  # set by start_fake_s3
        address = urlsplit(self.path)
        self.query = dict(parse_qsl(address.query, keep_blank_values=True))
        bucket, _, self.key = unquote(address.path).lstrip("/").partition("/")
        operation = next(o for m, needed, o in OPERATIONS if m == self.command and needed <= self.query.keys())
        self.content = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.fake.asked.append(operation)
        waiting = self.fake.trouble[operation]
        trouble = waiting.popleft() if waiting else Trouble(drop=self.fake.down)
        time.sleep(trouble.stall)
        if trouble.drop:
            self.close_connection = True
            return
        try:
            self._refuse(bucket, trouble)
            with self.fake.lock:
                status, headers, body = getattr(self, f"do{operation}")()
        except _Refused as refusal:
            status, headers = refusal.status, {}
            body = f"<Error><Code>{refusal.code}</Code><Message>no</Message></Error>".encode()
        self._send(trouble, status, headers, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer

    def _refuse(self, bucket: str, trouble: Trouble) -> None:
        signed = self.headers.get("authorization", "") + self.query.get("X-Amz-Credential", "")
        if f"{ACCESS_KEY}/" not in signed:
            raise _Refused(403, "InvalidAccessKeyId")
        if bucket != "bucket":
            raise _Refused(404, "NoSuchBucket")
        if trouble.status:
            raise _Refused(trouble.status, trouble.code)
        sent = self.headers.get("content-md5")
        if sent and base64.b64decode(sent).hex() != _md5(self.content):
            raise _Refused(400, "BadDigest")
        hashed = self.headers.get("x-amz-content-sha256")
        if hashed == "UNSIGNED-PAYLOAD":
            if not sent or "content-md5;" not in signed:
                raise _Refused(400, "InvalidRequest")
            self.fake.unhashed.append(self.command)
        elif hashed and hashed != hashlib.sha256(self.content).hexdigest():
            raise _Refused(400, "XAmzContentSHA256Mismatch")

    def _send(self, trouble: Trouble, status: int, headers: dict[str, str], body: bytes) -> None:
        if trouble.lose:
            self.close_connection = True
            return
        body = body if trouble.body is None else trouble.body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers, **trouble.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: trouble.cut])
        self.close_connection = self.close_connection or trouble.cut is not None

    def _stored(self) -> Stored:
        if self.key not in self.fake.objects:
            raise _Refused(404, "NoSuchKey")
        return self.fake.objects[self.key]

    def _open(self) -> Open:
        found = self.fake.multiparts.get(self.query["uploadId"])
        if found is None or found.key != self.key:
            raise _Refused(404, "NoSuchUpload")
        return found

    def doPutObject(self) -> Result:
        etag = _md5(self.content)
        self.fake.objects[self.key] = Stored(self.content, etag, self._wishes(), datetime.now(UTC))
        return 200, {"ETag": f'"{etag}"'}, b""

    def _wishes(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items() if name.lower().startswith("x-amz-s")}

    def doUploadPart(self) -> Result:
        self._open().parts[int(self.query["partNumber"])] = self.content
        return 200, {"ETag": f'"{_md5(self.content)}"'}, b""

    def doCreateMultipartUpload(self) -> Result:
        name = uuid.uuid4().hex
        wishes = self._wishes()
        self.fake.multiparts[name] = Open(self.key, {}, wishes, datetime.now(UTC))
        told = {name: value for name, value in wishes.items() if "encryption" in name and self.fake.encrypts}
        return 200, told, f"<R><UploadId>{name}</UploadId></R>".encode()

    def doCompleteMultipartUpload(self) -> Result:
        upload = self._open()
        text = self.content.decode()
        wanted = [
            (int(re.findall(r"<PartNumber>(\d+)", part)[0]), re.findall(r"<ETag>(?:&quot;|\")?([0-9a-f]+)", part)[0])
            for part in re.findall(r"<Part>.*?</Part>", text, re.DOTALL)
        ]
        for number, etag in wanted:
            if _md5(upload.parts.get(number, b"?")) != etag:
                raise _Refused(400, "InvalidPart")
        joined = _md5(b"".join(bytes.fromhex(etag) for _, etag in wanted))
        etag = f"{joined}-{len(wanted)}"
        data = b"".join(upload.parts[number] for number, _ in wanted)
        self.fake.objects[self.key] = Stored(data, etag, upload.headers, datetime.now(UTC))
        del self.fake.multiparts[self.query["uploadId"]]
        return 200, {}, f"<R><ETag>&quot;{etag}&quot;</ETag></R>".encode()

    def doAbortMultipartUpload(self) -> Result:
        self._open()
        del self.fake.multiparts[self.query["uploadId"]]
        return 204, {}, b""

    def doDeleteObject(self) -> Result:
        self.fake.objects.pop(self.key, None)
        return 204, {}, b""

    def doListParts(self) -> Result:
        after = int(self.query.get("part-number-marker", 0))
        found = sorted(item for item in self._open().parts.items() if item[0] > after)
        rows = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{_md5(data)}&quot;</ETag></Part>"
            for number, data in found[: int(self.query.get("max-parts", 1000))]
        )
        return 200, {}, f"<R>{rows}</R>".encode()

    def doListMultipartUploads(self) -> Result:
        rows = {(item.key, name): item.initiated for name, item in self.fake.multiparts.items()}
        after = self.query.get("key-marker", "")
        found = [row for row in sorted(rows) if row[0].startswith(self.query["prefix"]) and row[0] > after]
        more = len(found) > PAGE
        text = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            f"<Initiated>{rows[key, name].isoformat()}</Initiated></Upload>"
            for key, name in found[:PAGE]
        )
        if more:
            key, name = found[PAGE - 1]
            text += f"<NextKeyMarker>{escape(key)}</NextKeyMarker><NextUploadIdMarker>{name}</NextUploadIdMarker>"
        return 200, {}, f"<R><IsTruncated>{str(more).lower()}</IsTruncated>{text}</R>".encode()

    def doListObjectsV2(self) -> Result:
        after, page = self.query.get("continuation-token", ""), min(PAGE, int(self.query.get("max-keys", PAGE)))
        found = [key for key in sorted(self.fake.objects) if key.startswith(self.query["prefix"]) and key > after]
        more = len(found) > page
        text = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.fake.objects[key].data)}</Size>"
            f"<LastModified>{self.fake.objects[key].modified.isoformat()}</LastModified></Contents>"
            for key in found[:page]
        )
        text += f"<NextContinuationToken>{escape(found[page - 1])}</NextContinuationToken>" if more else ""
        return 200, {}, f"<R><IsTruncated>{str(more).lower()}</IsTruncated>{text}</R>".encode()

    def doGetObject(self) -> Result:
        found = self._stored()
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range") or "")
        if span is None:
            return 200, {"ETag": f'"{found.etag}"'}, found.data
        start, last = int(span[1]), min(int(span[2]), len(found.data) - 1)
        if start >= len(found.data):
            raise _Refused(416, "InvalidRange")
        where = f"bytes {start}-{last}/{len(found.data)}"
        return 206, {"ETag": f'"{found.etag}"', "Content-Range": where}, found.data[start : last + 1]

    def doHeadObject(self) -> Result:
        found = self._stored()
        return 200, {"ETag": f'"{found.etag}"', "Content-Length": str(len(found.data)), **found.headers}, b""
