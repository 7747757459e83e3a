"""A real server with accounts, its catalog beside it, and short ways to ask it something."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.access.world import Accounts, accounts_of, basic, bearer
from tests.faults.target import SABOTAGED
from tests.parts.server import ADMIN_PASSWORD, Engine, RunningServer, start_moorage
from tests.spec.contents import OCI_INDEX, digest_of, index, written

Headers = Mapping[str, str]
PATIENCE = 240  # seconds: a password waits for its turn, and a busy machine is not what is measured
ADMIN = basic("admin", ADMIN_PASSWORD)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; headers by their names in lower case, the last of each."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Give the first error's code."""
        return str(json.loads(self.body)["errors"][0]["code"])


@dataclass(frozen=True, slots=True)
class Live:
    """A running server and the use cases of accounts on its data."""

    server: RunningServer
    accounts: Accounts

    @property
    def port(self) -> int:
        """Where requests go."""
        return self.server.port

    def call(self, method: str, target: str, headers: Headers | None = None, body: bytes = b"") -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, target, body, {"content-length": str(len(body)), **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def token(self, headers: Headers, *scopes: str) -> dict[str, str]:
        """Sign in for a token and give the header that shows it."""
        query = "&".join(f"scope={quote(scope)}" for scope in scopes)
        reply = self.call("GET", f"/token?service=moorage&{query}", headers)
        assert reply.status == 200, reply
        return bearer(str(json.loads(reply.body)["token"]))

    def stock(self, name: str, *blobs: bytes) -> bytes:
        """Push blobs and a manifest with the tag latest; give the manifest."""
        for blob in blobs:
            target = f"/v2/{name}/blobs/uploads/?digest={digest_of(blob)}"
            assert self.call("POST", target, ADMIN, blob).status == 201
        manifest = written(index(annotations={"in": name}))
        reply = self.call("PUT", f"/v2/{name}/manifests/latest", {**ADMIN, "content-type": OCI_INDEX}, manifest)
        assert reply.status == 201, reply
        return manifest

    def log(self) -> str:
        """Give what the server has written to its log."""
        return self.server.log.read_text(errors="replace")

    def trail(self) -> str:
        """Give the lines of the audit trail."""
        path = self.server.data / "audit.jsonl"
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def live(
    directory: Path,
    *,
    workers: int = 2,
    engine: Engine = "uvicorn",
    sabotage: str = "",
    **settings: str,
) -> Iterator[Live]:
    """Run a server; settings are written SECTION__KEY=value."""
    environment = {f"MOORAGE_{name}": value for name, value in settings.items()}
    if sabotage:
        path = os.pathsep.join(filter(None, (str(SABOTAGED), os.environ.get("PYTHONPATH"))))
        environment |= {"PYTHONPATH": path, "FAULTS_SABOTAGE": sabotage}
    directory.mkdir(parents=True, exist_ok=True)
    data = directory / "data"
    with (
        start_moorage(data, accounts=True, workers=workers, engine=engine, environment=environment) as server,
        accounts_of(data) as accounts,
    ):
        yield Live(server, accounts)
