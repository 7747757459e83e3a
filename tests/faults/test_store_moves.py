"""Files to S3 and back on a real store: while serving, with no failed pull or push, and through kills."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from registry.content.copying import SUBJECT
from tests.faults.store_moves import Load, Site, begun, content_of, ended, pulled, pushed
from tests.parts.ceph import Ceph
from tests.parts.server import RunningServer, ServerFailed, start_moorage

pytestmark = [pytest.mark.faults, pytest.mark.slow]

BLOBS = range(20)
KILLS = 5  # in each direction
RATE = "12000000"  # bytes a second; slow enough to meet a move on its way


def test_there_and_back_while_serving(ceph: Ceph, tmp_path: Path) -> None:
    site = Site(ceph, ceph.bucket(), tmp_path / "data")
    with start_moorage(site.data, config=site.config("files"), workers=2) as server:
        assert all(pushed(server, content_of(number)) for number in BLOBS)
        assert pushed(server, b"by another name", "sha512")
        for driver, former in (("s3", "files"), ("files", "s3")):
            _there(site, server, driver, former)
        assert pulled(server, b"by another name", "sha512")


def _there(site: Site, server: RunningServer, driver: str, former: str) -> None:
    begun_before = f"begun before the switch to {driver}".encode() * 300_000
    location = begun(server, begun_before)
    site.file.write_text(site.config(driver))
    with pytest.raises(ServerFailed, match=f"in the store {former}, which the settings do not name"):
        server.restart()
    site.file.write_text(site.config(driver, former))
    server.start()
    load = Load(server, BLOBS)
    with load.going_on():
        told = site.move("--rate", RATE)
        assert ended(server, location, begun_before)
        site.move()
    print(f"{former} to {driver}: {told}, meanwhile {load.done}")
    assert load.failed == []
    assert min(load.done.values()) > 0
    assert {store for store, _ in site.rows()} == {driver}
    everything = [*map(content_of, BLOBS), *load.fresh, begun_before]
    assert all(pulled(server, content) for content in everything)
    site.end_of_time()
    assert site.move()["finished"]
    assert site.held() == site.rows()
    site.file.write_text(site.config(driver))
    server.restart()
    assert all(pulled(server, content) for content in everything)


def test_killed_again_and_again(ceph: Ceph, tmp_path: Path) -> None:
    site = Site(ceph, ceph.bucket(), tmp_path / "data")
    with start_moorage(site.data, config=site.config("files")) as server:
        assert all(pushed(server, content_of(number)) for number in BLOBS)
    rows = len(site.rows())
    for driver, former in (("s3", "files"), ("files", "s3")):
        site.file.write_text(site.config(driver, former))
        for number in range(KILLS):
            _killed(site, random.Random(f"{driver} {number}"))
        left = site.sql(f"SELECT count(*) FROM upload_session WHERE subject = '{SUBJECT}'")[0][0]
        print(f"to {driver}: {left} copies left under way, {len(site.held() - site.rows())} things too many")
        site.move()
        site.end_of_time()
        assert site.move()["finished"]
        assert site.held() == site.rows()
        assert ({store for store, _ in site.rows()}, len(site.rows())) == ({driver}, rows)
    with start_moorage(site.data, config=site.config("files")) as server:
        assert all(pulled(server, content_of(number)) for number in BLOBS)


def _killed(site: Site, draw: random.Random) -> None:
    """Start a move and kill it at any point after its first copy has begun."""
    seen = _copies(site)
    with site.start("--rate", RATE) as process:
        end = time.monotonic() + 180
        while not _copies(site) - seen and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.6))  # any point, not a point that something tells of
        process.kill()


def _copies(site: Site) -> set[str]:
    return {row[0] for row in site.sql(f"SELECT id FROM upload_session WHERE subject = '{SUBJECT}'")}
