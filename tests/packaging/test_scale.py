"""deploy/compose.scale.yaml at work: two replicas are one registry, and one of them may end while the other serves."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from tests.access.world import basic
from tests.packaging.scaled import MOORAGE, Scale, start_scale
from tests.parts.commands import run, wait_until
from tests.parts.images import MEBIBYTE, Layout, one_layer_image
from tests.parts.postgres import Postgres
from tests.parts.server import RunningServer, clean_environment
from tests.parts.tools import require

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.postgresql]

TRIES = 3  # of a client, as docker and containerd make them
IMAGE = 24 * MEBIBYTE  # three parts of a multipart upload


@pytest.fixture(scope="module")
def scale(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scale]:
    """Everything, running."""
    with start_scale(postgres, tmp_path_factory.mktemp("scale")) as running:
        yield running


def call(port: int, method: str, target: str, password: str, body: bytes) -> tuple[int, bytes, str | None]:
    """One request on a connection of its own: the answer's status, body and Retry-After."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, body, basic("admin", password))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["retry-after"]
    finally:
        connection.close()


def test_an_image_that_came_through_the_proxy_is_at_both(scale: Scale, tmp_path: Path) -> None:
    one_layer_image(Layout(tmp_path / "layout"), "big", IMAGE)
    logins = tmp_path / "auth.json"
    logins.write_text("{}")
    skopeo = partial(run, require("skopeo"), "--insecure-policy", environment={"REGISTRY_AUTH_FILE": str(logins)})
    credentials = f"admin:{scale.password}"
    target = f"docker://{scale.proxy.host}/admin/app:big"
    plain = ("--dest-tls-verify=false", f"--dest-creds={credentials}")
    skopeo("copy", "--preserve-digests", *plain, f"oci:{tmp_path}/layout:big", target)
    for number, server in enumerate(scale.servers):
        plain = ("--src-tls-verify=false", f"--src-creds={credentials}")
        skopeo("copy", *plain, f"docker://{server.host}/admin/app:big", f"dir:{tmp_path}/{number}")
        pulled = {path.name for path in (tmp_path / str(number)).iterdir()}
        assert pulled >= {path.name for path in (tmp_path / "layout" / "blobs" / "sha256").iterdir()} - {
            sha256((tmp_path / str(number) / "manifest.json").read_bytes()).hexdigest()
        }


def test_a_command_beside_a_replica_works_on_what_both_share(scale: Scale) -> None:
    first, second = (clean_environment() | dict(server.environment) for server in scale.servers)
    run(MOORAGE, "config", "check", environment=first)
    run(MOORAGE, "user", "add", "ada", "--generate", environment=first)
    assert "ada" in run(MOORAGE, "user", "list", environment=second)


def test_replicas_end_one_after_the_other_and_no_push_or_pull_fails(scale: Scale) -> None:
    done, failed, pushed = threading.Event(), list[str](), list[int]()

    def push_and_pull() -> None:
        while not done.is_set():
            content = os.urandom(64 * 1024)
            digest = f"sha256:{sha256(content).hexdigest()}"
            uploads, blob = f"/v2/admin/rolling/blobs/uploads/?digest={digest}", f"/v2/admin/rolling/blobs/{digest}"
            failed.extend(problem(scale, "POST", uploads, content, 201, b""))
            failed.extend(problem(scale, "GET", blob, b"", 200, content))
            pushed.append(1)

    client = threading.Thread(target=push_and_pull)
    client.start()
    try:
        for server in scale.servers:
            wanted = answered(server) + 5
            server.restart()
            wait_until(partial(has_answered, server, wanted), "the proxy's return to a replica", server.log)
    finally:
        done.set()
        client.join()
    assert failed == [], (scale.proxy.place / "log").read_text()[-4000:]
    assert len(pushed) >= 5


def answered(server: RunningServer) -> int:
    """How many of these requests the replica has answered, before a restart too."""
    return server.log.read_text().count("/v2/admin/rolling/blobs/")


def has_answered(server: RunningServer, count: int) -> bool:
    """Whether there are so many by now."""
    return answered(server) >= count


def problem(scale: Scale, method: str, target: str, body: bytes, wanted: int, content: bytes) -> list[str]:
    """What a client meets that comes again a few times, after the time that it is told; nothing, if that helps."""
    said = []
    for _ in range(TRIES):
        status, answer, after = call(scale.proxy.port, method, target, scale.password, body)
        if status == wanted and answer == content:
            return []
        said.append(f"{method} {target}: {status} {answer[:200]!r}")
        time.sleep(float(after or 0))
    return said
