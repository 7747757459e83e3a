"""The settings' sections: frozen, closed to unknown keys. Sizes are bytes, times `timedelta`, secrets hidden."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)


def _seconds(value: object) -> object:
    """Take a number of seconds that is a text too, for the environment has nothing else."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) else value


def _list(value: object) -> object:
    """Take a list that is a text with commas too, for the environment has nothing else."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


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


def _endpoint(value: str) -> str:
    """Take the address of an S3 store. Raises ValueError."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~/-]*)?", value, re.ASCII):
        raise ValueError("it has to be http:// or https:// with a host and, maybe, a port and a path")
    return value.rstrip("/")


def _prefix(value: str) -> str:
    """Take the start of every key, which ends with a slash. Raises ValueError."""
    if not re.fullmatch(r"([A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+/?", value, re.ASCII):
        raise ValueError("it has to be of letters, digits and _ . - between slashes, such as team/registry/")
    return value if value.endswith("/") else f"{value}/"


def _network(value: str) -> str:
    """Take a network. Raises ValueError."""
    ip_network(value, strict=False)
    return value


NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,127}$"
MIB = 2**20
ZERO, MINUTE, HOUR = timedelta(0), timedelta(minutes=1), timedelta(hours=1)
Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=ZERO)]
"""Seconds, such as 30, or ISO 8601, such as PT24H."""


class Section(BaseModel):
    """A section of the settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


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
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], BeforeValidator(_list)] = Field(
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


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class S3(Section):
    """The bucket, where `storage.driver` is `s3`."""

    bucket: str | None = Field(None, min_length=3, description="the bucket; it has to be there, and empty at first")
    prefix: Annotated[str, AfterValidator(_prefix)] | None = Field(
        None, description="what every key starts with, such as registry/, in a bucket that holds other things too"
    )
    endpoint: Endpoint | None = Field(None, description="the address of the S3 store; none: Amazon's")
    public_endpoint: Endpoint | None = Field(
        None, description="the address by which clients reach the store, where that is another"
    )
    region: str | None = Field(None, description="the bucket's region; none: what Amazon's usual places say")
    path_style: bool = Field(False, description="put the bucket into the path of addresses, as most other stores want")
    access_key: str | None = Field(None, description="the access key; none: what Amazon's usual places say")
    secret_key: SecretStr | None = Field(None, description="the secret that goes with `access_key`")
    storage_class: str | None = Field(None, description="the class of new objects, such as STANDARD_IA")
    sse: Literal["AES256", "aws:kms"] | None = Field(None, description="how the store encrypts new objects")
    sse_kms_key: str | None = Field(None, description="the key for `aws:kms`; none: the store's own")
    part_bytes: int = Field(
        8 * MIB, ge=5 * MIB, le=5120 * MIB, description="the size of parts; more if 10,000 would not hold a blob"
    )
    parallel_parts: int = Field(4, ge=1, le=64, description="how many parts of one upload are sent at a time")
    memory_bytes: int = Field(
        64 * MIB, ge=0, description="memory of a worker for all parts on their way; above it they lie in files"
    )
    redirect: bool = Field(True, description="send clients to the store for blobs; false: pass the bytes through")
    direct_networks: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_list)] = Field(
        (), description="networks whose clients are never sent to the store; this machine's own never are"
    )
    redirect_lifetime: Duration = Field(
        timedelta(minutes=20), ge=15 * MINUTE, le=HOUR, description="how long an address of a blob is good"
    )


class Storage(Section):
    """Where the bytes are."""

    driver: Literal["files", "s3"] = Field("files", description="files in the data directory, or an S3 bucket")
    former: Literal["files", "s3"] | None = Field(
        None, description="where blobs are being moved away from, by `moorage storage migrate`; none: nowhere"
    )
    path: Path = Field(Path("moorage-data"), description="the data directory; `moorage serve` creates it")
    reserve_bytes: int = Field(
        256 * 2**20, ge=0, description="uploads are refused below this much free space, or 5 % if that is less"
    )
    s3: S3 = Field(default_factory=S3)

    @field_validator("former")
    @classmethod
    def _is_another(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse a move from a store to itself."""
        if value is not None and value == info.data.get("driver"):
            raise ValueError("it is the store that blobs were in before, and so another one than storage.driver")
        return value

    @property
    def stores(self) -> tuple[str, ...]:
        """Name the stores that are open: the one for new blobs first, then the former one, if any."""
        return (self.driver, self.former) if self.former else (self.driver,)


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
