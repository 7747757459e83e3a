"""The one importer of boto3: clients with the settings that S3-compatible stores need, and their exceptions by kind.

Signatures are version 4, checksums only where the protocol requires them (newer defaults break other stores), and the
library's own retries are off: `storage.s3.bucket` has a deadline, which they do not know.
"""

import functools
import importlib.util
import threading
from typing import Any

from storage.errors import Unavailable
from storage.s3.options import S3Options

_OWN_RETRIES = {"total_max_attempts": 1, "mode": "standard"}


def require_library() -> None:
    """See that boto3 is installed. Raises Unavailable."""
    if importlib.util.find_spec("boto3") is None:
        raise Unavailable("for S3, boto3 has to be installed: pip install 'moorage[s3]'")


def connect(options: S3Options, endpoint: str | None) -> Any:
    """Make a client for an endpoint; None is Amazon's own. Opens no connection."""
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": _style(options, endpoint)},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries=_OWN_RETRIES,
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        max_pool_connections=options.connections,
    )
    with _one_at_a_time():
        session = _session()
        client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=options.region or session.region_name or "us-east-1",
            aws_access_key_id=options.access_key,
            aws_secret_access_key=options.secret_key,
            config=config,
        )
    _hash_no_body_twice(client)
    return client


def _hash_no_body_twice(client: Any) -> None:
    """Leave out the SHA-256 of a body that goes with its MD5, which the signature covers and the store checks.

    Over TLS the library does so by itself; over plain HTTP it would have both ends hash each part once more.
    """
    from botocore.config import Config

    known = client.meta.config
    unhashed = known.merge(Config(s3={**known.s3, "payload_signing_enabled": False}))

    def choose(params: dict[str, Any], **_: object) -> None:
        if "Content-MD5" in params["headers"]:
            params["context"]["client_config"] = unhashed

    client.meta.events.register("before-call.s3", choose)


def _style(options: S3Options, endpoint: str | None) -> str:
    """Say where addresses have the bucket: left to itself, the library puts it into the path of all but Amazon's."""
    if options.path_style:
        return "path"
    return "auto" if endpoint is None else "virtual"


@functools.cache
def _one_at_a_time() -> threading.Lock:
    """A session is not for two threads while it makes a client."""
    return threading.Lock()


@functools.cache
def _session() -> Any:
    """Read the service's description once: that takes a while, and clients can share it."""
    import boto3

    return boto3.session.Session()


def answered(error: Exception) -> tuple[str, int, str] | None:
    """Give code, status and message of an answer that is an error; None where `error` is none."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return None
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(told.get("Code", "")), int(status), str(told.get("Message") or "")


def moved_to(answer: dict[str, Any]) -> str | None:
    """Give the region where the library found the bucket, after the store had refused the one it was told.

    The library heals its calls by that, but not the addresses that it signs for others. Its own retries are off, so a
    call that it repeated is one that it sent to another region.
    """
    told = answer["ResponseMetadata"]
    if not told.get("RetryAttempts"):
        return None
    return str(told["HTTPHeaders"].get("x-amz-bucket-region", "which the store does not name"))


def lacks_credentials(error: Exception) -> bool:
    """Tell whether no keys were found at all."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    return isinstance(error, NoCredentialsError | PartialCredentialsError)


def failures() -> tuple[type[Exception], ...]:
    """Give what a call, or the reading of an answer, can raise."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, OSError
