"""The settings' sections about where the bytes are, and what becomes of those that nobody needs."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from registry.settings.section import HOUR, MIB, MINUTE, ZERO, Duration, Section, listed


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
    direct_networks: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(listed)] = Field(
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


class Gc(Section):
    """Collecting what no manifest names."""

    enabled: bool = Field(True, description="collect on a schedule; false: only `moorage gc --once` does")
    grace: Duration = Field(
        timedelta(hours=24),
        gt=ZERO,
        description="how long a blob stays after its upload, its last mount or look, and its last reference",
    )
    i_know: bool = Field(False, description="allow a grace below an hour, which slow pushes do not survive")
    interval: Duration = Field(timedelta(minutes=15), ge=MINUTE, description="how often garbage is looked for")

    @model_validator(mode="after")
    def _is_long_enough(self) -> "Gc":
        """Refuse a grace that takes blobs from pushes under way."""
        if self.grace < HOUR and not self.i_know:
            raise ValueError("grace below an hour takes blobs from pushes under way; gc.i_know = true allows it")
        return self
