"""The composition root: from settings to a driver, a catalog, the use cases, and the ASGI app around them.

`prepare` is done once, by the process that serves; `create_app` once in each of its workers.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from auth.passwords import PasswordHasher
from auth.tokens import Verifier
from registry.accounts.first_start import ensure_administrator
from registry.accounts.keys import KeyRing
from registry.accounts.master import load_master_key
from registry.accounts.services import AccountServices, TokenSettings
from registry.api.answers import ManifestHeads
from registry.api.call import Accounts, Services
from registry.api.health import PATHS, Health
from registry.api.redirects import Redirects
from registry.api.router import BESIDE, Router, not_found
from registry.audit import Audit
from registry.catalog import schema
from registry.catalog.catalog import Catalog
from registry.catalog.hot import HotReads
from registry.content.blobs import Blobs
from registry.content.listings import Listings
from registry.content.manifests import Manifests
from registry.content.pulls import Pulls
from registry.content.stores import adopt, require_named
from registry.edge.access import Access, AccountAccess, OpenAccess
from registry.edge.access_log import AccessLog
from registry.edge.bridge import Bridge
from registry.edge.challenges import Challenges
from registry.edge.deadlines import Deadlines
from registry.edge.doorman import Doorman
from registry.edge.forwarded import Forwarded
from registry.edge.inflight import InFlight
from registry.edge.logs import configure_logging
from registry.jobs.periodic import Periodic
from registry.jobs.runner import Runner
from registry.parts import (
    audit_for,
    claim_stores,
    data_version,
    database_for,
    direct_database,
    migration_lock,
    secret_of,
    stores_for,
    uploads_for,
)
from registry.settings import Settings
from registry.upkeep import OPERATOR, chores, job_runner, storage_chores


def prepare(settings: Settings) -> str | None:
    """Bring the database's schema, stores' names, keys and first administrator up to date.

    Returns: the first administrator's random password, to be shown once; None where there is none to show.
    Raises:  registry.catalog.schema.SchemaError, registry.accounts.keys.WrongMasterKeyError,
             registry.accounts.first_start.BadAdminPassword, registry.content.stores.StoreNotNamed,
             storage.errors.StorageError.
    """
    claim_stores(settings)
    database = direct_database(settings)
    try:
        if settings.database.auto_migrate:
            schema.upgrade(database, migration_lock(settings))
        else:
            schema.require_head(database)
        catalog = Catalog(database)
        adopt(catalog, settings.storage.stores[-1])
        require_named(catalog, settings.storage.stores)
        return _prepare_accounts(settings, catalog) if settings.auth.mode == "accounts" else None
    finally:
        database.close()


def _prepare_accounts(settings: Settings, catalog: Catalog) -> str | None:
    audit = audit_for(settings, catalog)
    with catalog.read() as tx:
        fresh = not tx.keys.all()
    master = load_master_key(settings.storage.path, secret_of(settings, "master_key"), create=fresh)
    KeyRing(catalog, master, audit).ensure()
    return ensure_administrator(audit, PasswordHasher(), secret_of(settings, "password"), OPERATOR)


class Server:
    """The app: probes, the endpoint table, and what has to start and end with them."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        database = database_for(settings)
        stores = stores_for(settings)
        catalog = Catalog(database)
        audit = audit_for(settings, catalog)
        bridge = Bridge(sql=limits.database_threads, writes=limits.storage_threads, reads=limits.storage_threads)
        uploads = uploads_for(settings, catalog, stores)
        hot = HotReads(catalog, data_version(database))
        pulls = Pulls(catalog)
        blobs = Blobs(catalog, stores, audit, settings.gc.grace)
        accounts = account_services(settings, catalog, audit) if settings.auth.mode == "accounts" else None
        access, signing_in = _access(settings, catalog, bridge, accounts)
        services = Services(
            hot=hot,
            heads=ManifestHeads(),
            manifests=Manifests(audit, allow_missing=settings.manifests.allow_missing),
            blobs=blobs,
            uploads=uploads,
            listings=Listings(catalog),
            access=access,
            bridge=bridge,
            pulls=pulls,
            redirects=_redirects(settings, blobs, bridge),
            accounts=signing_in,
        )
        self._bridge = bridge
        self._periodic = (
            Periodic(bridge.sql, chores(audit, pulls, accounts, settings.auth.key_rotation)),
            Periodic(bridge.writes, storage_chores(uploads)),
        )
        self._jobs = job_runner(settings, catalog, audit, uploads) if settings.jobs.in_server else None
        self._router = Router(services)
        self._health = Health(catalog, stores, bridge.sql, writes=settings.storage.driver)
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
        if path.startswith("/v2/") or path in BESIDE:
            return self._router
        return self._health if path in PATHS else not_found()

    async def _live(self, receive: Receive, send: Send) -> None:
        """Follow the ASGI lifespan protocol."""
        await receive()
        for periodic in self._periodic:
            periodic.start()
        if self._jobs is not None:
            self._jobs.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._jobs is not None:
            await self._bridge.sql.call(self._jobs.stop)
        for periodic in self._periodic:
            await periodic.stop()
        self._closing.close()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings) -> ASGIApp:
    """Make one worker's app: the server inside what every request passes, trusted proxies undone outermost."""
    configure_logging(settings.log.format, settings.log.level)
    app: ASGIApp = Deadlines(Server(settings))
    app = InFlight(app, limit=settings.limits.requests_in_flight, exempt=PATHS)
    app = AccessLog(app, format=settings.log.format if settings.log.access else None, quiet=PATHS)
    return Forwarded(app, settings.server.trusted_proxies) if settings.server.trusted_proxies else app


def app_factory(settings: Settings) -> Callable[[], ASGIApp]:
    """Give what a worker process calls to get its app; can be pickled."""
    return partial(create_app, settings)


def _access(
    settings: Settings, catalog: Catalog, bridge: Bridge, accounts: AccountServices | None
) -> tuple[Access, Accounts | None]:
    if accounts is None:
        return OpenAccess(), None
    doorman = Doorman(accounts.sign_in, bridge)
    access = AccountAccess(
        catalog,
        accounts.keys,
        Verifier(issuer=settings.auth.issuer, audience=settings.auth.service),
        doorman,
        Challenges(public_url=settings.server.public_url, service=settings.auth.service),
        bridge.sql,
    )
    return access, Accounts(doorman, accounts.tokens, accounts.keys)


@contextmanager
def job_worker(settings: Settings) -> Iterator[Runner]:
    """Give what does jobs without a server, on a database and a store that servers have made."""
    database = database_for(settings)
    catalog = Catalog(database)
    try:
        schema.require_head(database)
        require_named(catalog, settings.storage.stores)
        uploads = uploads_for(settings, catalog, stores_for(settings))
        yield job_runner(settings, catalog, audit_for(settings, catalog), uploads)
    finally:
        catalog.close()


def account_services(settings: Settings, catalog: Catalog, audit: Audit) -> AccountServices:
    """Give the use cases of accounts. Raises registry.accounts.keys.WrongMasterKeyError."""
    auth = settings.auth
    return AccountServices(
        catalog,
        audit,
        load_master_key(settings.storage.path, secret_of(settings, "master_key"), create=False),
        TokenSettings(
            auth.issuer, auth.service, auth.token_lifetime, auth.refresh_lifetime if auth.refresh_tokens else None
        ),
    )


def _redirects(settings: Settings, blobs: Blobs, bridge: Bridge) -> Redirects:
    given = settings.storage.s3
    lifetime = given.redirect_lifetime if given.redirect else None
    return Redirects(blobs, bridge.reads, lifetime=lifetime, direct=given.direct_networks)
