"""The parts of deploy/compose.scale.yaml as processes of this machine: no container, but its settings and commands.

Two replicas with the environment of the file, the secrets that the script makes, PostgreSQL, the S3 server and the
one-shot that makes the bucket, by their own command lines, and Caddy with its file. What differs is where things are:
addresses and paths.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.composed import SECRETS, Composed, make_secrets, read_compose
from tests.parts.commands import run, start, stop, wait_until
from tests.parts.postgres import Postgres
from tests.parts.reverse_proxies import ReverseProxy, start_proxy
from tests.parts.server import RunningServer, accepts, free_port
from tests.parts.tools import require

MOORAGE = str(Path(sys.executable).with_name("moorage"))
S3_KEY = "MOORAGE_STORAGE__S3__{}"


@contextmanager
def database(composed: Composed, postgres: Postgres, secrets: Path) -> Iterator[None]:
    """The role and the database that the image of PostgreSQL makes of its variables; the secret says where they are."""
    given = composed.service("postgres").environment
    name, owner = given["POSTGRES_DB"], given["POSTGRES_USER"]
    password = (secrets / "postgres_password").read_text().strip()
    postgres.psql(f"CREATE ROLE \"{owner}\" LOGIN PASSWORD '{password}'")
    try:
        postgres.psql(f'CREATE DATABASE "{name}" OWNER "{owner}" TEMPLATE template0 ENCODING \'UTF8\'')
        url = secrets / "database_url"
        url.chmod(0o600)
        url.write_text(url.read_text().replace("@postgres/", f"@127.0.0.1:{postgres.port}/"))
        yield
    finally:
        postgres.drop(name)
        postgres.psql(f'DROP ROLE "{owner}"')


@contextmanager
def store(composed: Composed, secrets: Path) -> Iterator[dict[str, str]]:
    """The S3 server and its bucket; gives what the replicas' environment says otherwise."""
    program = require("versitygw")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="s3-", dir="/var/tmp") as directory:
        log = Path(directory) / "log"
        data = Path(directory) / "data"
        data.mkdir()
        places = {"/app/versitygw": program, SECRETS: str(secrets), "/data": str(data), "s3:7070": f"127.0.0.1:{port}"}
        command, variables = composed.service("s3").relocated(places | {":7070": f"127.0.0.1:{port}"})
        process = start("env", *(f"{name}={value}" for name, value in variables.items()), *command, log=log)
        try:
            wait_until(lambda: accepts(port), "the start of the S3 server", log)
            words, variables = composed.service("bucket").relocated(places)
            for _ in range(2):  # it is run again with each `up`
                run(*words, environment=variables)
            yield {S3_KEY.format("ENDPOINT"): f"http://127.0.0.1:{port}"}
        finally:
            stop(process)


@contextmanager
def replicas(
    composed: Composed, secrets: Path, directory: Path, places: Mapping[str, str]
) -> Iterator[tuple[RunningServer, ...]]:
    """Every replica of the file, started at once, as Compose does it."""
    made = []
    for service in composed.replicas():
        port, data = free_port(), directory / service.name
        _, environment = service.relocated({SECRETS: str(secrets), "/var/lib/moorage": str(data)})
        image = {"MOORAGE_SERVER__LISTEN": f"127.0.0.1:{port}", "MOORAGE_STORAGE__PATH": str(data)}
        trusted = {"MOORAGE_SERVER__TRUSTED_PROXIES": "127.0.0.1", "TMPDIR": str(directory)}
        made.append(
            RunningServer(
                command=[MOORAGE, "serve"],
                log=directory / f"{service.name}.log",
                data=data,
                port=port,
                environment={**environment, **image, **trusted, **places},
            )
        )
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(RunningServer.start, made))
        yield tuple(made)
    finally:
        for server in made:
            server.kill()


@dataclass(frozen=True, slots=True)
class Scale:
    """All of it, running; `password` is the administrator's."""

    proxy: ReverseProxy
    servers: tuple[RunningServer, ...]
    password: str


@contextmanager
def start_scale(postgres: Postgres, directory: Path) -> Iterator[Scale]:
    """Everything that the file names, each after what it depends on."""
    composed, secrets = read_compose("compose.scale.yaml"), make_secrets(directory / "secrets")
    with ExitStack() as stack:
        stack.enter_context(database(composed, postgres, secrets))
        places = stack.enter_context(store(composed, secrets))
        servers = stack.enter_context(replicas(composed, secrets, directory, places))
        proxy = stack.enter_context(start_proxy("caddy", [server.port for server in servers]))
        yield Scale(proxy, servers, (secrets / "admin_password").read_text().strip())
