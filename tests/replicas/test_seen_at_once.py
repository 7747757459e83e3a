"""What one replica has answered, the other knows: tags that move, deletions, and what is listed.

The proxy is passed by: each question goes to the replica that did not do the deed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import cycle

import pytest

from tests.faults.client import MANIFEST, OCTETS, image
from tests.faults.oracle import ACCEPT, digest_of
from tests.faults.wire import Reply, Wire
from tests.parts.replicas import Replicas

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.postgresql]

ROUNDS = 200 if os.environ.get("MOORAGE_TEST_ALL") else 40
NAME = "seen/app"


@pytest.fixture
def turns(replicas: Replicas) -> Iterator[Iterator[tuple[Wire, Wire]]]:
    """Who does something and who is asked about it, by turns."""
    one, other = (Wire("127.0.0.1", server.port) for server in replicas.servers)
    with one, other:
        yield cycle(((one, other), (other, one)))


def pushed(wire: Wire, number: int, tag: str) -> str:
    """Push an image of one blob by a tag; give the manifest's digest."""
    content = f"blob of {NAME}, {number}".encode()
    reply = wire.call("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest_of(content)}", content, OCTETS)
    assert reply.status == 201
    body = image({digest_of(content): len(content)}, str(number)).body
    reply = wire.call("PUT", f"/v2/{NAME}/manifests/{tag}", body, {"Content-Type": MANIFEST})
    assert reply.status == 201
    return digest_of(body)


def asked(wire: Wire, what: str) -> Reply:
    """Ask about something of the repository."""
    return wire.call("GET", f"/v2/{NAME}/{what}", headers=ACCEPT)


def test_a_tag_that_moves_is_never_stale_at_the_other(turns: Iterator[tuple[Wire, Wire]]) -> None:
    for number, (writer, reader) in zip(range(ROUNDS), turns, strict=False):
        digest = pushed(writer, number, "latest")
        assert asked(reader, "manifests/latest").header("docker-content-digest") == digest


def test_what_is_deleted_at_one_is_gone_at_the_other(turns: Iterator[tuple[Wire, Wire]]) -> None:
    for number, (writer, reader) in zip(range(ROUNDS // 4), turns, strict=False):
        blob = digest_of(f"blob of {NAME}, {-number - 1}".encode())
        digest = pushed(writer, -number - 1, "doomed")
        seen = (f"manifests/{digest}", "manifests/doomed", f"blobs/{blob}")
        assert [asked(reader, what).status for what in seen] == [200] * 3
        assert "doomed" in json.loads(asked(reader, "tags/list").body)["tags"]
        assert writer.call("DELETE", f"/v2/{NAME}/manifests/doomed").status == 202
        assert [asked(reader, what).status for what in seen] == [200, 404, 200]
        assert "doomed" not in json.loads(asked(reader, "tags/list").body)["tags"]
        assert writer.call("DELETE", f"/v2/{NAME}/manifests/{digest}").status == 202
        assert [asked(reader, what).status for what in seen] == [404, 404, 200]
        assert writer.call("DELETE", f"/v2/{NAME}/blobs/{blob}").status == 202
        assert [asked(reader, what).status for what in seen] == [404] * 3
