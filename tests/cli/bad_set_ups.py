"""What can be wrong around a Moorage that is set up anew, each on real servers, and what has to be said of it.

A case gives the settings that make it, as the environment has them; `words` are patterns that are all in the one
sentence that `moorage config check` and `moorage serve` both tell.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from registry.catalog.schema import HEAD
from storage.s3.bucket import Bucket
from tests.parts import ceph as ceph_part
from tests.parts.ceph import Ceph
from tests.parts.postgres import Postgres
from tests.parts.server import free_port
from tests.parts.versitygw import SECRET_KEY, VersityGateway

PASSWORD = "a-password-that-nobody-may-read"
ANOTHER_SECRET = "w" * 40
SECRETS = (PASSWORD, ANOTHER_SECRET, SECRET_KEY, ceph_part.SECRET_KEY)

Settings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parts:
    """The servers, and a port on which nobody answers whoever connects."""

    ceph: Ceph
    versitygw: VersityGateway
    postgres: Postgres
    standby: Postgres
    silent: int


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is wrong."""

    words: tuple[str, ...]
    settings: Callable[[Parts], Settings]
    launcher: tuple[str, ...] = ()


@contextmanager
def silent_port() -> Iterator[int]:
    """Listen, and never say a word: as a machine that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def bucket(parts: Parts, name: str = "", **others: str) -> Settings:
    """Say in the environment that blobs are in a bucket of Ceph; without a name, in a new one."""
    values = {
        "endpoint": parts.ceph.endpoint,
        "access_key": ceph_part.ACCESS_KEY,
        "secret_key": ceph_part.SECRET_KEY,
        "path_style": "true",
        "bucket": name or parts.ceph.bucket(),
        **others,
    }
    of_s3 = {f"MOORAGE_STORAGE__S3__{key.upper()}": value for key, value in values.items() if value}
    return {"MOORAGE_STORAGE__DRIVER": "s3", **of_s3}


def holding(key: str, content: bytes) -> Callable[[Parts], Settings]:
    """A bucket that holds an object."""

    def made(parts: Parts) -> Settings:
        name = parts.ceph.bucket()
        Bucket(parts.ceph.options(name)).call("put_object", key, body=lambda: content, Key=key)
        return bucket(parts, name)

    return made


def allowed(*actions: str) -> Callable[[Parts], Settings]:
    """A bucket of somebody else, who allows us that much."""
    return lambda parts: bucket(parts, parts.ceph.bucket_of_another(*actions))


def elsewhere(endpoint: str) -> Callable[[Parts], Settings]:
    """A bucket at an address."""
    return lambda parts: bucket(
        parts, endpoint=endpoint.format(refused=free_port(), silent=parts.silent, ceph=parts.ceph.endpoint[7:])
    )


READING = ("s3:ListBucket", "s3:GetObject")
WRITING = (*READING, "s3:PutObject")

ON_S3 = {
    "no such bucket": Case(("no such bucket", r"storage\.s3\.bucket"), lambda parts: bucket(parts, "no-such-bucket")),
    "access key": Case(("access key", r"storage\.s3\.access_key"), lambda parts: bucket(parts, access_key="nobody")),
    "secret key": Case(
        ("secret key", r"storage\.s3\.secret_key"), lambda parts: bucket(parts, secret_key=ANOTHER_SECRET)
    ),
    "half the keys": Case((r"storage\.s3\.access_key", "go together"), lambda parts: bucket(parts, secret_key="")),
    "clock": Case(("clock is wrong", "set it"), bucket, ("faketime", "-f", "+1h")),
    "bucket in use": Case(("neither empty nor ours", r"storage\.s3\.prefix"), holding("photos/1.jpg", b"x")),
    "newer format": Case(("data format '2'", "version of Moorage"), holding("format", b"2\n")),
    "bucket of another": Case(("s3:ListBucket is missing",), allowed()),
    "no right to write": Case(("s3:PutObject is missing",), allowed(*READING)),
    "no right to abort": Case(("s3:AbortMultipartUpload is missing",), allowed(*WRITING, "s3:List*")),
    "nobody listens": Case((r"storage\.s3\.endpoint",), elsewhere("http://127.0.0.1:{refused}")),
    "nobody answers": Case((r"storage\.s3\.endpoint",), elsewhere("http://127.0.0.1:{silent}")),
    "no such name": Case((r"storage\.s3\.endpoint",), elsewhere("http://no-such-host.invalid")),
    "no TLS there": Case((r"storage\.s3\.endpoint",), elsewhere("https://{ceph}")),
    "no such class": Case((r"storage\.s3\.storage_class",), lambda parts: bucket(parts, storage_class="STANDRAD")),
    "no such key for encryption": Case(
        (r"storage\.s3\.storage_class, sse and sse_kms_key", "no-such-key"),
        lambda parts: bucket(parts, sse="aws:kms", sse_kms_key="no-such-key"),
    ),
    "no encryption there": Case(("does not encrypt", r"storage\.s3\.sse"), lambda parts: bucket(parts, sse="AES256")),
    "region": Case(
        ("another region, eu-test-1", r"storage\.s3\.region"),
        lambda parts: bucket(
            parts,
            parts.versitygw.bucket(),
            endpoint=parts.versitygw.endpoint,
            secret_key=SECRET_KEY,
            region="eu-other-1",
        ),
    ),
}


def database(url: str) -> Settings:
    """Say in the environment where the catalog is."""
    return {"MOORAGE_DATABASE__URL": url}


def at(host: str, name: str = "moorage") -> Callable[[Parts], Settings]:
    """A database that is somewhere else."""
    return lambda parts: database(
        f"postgresql://moorage:{PASSWORD}@"
        + host.format(refused=free_port(), silent=parts.silent, ceph=parts.ceph.endpoint[7:])
        + f"/{name}"
    )


def role(parts: Parts, options: str = "", *, password: str = PASSWORD) -> Settings:
    """A database, and somebody with a password who may connect to it."""
    name = parts.postgres.create()
    parts.postgres.psql(f"CREATE ROLE {name} LOGIN {options} PASSWORD '{PASSWORD}'")
    parts.postgres.ask_for_password(name)
    return database(f"postgresql://{name}:{password}@127.0.0.1:{parts.postgres.port}/{name}")


def prepared(*statements: str) -> Callable[[Parts], Settings]:
    """A database in which something was done; NAME stands for its own."""

    def made(parts: Parts) -> Settings:
        name = parts.postgres.create()
        for statement in statements:
            parts.postgres.psql(statement.replace("NAME", name), name)
        return database(parts.postgres.url(name))

    return made


STEP = "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)"

ON_POSTGRESQL = {
    "no address": Case(("postgresql://user@host/name",), lambda _: database("postgres")),
    "another kind": Case(("SQLite or PostgreSQL",), lambda _: database("mysql://root@127.0.0.1/x")),
    "password": Case(("password", r"database\.url"), lambda parts: role(parts, password="w" * 40)),
    "no such database": Case(
        ("does not exist", r"database\.url"), lambda parts: database(parts.postgres.url("no_such_database"))
    ),
    "nobody listens": Case((r"database\.url",), at("127.0.0.1:{refused}")),
    "nobody answers": Case((r"database\.url",), at("127.0.0.1:{silent}")),
    "no such name": Case((r"database\.url",), at("no-such-host.invalid")),
    "not PostgreSQL": Case((r"database\.url",), at("{ceph}")),
    "too many connections": Case(("too many connections",), lambda parts: role(parts, "CONNECTION LIMIT 0")),
    "may not make tables": Case(("may not make tables", "GRANT"), role),
    "standby": Case(("is a standby", "primary"), lambda parts: database(parts.standby.url("postgres"))),
    "newer": Case(("newer Moorage",), prepared(STEP, "INSERT INTO alembic_version VALUES ('9999')")),
    "half done": Case(("half done",), prepared("CREATE TABLE blob (id int)")),
    "two steps": Case(("names the steps",), prepared(STEP, f"INSERT INTO alembic_version VALUES ('0001'), ('{HEAD}')")),
}
