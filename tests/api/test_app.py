"""The composition: one factory that workers can be given, what a start and an end do, and what outlives neither."""

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy.pool import QueuePool

from registry.api import answers, router
from registry.api.endpoints import ENDPOINTS
from registry.app import Server, app_factory, create_app, prepare
from registry.catalog.manifests import ManifestEntry
from registry.parts import database_for
from registry.settings import Auth, Database, Log, Settings, Storage
from storage.digest import Digest
from storage.layout import Layout
from tests.spec.asgi import Client
from tests.spec.conftest import Start
from tests.spec.contents import image


@pytest.fixture
def settings(fast_directory: Path, name: str) -> Settings:
    """Settings of a data directory that is there and prepared."""
    path = fast_directory / name.replace("/", "-")
    Layout.open(path, create=True)
    settings = Settings(auth=Auth(mode="open"), storage=Storage(path=path, reserve_bytes=0), log=Log(access=False))
    prepare(settings)
    return settings


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undo what configuring the logs does to this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("logging_restored")
def test_the_factory_survives_the_way_to_a_worker(settings: Settings) -> None:
    factory = pickle.loads(pickle.dumps(app_factory(settings)))  # noqa: S301  # our own bytes
    with Client(factory()) as client:
        answer = client.request("GET", "/v2/").expect(200)
        assert answer["x-request-id"]


@pytest.mark.usefixtures("logging_restored")
def test_a_request_that_has_no_use_for_a_body_may_have_none(settings: Settings) -> None:
    with Client(create_app(settings)) as client:
        client.request("GET", "/v2/", b"", {"content-length": "5"}).expect(413, "SIZE_INVALID")


@pytest.mark.usefixtures("logging_restored")
def test_the_limit_of_requests_in_flight_spares_the_probes(settings: Settings) -> None:
    limits = settings.limits.model_copy(update={"requests_in_flight": 1})
    with Client(create_app(settings.model_copy(update={"limits": limits}))) as client:
        found = client.together(*(client.send("GET", "/v2/_catalog") for _ in range(4)), client.send("GET", "/readyz"))
        assert sorted(answer.status for answer in found[:4])[-1] == 503
        assert found[4].status == 200


def test_nothing_but_http_and_lifespan_is_answered(start: Start) -> None:
    registry = start()

    async def never(*_: object) -> None:
        raise AssertionError

    registry.run(registry.app({"type": "websocket", "path": "/v2/"}, never, never))  # type: ignore[arg-type]  # never called


def test_a_foreign_database_is_asked_each_time() -> None:
    """Only SQLite tells without a query whether something changed."""
    pytest.importorskip("psycopg")
    settings = Settings(auth=Auth(mode="open"), database=Database(url="postgresql+psycopg://127.0.0.1:1/none"))
    database = database_for(settings)
    assert database.path is None
    database.close()


def test_prepare_tells_a_second_start_apart(settings: Settings) -> None:
    prepare(settings)  # harmless: the schema is there
    with Client(Server(settings)) as client:
        client.request("GET", "/readyz").expect(200)


def test_the_heads_of_manifests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "HEADS_LIMIT", 5)
    heads = answers.ManifestHeads()
    digest = Digest.of(b"x")
    for number in range(12):
        entry = ManifestEntry(number, digest, "application/x", number)
        assert (b"content-length", str(number).encode()) in heads.of(entry)
        assert heads.of(entry) is heads.of(entry)


def test_the_paths_that_are_remembered_are_bounded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "PATHS_LIMIT", 5)
    registry = start()
    registry.push("a", "latest", image())
    for number in range(12):
        registry.get(f"/v2/a/manifests/t{number}").expect(404)
    registry.get("/v2/a/manifests/latest").expect(200)
    registry.get(f"/v2/a/manifests/{'x' * 600}").expect(404)  # too long to be remembered


def test_no_endpoint_is_there_twice() -> None:
    keys = [(method, row.pattern, row.query) for row in ENDPOINTS for method in row.methods]
    assert len(keys) == len(set(keys))


def test_a_database_elsewhere_is_asked_for_fewer_connections() -> None:
    urls = {"sqlite:////tmp/x.db": 8 + 2 * 16 + 2, "postgresql://user@host/name": 16}
    for url, connections in urls.items():
        database = database_for(Settings.model_validate({"database": {"url": url}}))
        pool = database.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.size() == connections
        database.close()
