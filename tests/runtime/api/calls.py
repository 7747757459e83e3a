"""The router on the engine's own server with handlers of the test's, and an engine that has no services."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runtime.api.endpoints import Endpoint
from runtime.api.router import Router
from runtime.config import Settings
from runtime.engine import Engine
from runtime.events import Events
from tests.parts.asgi import Serving, serving
from tests.parts.engine import UnixConnection


@dataclass(frozen=True)
class Bare:
    """What the API itself needs of an engine."""

    settings: Settings
    events: Events
    threads: ThreadPoolExecutor


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The body's lines, read."""
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass(frozen=True)
class Api:
    """A served API."""

    server: Serving
    engine: Bare

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """One request on a connection of its own."""
        connection = UnixConnection(self.server.path)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
        finally:
            connection.close()


@contextmanager
def api(rows: Sequence[Endpoint]) -> Iterator[Api]:
    """Serve these endpoints."""
    with ThreadPoolExecutor(8) as threads:
        engine = Bare(Settings(data=Path("/nowhere")), Events(), threads)
        with serving(Router(cast(Engine, engine), rows)) as server:
            yield Api(server, engine)
