"""The composition root: from settings to a driver, a catalog, the use cases, and the ASGI app around them.

`prepare` is done once, by the process that serves; `create_app` once in each of its workers.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from auth.policy import OpenPolicy
from registry.api.answers import ManifestHeads
from registry.api.call import Services
from registry.api.health import PATHS, Health
from registry.api.router import Router, not_found
from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.engine import Database, connect
from registry.catalog.hot import HotReads
from registry.catalog.version import DataVersion
from registry.content.blobs import Blobs
from registry.content.listings import Listings
from registry.content.manifests import Manifests
from registry.content.uploads import UploadLimits, Uploads
from registry.edge.access import Access
from registry.edge.access_log import AccessLog
from registry.edge.bridge import Bridge
from registry.edge.deadlines import Deadlines
from registry.edge.inflight import InFlight
from registry.edge.logs import configure_logging
from registry.jobs.sweep import Sweeper
from registry.settings import Settings
from storage.blobs import BlobStore
from storage.filesystem import FilesystemDriver

STORE = "default"


def prepare(settings: Settings) -> None:
    """Bring the database's schema up to date. Raises registry.catalog.schema.SchemaError."""
    database = database_for(settings)
    try:
        schema.upgrade(database, settings.storage.path / "migration.lock")
    finally:
        database.close()


class Server:
    """The app: probes and /v2/, and what has to start and end with them."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        database = database_for(settings)
        stores = {STORE: BlobStore(_driver(settings), name=STORE)}
        catalog = Catalog(database)
        bridge = Bridge(sql=limits.database_threads, writes=limits.storage_threads, reads=limits.storage_threads)
        uploads = Uploads(
            catalog,
            stores,
            store=STORE,
            limits=UploadLimits(settings.uploads.expiry, limits.uploads_per_subject, limits.blob_bytes),
        )
        hot = HotReads(catalog, _data_version(database))
        services = Services(
            hot=hot,
            heads=ManifestHeads(),
            manifests=Manifests(catalog, allow_missing=settings.manifests.allow_missing),
            blobs=Blobs(catalog, stores),
            uploads=uploads,
            listings=Listings(catalog),
            access=Access(OpenPolicy()),
            bridge=bridge,
        )
        self._sweeper = Sweeper(uploads, bridge.writes, settings.uploads.sweep_interval)
        self._router = Router(services)
        self._health = Health(catalog, stores, bridge.sql)
        self._closing = ExitStack()
        for close in (catalog.close, hot.close, bridge.close):
            self._closing.callback(close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take part in the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._app_for(scope["path"])(scope, receive, send)

    def _app_for(self, path: str) -> ASGIApp:
        if path.startswith("/v2/") or path == "/v2":
            return self._router
        return self._health if path in PATHS else not_found()

    async def _live(self, receive: Receive, send: Send) -> None:
        """Follow the ASGI lifespan protocol."""
        await receive()
        self._sweeper.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._sweeper.stop()
        self._closing.close()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings) -> ASGIApp:
    """Make one worker's app: the server inside what every request passes, the access log outermost."""
    configure_logging(settings.log.format, settings.log.level)
    app: ASGIApp = Deadlines(Server(settings))
    app = InFlight(app, limit=settings.limits.requests_in_flight, exempt=PATHS)
    return AccessLog(app, format=settings.log.format if settings.log.access else None, quiet=PATHS)


def app_factory(settings: Settings) -> Callable[[], ASGIApp]:
    """Give what a worker process calls to get its app; can be pickled."""
    return partial(create_app, settings)


def database_for(settings: Settings) -> Database:
    """Give the catalog's database; opens nothing yet."""
    # One for every thread that may ask, and one for the event loop, which must never wait for a connection.
    limits = settings.limits
    return connect(settings.database_url, pool_size=limits.database_threads + 2 * limits.storage_threads + 1)


def _driver(settings: Settings) -> FilesystemDriver:
    return FilesystemDriver(settings.storage.path, reserve=settings.storage.reserve_bytes)


def _data_version(database: Database) -> DataVersion | None:
    """Watch a SQLite catalog for commits; other databases are asked each time."""
    return DataVersion(database.path) if database.path else None
