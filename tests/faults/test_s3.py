"""A server on an S3 store that fails in seven ways, that goes away and comes back, and uploads that are killed.

Checks B1 and B2: nothing corrupt, nothing acknowledged lost, an answer within seconds, nothing left after the sweep.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from storage.s3.bucket import Bucket
from tests.parts.ceph import Ceph
from tests.parts.s3_proxy import S3Proxy, start_s3_proxy
from tests.parts.server import RunningServer, start_moorage

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ROUNDS = 500 if os.environ.get("MOORAGE_TEST_ALL") else 60
OUTAGE = 60.0 if os.environ.get("MOORAGE_TEST_ALL") else 12.0
TRIES = 4  # the first and three more
PAUSE = 0.5  # less than the Retry-After that clients are told
SIZES = (10, 70_000, 3_000_000, 9_000_000, 17_000_000)


def asked(
    server: RunningServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one request; status 0 where no whole answer came."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, {}, b""


def pushed(server: RunningServer, content: bytes) -> str | None:
    """Push as docker does, starting again after a failure; give the digest once it is acknowledged."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    for number in range(TRIES):
        time.sleep(number * PAUSE)
        status, headers, _ = asked(server, "POST", "/v2/team/app/blobs/uploads/")
        if status != 202:
            continue
        status, headers, _ = asked(server, "PATCH", headers["location"], content)
        if status != 202:
            continue
        if asked(server, "PUT", f"{headers['location']}?digest={digest}")[0] == 201:
            return digest
    return None


def pulled(server: RunningServer, digest: str) -> bool:
    """Pull, with retries; a whole answer with other bytes is never forgiven."""
    for number in range(TRIES):
        time.sleep(number * PAUSE)
        status, _, body = asked(server, "GET", f"/v2/team/app/blobs/{digest}")
        if status == 200:
            assert f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
            return True
    return False


def content_of(number: int) -> bytes:
    """Give content of some size."""
    return random.Random(number).randbytes(SIZES[number % len(SIZES)])


def test_store_that_fails_in_seven_ways_and_goes_away(ceph: Ceph, tmp_path: Path) -> None:
    bucket = ceph.bucket()
    with start_s3_proxy(ceph.endpoint) as proxy:
        config = ceph.configuration(bucket).replace(ceph.endpoint, proxy.endpoint)
        with start_moorage(tmp_path / "data", config=config) as server, ThreadPoolExecutor(4) as pool:
            proxy.share = 0.1
            digests = list(pool.map(lambda number: pushed(server, content_of(number)), range(ROUNDS)))
            acknowledged = [digest for digest in digests if digest is not None]
            pulls = list(pool.map(lambda digest: pulled(server, digest), acknowledged))
            print(f"{len(acknowledged)} of {ROUNDS} pushes, {sum(pulls)} pulls, {proxy.calls} calls: {proxy.met}")
            assert len(acknowledged) >= 0.99 * ROUNDS
            assert sum(pulls) >= 0.99 * len(pulls)
            proxy.share = 0.0
            assert all(pool.map(lambda digest: pulled(server, digest), acknowledged))
            _outage(server, proxy, acknowledged[0])


def _outage(server: RunningServer, proxy: S3Proxy, digest: str) -> None:
    proxy.down = True
    end = time.monotonic() + OUTAGE
    while time.monotonic() < end:
        begun = time.monotonic()
        status, headers, _ = asked(server, "GET", f"/v2/team/app/blobs/{digest}")
        assert status == 503
        assert headers["retry-after"]
        assert time.monotonic() - begun <= 10
        assert b"storage s3" in asked(server, "GET", "/readyz")[2]
    proxy.down = False
    begun = time.monotonic()
    while not (asked(server, "GET", f"/v2/team/app/blobs/{digest}")[0] == 200 and pushed(server, os.urandom(9))):
        assert time.monotonic() - begun <= 10


def test_sixty_killed_uploads_leave_nothing(ceph: Ceph, tmp_path: Path) -> None:
    bucket = ceph.bucket()
    store = Bucket(ceph.options(bucket))
    with start_moorage(tmp_path / "data", config=ceph.configuration(bucket)) as server:
        for number in range(60):
            _killed(server, number)
        server.kill()
        assert list(store.multiparts("")) or list(store.objects("uploads/"))
        server.environment = {"MOORAGE_UPLOADS__EXPIRY": "1", "MOORAGE_UPLOADS__SWEEP_INTERVAL": "1"}
        server.start()
        end = time.monotonic() + 60
        while list(store.multiparts("")) or list(store.objects("uploads/")):
            assert time.monotonic() < end
            time.sleep(0.5)
        assert [item["Key"] for item in store.objects("")] == ["format"]


def _killed(server: RunningServer, number: int) -> None:
    """Send some of a layer, and go away at any point."""
    draw = random.Random(number)
    _, headers, _ = asked(server, "POST", "/v2/team/app/blobs/uploads/")
    if draw.random() < 0.3:
        asked(server, "PATCH", headers["location"], draw.randbytes(draw.randrange(1, 12_000_000)))
        return
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.putrequest("PATCH", headers["location"])
        connection.putheader("Content-Length", "40000000")
        connection.endheaders(draw.randbytes(draw.randrange(1, 20_000_000)))
