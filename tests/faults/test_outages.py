"""The store or the database is away while the server runs: pushes and pulls are told so soon, and probes say which.

All is well soon after it is back. Each request: 503 with Retry-After within ten seconds (issue 4, "Bad input").
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.proxy import Proxy
from tests.faults.test_s3 import asked, pushed
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.s3_proxy import S3Proxy, start_s3_proxy
from tests.parts.server import RunningServer, start_moorage

pytestmark = [pytest.mark.faults, pytest.mark.postgresql, pytest.mark.slow]

ANSWERED_WITHIN = 10.0
HEALED_WITHIN = 10.0
GIVEN_UP_WITHIN = 20.0
"""Nine seconds, and what a busy machine takes beside them."""
ROUNDS = 4
CONTENT = b"what was there before"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@dataclass
class Site:
    """A server, and what stands before its parts."""

    server: RunningServer
    store: S3Proxy
    database: Proxy

    def break_store(self) -> None:
        """Close every connection to the store unanswered."""
        self.store.down = True

    def break_database(self) -> None:
        """End every connection to the database, and those that come."""
        self.database.down = True
        self.database.cut()

    def mend(self) -> None:
        """Let everything pass."""
        self.store.down = self.database.down = self.database.mute = False


@pytest.fixture(scope="module")
def site(ceph: Ceph, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a server on S3 and PostgreSQL."""
    data: Path = tmp_path_factory.mktemp("outages") / "data"
    with ExitStack() as stack:
        store = stack.enter_context(start_s3_proxy(ceph.endpoint))
        database = stack.enter_context(Proxy(postgres.port))
        config = ceph.configuration(ceph.bucket()).replace(ceph.endpoint, store.endpoint)
        settings = {"MOORAGE_DATABASE__URL": postgres.url(postgres.create(), database.port)}
        server = stack.enter_context(start_moorage(data, config=config, environment=settings))
        assert pushed(server, CONTENT) == DIGEST
        yield Site(server, store, database)


def push(server: RunningServer) -> tuple[int, dict[str, str], bytes]:
    """Push in one request."""
    content = b"new"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return asked(server, "POST", f"/v2/team/app/blobs/uploads/?digest={digest}", content)


def pull(server: RunningServer) -> tuple[int, dict[str, str], bytes]:
    """Pull what was there before."""
    return asked(server, "GET", f"/v2/team/app/blobs/{DIGEST}")


@pytest.mark.parametrize(("broken", "part"), [(Site.break_store, "storage s3"), (Site.break_database, "database")])
def test_what_needs_the_part_is_told_soon_and_heals(site: Site, broken: Callable[[Site], None], part: str) -> None:
    broken(site)
    try:
        for _ in range(ROUNDS):
            for request in (push, pull):
                _see_refused(site.server, request)
            _wait_until(lambda: _ready(site.server) == (503, "down", {part}))
            assert asked(site.server, "GET", "/livez")[0] == 200
    finally:
        site.mend()
    _wait_until(lambda: (pull(site.server)[0], push(site.server)[0]) == (200, 201))
    _wait_until(lambda: _ready(site.server) == (200, "ready", set()))


def test_database_that_takes_questions_and_answers_none_is_given_up(site: Site) -> None:
    """As one whose processes are stopped while their machine lives: no keepalive notices."""
    assert pull(site.server)[0] == 200  # so that there is a connection
    site.database.mute = True
    try:
        for request in (push, pull):
            _see_refused(site.server, request, GIVEN_UP_WITHIN)
    finally:
        site.mend()
    _wait_until(lambda: (pull(site.server)[0], push(site.server)[0]) == (200, 201))


def _ready(server: RunningServer) -> tuple[int, str, set[str]]:
    """Give status, word and the parts that are named."""
    status, _, body = asked(server, "GET", "/readyz")
    found = json.loads(body)
    return status, found.pop("status"), set(found)


def _wait_until(holds: Callable[[], bool]) -> None:
    """See it within as long as healing may take; a look of the probe is remembered for a second."""
    end = time.monotonic() + HEALED_WITHIN
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def _see_refused(
    server: RunningServer,
    request: Callable[[RunningServer], tuple[int, dict[str, str], bytes]],
    within: float = ANSWERED_WITHIN,
) -> None:
    begun = time.monotonic()
    status, headers, body = request(server)
    assert (status, json.loads(body)["errors"][0]["code"]) == (503, "UNAVAILABLE"), body
    assert headers["retry-after"]
    assert time.monotonic() - begun <= within
