"""A registry with accounts moves from SQLite to PostgreSQL: pulls never stop, and nobody has to sign in again."""

import sys
from pathlib import Path

import pytest

from tests.access.live import ADMIN, live
from tests.access.live import Live as Registry
from tests.access.world import basic
from tests.parts.commands import run
from tests.parts.postgres import Postgres
from tests.parts.server import ServerFailed, start_moorage
from tests.spec.contents import EMPTY

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]
NAME = "admin/app"


def moorage(*arguments: str | Path) -> str:
    """Run a command as an administrator does."""
    return run(Path(sys.executable).with_name("moorage"), *arguments)


def test_a_registry_moves(postgres: Postgres, tmp_path: Path) -> None:
    data, url = tmp_path / "data", postgres.url(postgres.create())
    with live(tmp_path) as before:
        manifest = before.stock(NAME, EMPTY)
        personal = basic("admin", moorage("token", "create", "admin", "--quiet", "--data", data).strip())
        token = before.token(ADMIN, f"repository:{NAME}:pull,push")
        moorage("db", "migrate", "--data", data, "--to", url)

        for headers in (personal, token):
            assert before.call("GET", f"/v2/{NAME}/manifests/latest", headers).body == manifest
        assert before.token(ADMIN, f"repository:{NAME}:pull")
        refused = before.call("POST", f"/v2/{NAME}/blobs/uploads/", personal)
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "UNAVAILABLE", "5")
        assert b"moving to another place" in refused.body
        assert "start the server with database.url" in before.log()
        before.server.stop()

        with start_moorage(data, accounts=True, environment={"MOORAGE_DATABASE__URL": url}) as server:
            after = Registry(server, before.accounts)
            for headers in (personal, token, ADMIN):
                assert after.call("GET", f"/v2/{NAME}/manifests/latest", headers).body == manifest
            after.stock("admin/new", EMPTY, b"new")
            assert (
                after.call("GET", "/v2/admin/new/tags/list", personal).body == b'{"name":"admin/new","tags":["latest"]}'
            )
        with pytest.raises(ServerFailed, match=r"has moved to PostgreSQL.*--reopen"):
            before.server.start()
        with pytest.raises(AssertionError, match="has been written to since the move"):
            moorage("db", "migrate", "--data", data, "--to", url, "--reopen")
