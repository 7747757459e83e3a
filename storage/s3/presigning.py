"""Addresses that let whoever has them read one object for a while (query-string signatures, version 4)."""

import threading
from datetime import timedelta
from typing import Any

from storage.errors import Unavailable
from storage.s3.client import connect, failures
from storage.s3.options import S3Options


class Signer:
    """Signs for the endpoint that clients reach."""

    def __init__(self, options: S3Options) -> None:
        """Look for keys with the first address only."""
        self._options = options
        self._made: Any = None
        self._lock = threading.Lock()

    def address(self, key: str, lifetime: timedelta) -> str:
        """Give the address of a key as the bucket has it. Raises Unavailable where no keys are found."""
        try:
            with self._lock:
                if self._made is None:
                    self._made = connect(self._options, self._options.public_endpoint or self._options.endpoint)
            signed: str = self._made.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._options.bucket, "Key": key},
                ExpiresIn=int(lifetime.total_seconds()),
            )
        except failures() as error:
            raise Unavailable(f"no address for {key} could be signed: {error}") from error
        return signed
