"""The yardstick of pushes to S3: the least that a program does who stores a blob there and knows its digest.

boto3 as it comes but for what the store needs, parts of 8 MiB, four at a time in threads, SHA-256 over everything. No
server, no database, no session, nothing that could go on after a crash.
"""

import os
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from benchmarks.contents import Content
from benchmarks.loads import Task
from benchmarks.wire import WrongAnswer
from tests.parts.ceph import ACCESS_KEY, SECRET_KEY, Ceph

PART = 8 * 2**20  # as Moorage's default
PARALLEL = 4  # likewise


def bare_pusher(ceph: Ceph, bucket: str, contents: list[Content]) -> Task:
    """Push contents one after another; the library is loaded before the clock starts."""
    client = _client(ceph)

    def run() -> None:
        with ThreadPoolExecutor(PARALLEL) as pool:
            for content in contents:
                _push(client, pool, bucket, content)

    return run


def cpu_of_children() -> float:
    """User and system time of the processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


def _client(ceph: Ceph) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=ceph.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",  # the store knows no newer ones
            response_checksum_validation="when_required",
        ),
    )


def _push(client: Any, pool: ThreadPoolExecutor, bucket: str, content: Content) -> None:
    target = {"Bucket": bucket, "Key": uuid.uuid4().hex}
    whole = sha256()
    if content.size <= PART:
        body = b"".join(_parts(content))
        whole.update(body)
        client.put_object(**target, Body=body)
    else:
        target["UploadId"] = client.create_multipart_upload(**target)["UploadId"]
        etags: list[str] = []
        under_way: deque[Future[str]] = deque()
        for number, body in enumerate(_parts(content), 1):
            whole.update(body)
            if len(under_way) == PARALLEL:
                etags.append(under_way.popleft().result())
            under_way.append(pool.submit(_send, client, target, number, body))
        etags += [future.result() for future in under_way]
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
    if f"sha256:{whole.hexdigest()}" != content.digest:
        raise WrongAnswer("the bare client hashed other bytes")


def _send(client: Any, target: dict[str, str], number: int, body: bytes) -> str:
    return str(client.upload_part(**target, PartNumber=number, Body=body)["ETag"])


def _parts(content: Content) -> Iterator[bytes]:
    left = content.size - len(content.trailer)
    with content.file.open("rb") as file:
        while left > PART:
            left -= PART
            yield file.read(PART)
        rest = file.read(left) + content.trailer
    yield rest[:PART]
    if len(rest) > PART:
        yield rest[PART:]
