"""The settings' sections: frozen, closed to unknown keys. Sizes are bytes, times `timedelta`, secrets hidden."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from registry.settings.section import HOUR, MINUTE, ZERO, Duration, Section, listed
from registry.settings.storage import Gc, Storage


def _proxy(value: str) -> str:
    """Take a network of proxies. Raises ValueError."""
    if value != "unix":
        ip_network(value, strict=False)
    return value


def _public_url(value: str) -> str:
    """Take the address that clients use: a scheme and a host. Raises ValueError."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+/?", value, re.ASCII):
        raise ValueError("it has to be http:// or https:// with a host and, maybe, a port, and no path")
    return value.rstrip("/")


NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,127}$"


class Server(Section):
    """How the server listens and works."""

    listen: str = Field("127.0.0.1:5000", description="HOST:PORT; [::1]:5000 for IPv6; port 0 picks a free one")
    uds: Path | None = Field(None, description="listen on this unix socket instead of `listen`")
    workers: int = Field(0, ge=0, le=256, description="worker processes; 0: one for each core, 4 at most")
    engine: Literal["uvicorn", "granian"] = Field("uvicorn", description="the HTTP server under the app")
    tls_cert: Path | None = Field(None, description="certificate chain in PEM; read again when it changes")
    tls_key: Path | None = Field(None, description="private key in PEM")
    public_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None, description="the address that clients use, such as https://registry.example; none: what each request says"
    )
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], BeforeValidator(listed)] = Field(
        (), description="networks of reverse proxies whose X-Forwarded-* headers count; `unix` for a unix socket"
    )
    drain_timeout: Duration = Field(timedelta(seconds=30), description="how long SIGTERM waits for open requests")
    header_timeout: Duration = Field(
        timedelta(seconds=10), gt=ZERO, description="how long a request's headers may take"
    )
    keep_alive: Duration = Field(timedelta(seconds=75), gt=ZERO, description="how long an idle connection is kept")
    stall_timeout: Duration = Field(
        timedelta(seconds=60), gt=ZERO, description="how long a reader or writer may stand still"
    )


class Limits(Section):
    """How much one request, and all of them together, may take."""

    requests_in_flight: int = Field(512, ge=1, description="requests a worker handles at once; more get 503")
    blob_bytes: int = Field(20 * 2**30, ge=1, description="the largest blob")
    uploads_per_subject: int = Field(256, ge=1, description="upload sessions of one user (open mode: one address)")
    storage_threads: int = Field(16, ge=1, le=256, description="threads of a worker that write blobs, and that read")
    database_threads: int = Field(8, ge=1, le=256, description="threads, and connections, of a worker for SQL")


class Database(Section):
    """Where the catalog is."""

    url: str | None = Field(
        None, description="postgresql://user:password@host/name; none: SQLite in the data directory"
    )
    direct_url: str | None = Field(
        None, description="the same database past a pooler such as PgBouncer, for locks of a session; none: `url`"
    )
    auto_migrate: bool = Field(
        True, description="a server that starts brings the schema up to date; false: `moorage db upgrade` does"
    )


class Manifests(Section):
    """What is asked of manifests."""

    allow_missing: bool = Field(False, description="accept manifests whose children are not here")


class Uploads(Section):
    """What becomes of unfinished uploads."""

    expiry: Duration = Field(
        timedelta(hours=24), gt=ZERO, description="a session that moved no byte for so long is removed"
    )
    sweep_interval: Duration = Field(timedelta(hours=1), gt=ZERO, description="how often that is looked for")


class Jobs(Section):
    """Work that no request waits for."""

    in_server: bool = Field(True, description="servers do jobs themselves; false: only `moorage worker` does")
    keep: Duration = Field(timedelta(days=30), ge=HOUR, description="how long it is told what jobs did")


class Auth(Section):
    """Who may do what."""

    mode: Literal["accounts", "open"] = Field("accounts", description="open: everyone may read and write everything")
    service: str = Field(
        "moorage", pattern=NAME, description="what tokens are for (`service`, `aud`); the same on every replica"
    )
    issuer: str = Field("moorage", pattern=NAME, description="who makes tokens (`iss`); the same on every replica")
    token_lifetime: Duration = Field(
        timedelta(minutes=5),
        ge=MINUTE,
        le=HOUR,
        description="how long a token is good; so long, and 30 s for clocks that differ, a revoked right lives on",
    )
    refresh_tokens: bool = Field(
        True, description="give `docker login` a revocable refresh token to keep in place of the password"
    )
    refresh_lifetime: Duration = Field(timedelta(days=90), ge=MINUTE, description="how long a refresh token is good")
    key_rotation: Duration = Field(
        timedelta(days=90), description="how old the signing key gets before the next one takes over; 0: never"
    )


class Secrets(Section):
    """What must be known to nobody else."""

    master_key: SecretStr | None = Field(
        None, description="seals the signing keys in the database; none: master.key in the data directory"
    )


class Admin(Section):
    """The administrator of the first start."""

    password: SecretStr | None = Field(
        None, description="of the user `admin`, at the first start only; none: a random one, shown once"
    )


class Audit(Section):
    """The trail of who did what."""

    path: Path | None = Field(None, description="the file of JSON lines; none: audit.jsonl in the data directory")
    keep: Duration = Field(timedelta(days=365), ge=HOUR, description="how long the database keeps its rows")


class Log(Section):
    """What is written to standard error."""

    format: Literal["text", "json"] = Field("text", description="for people, or for machines")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least level that is written")
    access: bool = Field(True, description="one line for each request")


class Settings(Section):
    """All settings."""

    server: Server = Field(default_factory=Server)
    limits: Limits = Field(default_factory=Limits)
    storage: Storage = Field(default_factory=Storage)
    database: Database = Field(default_factory=Database)
    manifests: Manifests = Field(default_factory=Manifests)
    uploads: Uploads = Field(default_factory=Uploads)
    gc: Gc = Field(default_factory=Gc)
    jobs: Jobs = Field(default_factory=Jobs)
    auth: Auth = Field(default_factory=Auth)
    secrets: Secrets = Field(default_factory=Secrets)
    admin: Admin = Field(default_factory=Admin)
    audit: Audit = Field(default_factory=Audit)
    log: Log = Field(default_factory=Log)

    @property
    def database_url(self) -> str:
        """Give the catalog's URL."""
        return self.database.url or f"sqlite:///{self.storage.path.absolute() / 'moorage.db'}"

    @property
    def direct_database_url(self) -> str:
        """Give the catalog's URL for what needs a session of its own."""
        return self.database.direct_url or self.database_url

    @property
    def audit_path(self) -> Path:
        """Give the file of the audit trail's lines."""
        return self.audit.path or self.storage.path / "audit.jsonl"
